"""The state of a training in a file, from which any number of processes can resume."""

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

History: TypeAlias = list[tuple[int, dict[str, float]]]


@runtime_checkable
class Stateful(Protocol):
    """Anything with a state to save: modules, optimisers, schedules, sources of batches."""

    def state_dict(self) -> dict[str, Any]:
        """The whole state, as tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Restore a state from `state_dict`."""
        ...


class Checkpoint:
    """A file that is complete or absent, sealed by its SHA-256 in a file beside it.

    It holds the state that all processes share, and nothing of a single one.
    """

    def __init__(self, path: Path, parts: Mapping[str, Stateful]) -> None:
        self.path, self._parts = path, parts
        self._seal = path.with_name(f"{path.name}.sha256")

    def read(self) -> tuple[int, float, History] | None:
        """Restore the parts' states; return step, seconds and history, or None without a file.

        Raises:
            ValueError: the file is damaged, or holds other parts.
        """
        import torch

        if not self.path.exists():
            return None
        content = self.path.read_bytes()
        sealed = self._seal.read_text().split() if self._seal.exists() else []
        # Two seals: of the file before, and of its replacement, in case a process was killed in
        # between.
        if sealed and hashlib.sha256(content).hexdigest() not in sealed:
            raise ValueError(f"{self.path} has changed since it was written; {_ANEW}")
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            for key, part in self._parts.items():
                part.load_state_dict(state["parts"][key])
            return state["step"], state["seconds"], state["history"]
        except KeyError as error:
            raise ValueError(
                f"{self.path} lacks {error}, which is trained here; {_ANEW}"
            ) from error
        except Exception as error:  # whatever torch makes of damaged or other files
            said = str(error).splitlines()[0]
            raise ValueError(f"{self.path} cannot be gone on from ({said}); {_ANEW}") from error

    def write(self, progress: tuple[int, float, History]) -> None:
        """Replace the file."""
        import torch

        step, seconds, history = progress
        states = {key: part.state_dict() for key, part in self._parts.items()}
        file = io.BytesIO()
        torch.save({"parts": states, "step": step, "seconds": seconds, "history": history}, file)
        digest = hashlib.sha256(file.getbuffer()).hexdigest()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = self._seal.read_text().split()[:1] if self._seal.exists() else []
        # The seals are written first, of the old and of the new file: one of them is right at any
        # moment.
        _replace(self._seal, " ".join([digest, *before]).encode() + b"\n")
        _replace(self.path, file.getbuffer())


_ANEW = "remove it to begin anew."


def _replace(path: Path, content: "bytes | memoryview") -> None:
    """Replace a file atomically, so that it survives a loss of power complete or as it was."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
