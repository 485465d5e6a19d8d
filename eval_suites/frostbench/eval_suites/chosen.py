"""What may be chosen by name in a task's settings. Imports no torch."""

from collections.abc import Sequence


def check_chosen(what: str, asked: Sequence[str], known: Sequence[str]) -> None:
    """See that some of `known` are asked for, and nothing else; `what` names them in the error.

    >>> check_chosen("kinds", ("what",), ("what", "where"))

    Raises:
        ValueError: none is asked for, or one that is not known.
    """
    if not asked or not set(asked) <= set(known):
        raise ValueError(
            f"{what} are among {', '.join(known)}; asked were {', '.join(asked) or 'none'}."
        )
