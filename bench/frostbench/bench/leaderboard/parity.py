"""Compares runs of presets with what papers report, and says which settings differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frostbench.bench.leaderboard.rows import Counterpart, Leaderboard, Row
from frostbench.bench.store.manifest import Manifest

TITLE = "Beside what the papers report"


@dataclass(frozen=True)
class Compared:
    """One reported value, and ours.

    Attributes:
        ours: The run's row, in its own unit.
        value, low, high: Ours and its interval, in the unit of what is reported; the interval is
            None where there is none.
        departs: In which settings and samples the run differs from the paper.
    """

    reported: Row
    ours: Row
    value: float
    low: float | None
    high: float | None
    departs: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Ours minus the reported value."""
        assert self.reported.value is not None
        return self.value - self.reported.value

    @property
    def within(self) -> bool | None:
        """Whether the reported value lies in our interval; None where there is none."""
        if self.low is None or self.high is None or self.reported.value is None:
            return None
        return self.low <= self.reported.value <= self.high


def compared(leaderboard: Leaderboard) -> tuple[Compared, ...]:
    """Every reported value that a run of its preset measured too."""
    return tuple(
        _beside(reported, ours, manifest)
        for number, manifest in enumerate(leaderboard.manifests, start=1)
        for reported in leaderboard.rows
        if reported.counterpart is not None
        and reported.counterpart.preset == manifest.config.get("preset")
        for ours in leaderboard.rows
        if ours.run == number and _is_counterpart(ours, reported, reported.counterpart)
    )


def _is_counterpart(ours: Row, reported: Row, wanted: Counterpart) -> bool:
    return (
        ours.kind == "measured"
        and ours.value is not None
        and (ours.method, ours.task) == (reported.method, reported.task)
        and (ours.metric, ours.protocol) == (wanted.metric, wanted.protocol)
    )


def _beside(reported: Row, ours: Row, manifest: Manifest) -> Compared:
    other = reported.counterpart
    assert other is not None
    assert ours.value is not None
    departs = [str(one) for one in manifest.config.get("departures", ())]
    if other.samples is not None and ours.samples != other.samples:
        departs.append(f"{ours.samples} samples, not {other.samples}")
    if other.samples is None:
        departs.append(f"{ours.samples} samples; of how many it is reported is not said")
    low, high = (None if end is None else end * other.scale for end in (ours.low, ours.high))
    return Compared(reported, ours, ours.value * other.scale, low, high, tuple(departs))


def parity_lines(rows: Sequence[Compared]) -> Iterable[str]:
    """The comparison in Markdown; nothing where there is none."""
    if not rows:
        return
    yield ""
    yield f"## {TITLE}"
    yield ""
    yield "| method | task | metric | ours | reported | difference | in our interval | departs in |"
    yield "|---|---|---|---:|---:|---:|---|---|"
    for one in rows:
        yield "| " + " | ".join(cells(one)) + " |"


def cells(one: Compared) -> tuple[str, ...]:
    """The cells of a line of the comparison."""
    interval = "" if one.low is None or one.high is None else f" [{one.low:.4g}, {one.high:.4g}]"
    doubt = "" if one.reported.verified else " (unverified)"
    within = {True: "yes", False: "no", None: "no interval"}[one.within]
    return (
        one.ours.method,
        one.ours.task + (f", {one.ours.protocol}" if one.ours.protocol else ""),
        one.ours.metric,
        f"{one.value:.4g}{interval}",
        f"{one.reported.value:g}{doubt}",
        f"{one.difference:+.3g}",
        within,
        "; ".join(one.departs) or "nothing that is stated",
    )
