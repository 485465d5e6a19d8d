"""The samples on which two runs differ most, shown side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from frostbench.bench.comparison.build import RunComparison
from frostbench.bench.comparison.contrast import Changed, Contrast
from frostbench.bench.leaderboard.gallery import strip
from frostbench.bench.leaderboard.shelves import Strip, Tile
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record

CONTRASTS = 12  # contrasts with samples shown
EACH = 3  # samples of a contrast


@dataclass(frozen=True)
class SideShown:
    """One run's answer to a sample; `tile` is None if the answer is a text."""

    tile: Tile | None
    text: str
    score: str


@dataclass(frozen=True)
class Exhibit:
    """A sample with its input, its target, and the answer of each run."""

    sample: str
    given: tuple[Tile, ...]
    asked: str
    target: str | None
    sides: tuple[SideShown, SideShown]

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """All its images."""
        return (*self.given, *(side.tile for side in self.sides if side.tile))


@dataclass(frozen=True)
class Exhibition:
    """A contrast and the samples that differ most in it."""

    contrast: Contrast
    exhibits: tuple[Exhibit, ...]


def cases(
    comparison: RunComparison, contrasts: int = CONTRASTS, each: int = EACH
) -> Iterator[Exhibition]:
    """The contrasts that are told apart, then the others, with the samples that differ most.

    Controls and other metrics would repeat the same samples, and are left out.
    """
    main = [
        one
        for one in comparison.moved
        if one.changed and one.spot.control is None and _ranks(one, comparison)
    ]
    for one in main[:contrasts]:
        yield Exhibition(one, tuple(_exhibit(one, c, comparison.runs) for c in one.changed[:each]))


def _ranks(one: Contrast, comparison: RunComparison) -> bool:
    return one.metric.id == comparison.runs[0].manifest.tasks[one.spot.task].ranks_by


def _exhibit(one: Contrast, changed: Changed, runs: Sequence[StoredRun]) -> Exhibit:
    strips = [
        _strip(run, record)
        for run, record in zip(runs, (changed.before, changed.after), strict=True)
    ]
    scores = (one.form.with_unit(changed.first), one.form.with_unit(changed.second))
    sides = [
        _side(strip, record, score)
        for strip, record, score in zip(
            strips, (changed.before, changed.after), scores, strict=True
        )
    ]
    first = next(filter(None, strips), None)
    given = [] if first is None else [t for t in first.tiles if t.role in ("given", "target")]
    return Exhibit(
        changed.before.sample,
        tuple(given),
        changed.before.asked,
        changed.before.target.text,
        (sides[0], sides[1]),
    )


def _side(strip: Strip | None, record: Record, score: str) -> SideShown:
    tiles = [] if strip is None else [tile for tile in strip.tiles if tile.role == "method"]
    text = record.error or record.prediction.text or ""
    return SideShown(tiles[0] if tiles else None, text, score)


def _strip(run: StoredRun, record: Record) -> Strip | None:
    """The sample as the gallery shows it; None where no image of it was stored."""
    if not record.pictures and record.prediction.kind != "image":
        return None
    return strip([record], run.manifest.tasks[record.task], run)
