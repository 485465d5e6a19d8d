"""Warnings for whoever runs a command, as sentences."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from frostbench.bench.printable import complain
from frostbench.plugins.host.errors import UserNote


@contextlib.contextmanager
def notes_as_sentences() -> Iterator[None]:
    """Print warnings that are sentences for the user as such, without where they arose."""
    show = warnings.showwarning

    def shown(message: Any, category: type[Warning], *more: Any, **named: Any) -> None:
        if issubclass(category, UserNote):
            complain(f"frostbench: {message}")
        else:
            show(message, category, *more, **named)

    warnings.showwarning = shown
    try:
        yield
    finally:
        warnings.showwarning = show
