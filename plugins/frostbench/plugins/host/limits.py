"""Limits on what a stranger's code may take: waves, seconds, and the length of its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a request; a user who needs more sets the key of the same name.

    Attributes:
        most_waves: Waves that a method may yield for one request.
        most_seconds: Seconds that one request may take, in the method's code and in the engine; a
            call for several requests or images may take as many times that.
        error_length: Characters of an error that are kept; more are cut out in the middle.

    Raises:
        ValueError: one is too small.
    """

    most_waves: int = 4096
    most_seconds: float = 3600.0
    error_length: int = 1000

    def __post_init__(self) -> None:
        least = {"most_waves": 1, "most_seconds": 0.001, "error_length": 80}
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                raise ValueError(f"{name}={getattr(self, name)}: at least {bound} is needed.")


class LimitError(Exception):
    """A method takes more than it may; the message names the limit."""


TOY_LIMITS = Limits(most_waves=1024, most_seconds=60.0)
"""Limits of a toy when it is checked; it should answer in milliseconds."""

_DEFAULT = Limits()
_current: ContextVar[Limits] = ContextVar("limits")


def limits() -> Limits:
    """The limits that hold now."""
    return _current.get(_DEFAULT)


@contextmanager
def limited(chosen: Limits) -> Iterator[None]:
    """Let these limits hold inside the block."""
    before = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(before)
