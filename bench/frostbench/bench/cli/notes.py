"""Warnings for whoever runs a command, as sentences."""

import contextlib
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from frostbench.bench.printable import complain
from frostbench.plugins.host.errors import LeftOutNote, UserNote

_left_out: ContextVar[list[str]] = ContextVar("left_out")


def left_out() -> list[str]:
    """The notes of this command that say which requested parts are left out."""
    return _left_out.get([])


@contextlib.contextmanager
def notes_as_sentences() -> Iterator[None]:
    """Print warnings for the user as plain sentences, without their place in the code."""
    left: list[str] = []
    before = _left_out.set(left)
    show = warnings.showwarning

    def shown(message: Any, category: type[Warning], *more: Any, **named: Any) -> None:
        if issubclass(category, LeftOutNote):
            left.append(str(message))
        if issubclass(category, UserNote):
            complain(f"frostbench: {message}")
        else:
            show(message, category, *more, **named)

    warnings.showwarning = shown
    try:
        yield
    finally:
        warnings.showwarning = show
        _left_out.reset(before)
