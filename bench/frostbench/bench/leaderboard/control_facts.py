"""What a run's manifest tells of its controls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ControlFacts:
    """A control as a task shows it.

    A `ceiling` is not meant to be beaten: what a method could reach, or what it stands on. One that
    is `drawn` is a line in the curves.
    """

    meaning: str
    ceiling: bool = False
    drawn: bool = False


BEFORE = {
    "ceiling": {"ceiling": True, "drawn": True},
    "oracle_box": {"ceiling": True},
    "bare_lmm": {"ceiling": True},
    "copy": {"drawn": True},
    "no_llm": {"drawn": True},
    "floor": {"drawn": True},
}
"""For runs that were stored before manifests told these facts."""


def control_facts(task: Mapping[str, Any]) -> dict[str, ControlFacts]:
    """By name the controls of a task's entry, in the order in which it names them."""
    told = task.get("control_facts")
    if told is not None:
        return {name: ControlFacts(**facts) for name, facts in told.items()}
    return {
        name: ControlFacts(meaning, **BEFORE.get(name, {}))
        for name, meaning in (task.get("controls") or {}).items()
    }
