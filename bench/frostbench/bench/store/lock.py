"""One process on one folder."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from frostbench.bench.store.atomic import StoreError, writing


class RunLock:
    """Holds `run.lock` in a folder, as a context manager.

    The operating system lets go of the lock when its process dies, however it dies: a file left
    by a dead process is taken over, and a process number that was given out again does no harm.

    Raises:
        StoreError: another process holds it; the message names the process.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "run.lock"
        self._handle = -1

    def __enter__(self) -> "RunLock":
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644
            )
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 64).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise StoreError(
                f"{self._path.parent} is in use by process {holder}; wait until it has finished, "
                "end it, or choose another folder with out=."
            ) from None
        with writing(self._path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The file stays: removing it could remove the lock of a process that just took over.
        os.close(self._handle)
