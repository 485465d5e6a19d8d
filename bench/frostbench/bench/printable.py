"""Makes texts safe to print: names and errors may hold control characters."""

import os
import re
import sys
from typing import Any

LONGEST = 4000  # characters of one message
BRIEF = 500  # characters of one error among others

_STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""The text with control characters written out, including those that change its direction.

    >>> printable("\x1b[31mred")
    '\\x1b[31mred'
    """
    return _STEERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def brief(text: str, most: int = BRIEF) -> str:
    """A text, shortened for a page or a line.

    >>> brief("abcdef", 3)
    'abc… (6 characters)'
    """
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def say(text: str) -> None:
    """Print a text, so that a terminal only shows it."""
    print(printable(text))


def complain(text: str) -> None:
    """Print a text like `say`, on the error stream."""
    note(text, sys.stderr)


def note(text: str, stream: Any) -> None:
    """Print a text like `say`, on a stream that need not be read: a closed one ends no work."""
    try:
        print(printable(text), file=stream, flush=True)
    except BrokenPipeError:
        unread(stream)


def unread(stream: Any) -> None:
    """Disable a stream: Python would write to it again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
