"""Errors as sentences."""

import difflib
from collections.abc import Iterable

from frostbench.plugins.host.containment import DeathError, EscapedError, TimeLimitError, contain
from frostbench.plugins.host.limits import LimitError, limits

SECONDS_OF_A_TEXT = 10.0
"""What an exception may take to say what it says."""


MANY = 20
"""Names that a sentence lists, the nearest first; `frostbench list` has them all."""


class UserNote(UserWarning):
    """A warning that is a sentence for whoever runs a command, and says nothing of the code."""


class LeftOutNote(UserNote):
    """One that says what is left out of that which was asked for."""


class PluginError(Exception):
    """A plugin broke a promise; the message names the plugin, the hook and the file."""


class PluginFailedError(PluginError):
    """A plugin that keeps its promises failed while it was at work; the message says in what."""


class ToldError(Exception):
    """An error in another process; the message is what `describe` said of it there."""


def missing(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not there: what was asked, the nearest, what there is."""
    names = sorted(known)
    shown, more = names, ""
    if len(names) > MANY:
        near = difflib.get_close_matches(name, names, n=MANY, cutoff=0.4)
        shown = [*near, *(one for one in names if one not in near)][:MANY]
        more = f" and {len(names) - MANY} more"
    listed = ", ".join(shown) or "none"
    return f"no {kind} named {name!r}; there are {listed}{more}.{guess(name, names)}"


def guess(name: str, known: Iterable[str]) -> str:
    """A question whether the nearest of the known names was meant, after a blank; "" if none is.

    >>> guess("limt", ["limit", "out"])
    " Did you mean 'limit'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def describe(error: BaseException) -> str:
    """An exception as one line: its type and first line, and where it was raised.

    What only wraps a stranger's exception is described by that; one that is a sentence already is
    that sentence. No longer than `error_length`, whatever the exception says.
    """
    if isinstance(error, EscapedError) and error.__cause__ is not None:
        error = error.__cause__
    lines = text_of(error).strip().splitlines()
    if isinstance(error, DeathError | LimitError | ToldError):
        return " ".join(lines)
    said = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return cut(f"{said}{_place(error)}")


def clause_of(error: BaseException) -> str:
    """An exception as a clause: what it says where that is a sentence for users, or `describe`."""
    said = text_of(error).strip()
    plain = type(error).__name__ in ("ValueError", "LookupError", "UnreadableError")
    return said[:-1] if plain and said.endswith(".") and "\n" not in said else describe(error)


def _place(error: BaseException) -> str:
    """Where an exception was raised, in brackets; of a time limit, what was running."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<"):  # what Python made up itself, or a checker
            frames.append((file.rsplit("/", 1)[-1], trace.tb_lineno))
        trace = trace.tb_next
    if isinstance(error, TimeLimitError):
        frames = frames[:-1]  # the last is the alarm itself
    return f" ({frames[-1][0]}:{frames[-1][1]})" if frames else ""


def text_of(error: BaseException) -> str:
    """What an exception says. That is its author's code too, and may itself fail."""
    try:
        text = contain(None, str, error, seconds=SECONDS_OF_A_TEXT, key="")
    except Exception as broken:
        kind = type(broken.__cause__ or broken).__name__
        return f"its text cannot be had, for want of which there is {kind}"
    # A subclass of str may do anything.
    return cut(str.__str__(text))


def cut(text: str, most: int | None = None) -> str:
    """The text, with its middle left out where it is longer than `most`, or than `error_length`.

    >>> cut("0123456789", 4)
    '01… (6 characters left out) …89'
    """
    most = limits().error_length if most is None else most
    if len(text) <= most:
        return text
    head, tail = (most + 1) // 2, most // 2
    end = text[len(text) - tail :]
    return f"{text[:head]}… ({len(text) - most} characters left out) …{end}"
