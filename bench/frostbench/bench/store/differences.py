"""Finds where two trees of plain values differ, such as the configurations of two runs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Difference:
    """A place whose value changed, is gone, or is new; in the last two cases one side is None."""

    place: tuple[str, ...]
    before: Any
    after: Any
    kind: Literal["changed", "gone", "new"] = "changed"

    @property
    def clause(self) -> str:
        """The change in a clause: "llm.dtype was 'float32' and is now 'float16'"."""
        where = ".".join(self.place)
        if self.kind == "gone":
            return f"{where} was there and is not any more"
        if self.kind == "new":
            return f"{where} is new"
        return f"{where} was {shortened(self.before)!r} and is now {shortened(self.after)!r}"


def differences(before: Any, after: Any, place: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Every place where the two differ, in the order of their keys.

    >>> [one.clause for one in differences({"a": {"b": 1}}, {"a": {"b": 2}, "c": 3})]
    ['a.b was 1 and is now 2', 'c is new']
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            here = (*place, str(key))
            if key not in after:
                yield Difference(here, before[key], None, "gone")
            elif key not in before:
                yield Difference(here, None, after[key], "new")
            else:
                yield from differences(before[key], after[key], here)
    elif before != after:
        yield Difference(place, before, after)


def shortened(value: Any) -> Any:
    """A digest's first digits, which are enough to tell two apart; anything else as it is."""
    long = isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)
    return f"{value[:12]}..." if long else value
