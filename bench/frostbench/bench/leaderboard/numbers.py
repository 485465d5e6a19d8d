"""Formats numbers for readers: digits by unit, shares in percent, costs to a few figures."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from frostbench.bench.store.manifest import MetricEntry

NONE = "–"


@dataclass(frozen=True)
class Format:
    """How a metric's values are shown: times `scale`, with `digits` decimals and a unit."""

    scale: float = 1.0
    digits: int = 3
    unit: str = ""

    def __call__(self, value: float | None) -> str:
        """The value without its unit; a dash for None.

        >>> Format(100.0, 1, "%")(0.4567)
        '45.7'
        """
        if value is None:
            return NONE
        text = f"{value * self.scale:.{self.digits}f}"
        return text.replace("-", "−") if float(text) else text.lstrip("-")

    def interval(self, low: float | None, high: float | None) -> str:
        """Both ends, or an empty text where there is no interval.

        >>> Format(100.0, 1, "%").interval(0.4, 0.5)
        '40.0 to 50.0'
        """
        return "" if low is None or high is None else f"{self(low)} to {self(high)}"

    def brackets(self, low: float | None, high: float | None) -> str:
        """Both ends as tables write them after a value, or an empty text without an interval.

        >>> Format(100.0, 1, "%").brackets(0.4, 0.5)
        ' [40.0, 50.0]'
        """
        return "" if low is None or high is None else f" [{self(low)}, {self(high)}]"

    def with_unit(self, value: float | None) -> str:
        """The value and its unit, "45.7 %"."""
        return f"{self(value)} {self.unit}".rstrip() if value is not None else NONE


def format_of(metric: MetricEntry, values: Iterable[float | None] = ()) -> Format:
    """Shares in percent; three decimals for metrics that end at 10 or less, two with a unit.

    CIDEr-D stays on pycocoevalcap's scale, up to 10; papers print it times 100. Without unit and
    bounds, the largest of `values` has three figures.
    """
    if metric.percent:
        return Format(100.0, 1, "%")
    if metric.unit:
        small = metric.upper is not None and metric.upper <= 10
        return Format(digits=3 if small else 2, unit=metric.unit)
    if None not in (metric.lower, metric.upper):
        return Format()
    largest = max((abs(value) for value in values if value), default=0.1)
    return Format(digits=min(5, max(1, 2 - math.floor(math.log10(largest)))))


def seconds(value: float | int | None) -> str:
    """Seconds to two or three figures.

    >>> seconds(0.01234), seconds(2.5), seconds(154.2), seconds(0.0)
    ('0.012', '2.50', '154', '0')
    """
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if value < 0.0005:
        return "<0.001"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def count(value: float | int | None) -> str:
    r"""A number of things, with thousands separated.

    >>> count(24320.4), count(0), count(None)
    ('24\u202f320', '0', '–')
    """
    return NONE if value is None else f"{round(value):,}".replace(",", "\u202f")


def megabytes(value: int | None) -> str:
    """Bytes as megabytes (10**6)."""
    return NONE if value is None else count(value / 1e6) if value >= 1e7 else f"{value / 1e6:.1f}"


def duration(value: float | int | None) -> str:
    """Seconds as people say them.

    >>> duration(154), duration(7384), duration(3.21)
    ('2 min 34 s', '2 h 3 min', '3.2 s')
    """
    if value is None:
        return NONE
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def readable(name: str) -> str:
    """A name with blanks for its underscores; hyphens and brackets stay."""
    return name.replace("_", " ")
