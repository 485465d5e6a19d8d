"""A lock that lets one process at a time write a folder."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from frostbench.bench.store.atomic import StoreError, writing

DYING = 10.0
"""Seconds for which a lock is waited for whose holder, or the process that waited for the holder,
was killed: the holder may be dying still, or a process that inherited its handle."""


class RunLock:
    """Holds `run.lock` in a folder, as a context manager.

    The operating system releases the lock when its process dies, however it dies: a file left by a
    dead process is taken over, and a reused process number does no harm.

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
        given_up = time.monotonic() + DYING
        while not self._taken(handle):
            holder, _, parent = os.pread(handle, 64, 0).decode(errors="replace").partition(" ")
            held = _lives(holder) and _lives(parent.strip())
            if held or time.monotonic() > given_up:
                os.close(handle)
                raise StoreError(
                    f"{self._path.parent} is in use by process {holder.strip() or 'unknown'}; wait "
                    "until it has finished, end it, or choose another folder with out=."
                )
            time.sleep(0.02)
        with writing(self._path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()} {os.getppid()}\n".encode(), 0)
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

    def _taken(self, handle: int) -> bool:
        """Whether the lock is ours now; another process may hold it.

        Raises:
            StoreError: files cannot be locked where the folder lies.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, InterruptedError, PermissionError):
            return False
        except OSError as error:
            os.close(handle)
            raise StoreError(
                f"files cannot be locked in {self._path.parent} ({error.strerror}), so that "
                "nothing keeps a second process out; choose a folder elsewhere with out=."
            ) from error
        return True


def _lives(process: str) -> bool:
    """Whether there is a process with this number, even one of another user."""
    if not process.isdecimal():
        return True
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
