"""Tells observers about samples, and counts prompts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from frostbench.bench.runner.plan import Observer
from frostbench.bench.store.records import Record
from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe


class Counted:
    """An engine that tells how many prompts it is given."""

    def __init__(self, engine: Engine, tell: Callable[[int], None]) -> None:
        self._engine = engine
        self._tell = tell

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """What the engine answers."""
        self._tell(len(prompts))
        return self._engine.run(prompts)


class Watchers:
    """The observers of a run. One that raises is reported and not called again: the run goes on."""

    def __init__(self, observers: Sequence[Observer], note: Callable[[str], None]) -> None:
        self._observers = list(observers)
        self._note = note

    def started(self, manifest: Mapping[str, Any]) -> None:
        """Tell all that the run has begun."""
        for observer in list(self._observers):
            self._call(observer, "started", lambda observer: observer.started(manifest))

    def scored(self, record: Record) -> Record:
        """The record with the columns that observers add."""
        extra = dict(record.extra)
        for observer in list(self._observers):
            extra.update(
                self._call(observer, "scored", lambda observer: _columns(observer, record)) or {}
            )
        return replace(record, extra=extra) if extra else record

    def finished(self, manifest: Mapping[str, Any]) -> None:
        """Tell all that the run has ended."""
        for observer in list(self._observers):
            self._call(observer, "finished", lambda observer: observer.finished(manifest))

    def _call(self, observer: Observer, what: str, call: Callable[[Observer], Any]) -> Any:
        try:
            return contain(Call("observer", _name(observer), what), call, observer)
        except Exception as error:  # a plugin's code: it may not end the run
            self._observers.remove(observer)
            self._note(
                f"observer {_name(observer)}, {what}: {describe(error)}; it is not called again."
            )
            return None


def _name(observer: Observer) -> str:
    return str(getattr(observer, "name", type(observer).__name__))


def _columns(observer: Observer, record: Record) -> dict[str, float]:
    """What an observer adds to a record.

    Raises:
        ValueError: a column is no finite number, and the run could not be read.
    """
    found = observer.scored(record)
    if not isinstance(found, Mapping | None):
        kind = type(found).__name__
        raise ValueError(f"it gave a {kind}, and columns are a mapping from names to numbers")
    columns = {str(key): float(value) for key, value in (found or {}).items()}
    strange = [key for key, value in columns.items() if not math.isfinite(value)]
    if strange:
        raise ValueError(f"its column {strange[0]!r} is no finite number")
    return columns
