"""Errors as sentences."""

import difflib
from collections.abc import Iterable


class PluginError(Exception):
    """A plugin broke a promise; the message names the plugin, the hook and the file."""


def missing(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not there: what was asked, the nearest, what there is."""
    names = sorted(known)
    return f"no {kind} named {name!r}; there are {', '.join(names) or 'none'}.{guess(name, names)}"


def guess(name: str, known: Iterable[str]) -> str:
    """A question whether the nearest of the known names was meant, after a blank; "" if none is.

    >>> guess("limt", ["limit", "out"])
    " Did you mean 'limit'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def describe(error: BaseException) -> str:
    """An exception as one line: its type and first line, and where it was raised."""
    lines = str(error).strip().splitlines()
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        name = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
        where = f" ({name}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}{where}"
