"""How many waves and seconds one request may still take."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.limits import LimitError, Limits

T = TypeVar("T")


class Allowance:
    """Counts what a request takes: its waves, and seconds in its method and in the engine."""

    def __init__(self, most: Limits) -> None:
        self._most = most
        self._waves = 0
        self._seconds = 0.0

    def of(self, call: Call, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function of the method within the seconds that are left; see `contain`."""
        begun = time.perf_counter()
        left = max(self._most.most_seconds - self._seconds, 0.0)
        try:
            return contain(call, function, *arguments, seconds=left)
        finally:
            self._seconds += time.perf_counter() - begun

    def count_wave(self) -> None:
        """Count one more wave.

        Raises:
            LimitError: there are too many.
        """
        self._waves += 1
        if self._waves > self._most.most_waves:
            raise LimitError(f"it yields more than {self._most.most_waves} waves (most_waves)")

    def spend(self, seconds: float) -> None:
        """Count seconds of the engine.

        Raises:
            LimitError: the request has taken too long.
        """
        self._seconds += seconds
        if self._seconds > self._most.most_seconds:
            raise LimitError(f"it takes more than {self._most.most_seconds:g} s (most_seconds)")
