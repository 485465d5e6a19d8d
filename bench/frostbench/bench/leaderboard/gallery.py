"""The gallery: input, outputs and target of some samples, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frostbench.bench.leaderboard.columns import sample_value
from frostbench.bench.leaderboard.drawn import (
    COLOURS,
    Drawn,
    drawn_found,
    drawn_located,
    drawn_masks,
    drawn_true,
)
from frostbench.bench.leaderboard.numbers import format_of, readable
from frostbench.bench.leaderboard.outlines import box_outline
from frostbench.bench.leaderboard.shelves import (
    Answered,
    AskedPiece,
    Shelf,
    Strip,
    Tile,
    WordsOnImage,
)
from frostbench.bench.leaderboard.words import words_of
from frostbench.bench.statistics import pooled_value
from frostbench.bench.store.forms import Corners, StoredBoxes, StoredInstances
from frostbench.bench.store.manifest import MetricEntry, TaskEntry
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record, Stored
from frostbench.bench.store.tables import SampleTable
from frostbench.bench.store.typed import typed

SAMPLES = 6  # samples of each task and protocol, the first by id
SIDE_BY_SIDE = 2  # samples of protocols that show the same images, harder or in another way


def gallery(runs: Sequence[StoredRun]) -> tuple[Shelf, ...]:
    """The first samples of each task and protocol that have an image to show.

    Images are named by their blobs' hashes; `images` lists them all.
    """
    shelves = []
    for number, run in enumerate(runs, start=1):
        manifest, tables = run.manifest, run.tables()
        for task in manifest.tasks.values():
            for protocol in task.ways:
                count = SIDE_BY_SIDE if protocol in task.series else SAMPLES
                table = tables.table(task.name, protocol)
                strips = [strip(records, task, run) for records in _shown(table, count)]
                label = f"run {number}" if len(runs) > 1 else ""
                if strips:
                    shelves.append(Shelf(task.suite, task.name, protocol, label, tuple(strips)))
    return tuple(shelves)


def images(shelves: Iterable[Shelf], number: int, several: bool) -> set[str]:
    """Hashes of every image that the shelves of one run show."""
    label = f"run {number}" if several else ""
    return {
        picture
        for shelf in shelves
        if shelf.run == label
        for strip in shelf.strips
        for picture in (
            *(tile.picture for tile in strip.tiles),
            *(reading.picture for reading in strip.readings),
        )
        if picture
    }


def _shown(table: SampleTable, count: int) -> Sequence[list[Record]]:
    """The first samples by id whose inputs are kept, or, where none are, whose outputs are."""
    shown = table.has("pictures")
    if not shown.any():
        shown = table.where("prediction.kind", "image")
    found: dict[str, list[Record]] = {}
    for record in table.records(table.first(shown, count)):
        found.setdefault(record.sample, []).append(record)
    return [found[sample] for sample in sorted(found)]


def strip(records: Sequence[Record], task: TaskEntry, run: StoredRun) -> Strip:
    """The answers of all rows to one sample."""
    metric = run.manifest.metrics[task.ranks_by]
    drawn = _strip(records, task, metric, run)
    return replace(drawn, apart=_apart(records, metric))


def _strip(
    records: Sequence[Record], task: TaskEntry, metric: MetricEntry, run: StoredRun
) -> Strip:
    sample = records[0].sample
    ordered = sorted(
        records,
        key=lambda r: (
            r.control is not None,
            r.control in task.ceilings,
            r.control or "",
            r.method or "",
        ),
    )
    given = _given(ordered)
    target = next((r.target for r in ordered if r.target.kind != "none"), None)
    picture = next(iter(given.values()), None)
    readings = tuple(
        WordsOnImage(record.method or "", words_of(record.words), picture)
        for record in ordered
        if record.control is None and record.words
    )
    tiles = [
        Tile(role, "given", blob)
        for role, blob in given.items()
        if target is None or blob != target.blob or target.kind != "image" or role == "corrupted"
    ]
    if target is not None and target.kind == "image":
        methods = [r for r in ordered if r.control is None]
        controls = [r for r in ordered if r.control and r.prediction.blob not in given.values()]
        tiles += [_output(record, metric) for record in methods]
        tiles.append(Tile("target", "target", target.blob))
        tiles += [_output(record, metric) for record in controls]
        return Strip(sample, tuple(tiles), None, (), readings)
    asked = next((_pieces(r) for r in ordered if r.asked), ())
    if target is not None and target.kind in ("masks", "things", "boxes") and picture is not None:
        over = _Over(picture, run, next((r for r in ordered if r.asked), ordered[0]), target)
        masked = any(record.prediction.kind == "instances" for record in ordered)
        tiles = [over.true(masked)]
        for record in ordered:
            role = "control" if record.control else "method"
            note = _score(record, metric)
            if record.prediction.kind not in ("masks", "boxes", "instances"):
                tiles.append(Tile(_label(record), role, None, record.error or note))
            else:
                tiles.append(over.said(_label(record), role, record.prediction, note))
        return Strip(sample, tuple(tiles), None, (), readings, asked)
    if target is not None and target.kind == "reasoned" and picture is not None:
        said = [r.prediction for r in ordered if r.control is None]
        tiles = [_boxed("given", target, said, picture, run)]
    answers = tuple(_said(record, metric) for record in ordered)
    return Strip(sample, tuple(tiles), target.text if target else None, answers, readings, asked)


@dataclass(frozen=True)
class _Over:
    """An image of a run, a record of a method that was asked about it, and its target."""

    picture: str
    run: StoredRun
    record: Record
    target: Stored

    @property
    def classes(self) -> list[str]:
        """The phrases or classes that are asked for, in the order of their colours."""
        return [self.record.asked[start:end] for start, end in self.record.phrases]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        width, height = self.run.image(self.picture).size
        return height, width

    def true(self, masked: bool) -> Tile:
        """The target, with things as masks if `masked`."""
        values = _values(self.target, self.run)
        drawn = drawn_true(self.target.kind, values, self.classes, self.size, masked)
        return Tile("target", "target", self.picture, "", drawn, self.size)

    def said(self, label: str, role: str, stored: Stored, note: str) -> Tile:
        """The findings of a method or a control; for phrases, together with the true boxes."""
        values = _values(stored, self.run)
        if stored.kind == "masks":
            drawn = drawn_masks(values)
        elif self.target.kind == "boxes":
            located: StoredBoxes = typed(StoredBoxes, values)
            true = typed(tuple[Corners, ...], _values(self.target, self.run))
            drawn = drawn_located(located.boxes, true)
        else:
            kind = StoredBoxes if stored.kind == "boxes" else StoredInstances
            found: StoredBoxes | StoredInstances = typed(kind, values)
            drawn = drawn_found(found, self.classes, self.size)
            if len(found.classes) > len(drawn):
                note += f" ({len(drawn)} of {len(found.classes)} drawn)"
        return Tile(label, role, self.picture, note.strip(), drawn, self.size)


def _boxed(role: str, target: Stored, said: Sequence[Stored], picture: str, run: StoredRun) -> Tile:
    """An image with the true box, dashed, and those that methods looked at."""
    boxes = [_values(one, run) for one in said if one.kind == "reasoned"]
    looked = [
        Drawn(box_outline(box), number % COLOURS, filled=False)
        for number, box in enumerate(boxes)
        if box is not None
    ]
    true = Drawn(box_outline(_values(target, run)), 0, filled=False, true=True)
    width, height = run.image(picture).size
    return Tile("input", role, picture, "", (true, *looked), (height, width))


def _values(stored: Stored, run: StoredRun) -> Any:
    """The contents of a blob of plain values."""
    assert stored.blob is not None
    return run.blobs.json(stored.blob)


def _pieces(record: Record) -> tuple[AskedPiece, ...]:
    """What was asked, cut where phrases begin and end; overlapping phrases stay uncut."""
    order = sorted(range(len(record.phrases)), key=lambda index: record.phrases[index])
    pieces, behind = [], 0
    for index in order:
        start, end = record.phrases[index]
        if start >= behind:
            pieces += [
                AskedPiece(record.asked[behind:start]),
                AskedPiece(record.asked[start:end], index % COLOURS),
            ]
            behind = end
    pieces.append(AskedPiece(record.asked[behind:]))
    return tuple(piece for piece in pieces if piece.text)


def _given(records: Sequence[Record]) -> Mapping[str, str]:
    """The images that went in, by role, none twice, "corrupted" before "input"."""
    found: dict[str, str] = {}
    roles = {role: blob for record in records for role, blob in record.pictures.items()}
    for role in sorted(roles, key=lambda role: (role != "corrupted", role != "input", role)):
        if roles[role] not in found.values():
            found[role] = roles[role]
    return found


def _output(record: Record, metric: MetricEntry) -> Tile:
    label = _label(record)
    role = "control" if record.control else "method"
    if record.status == "failed" or record.prediction.blob is None:
        return Tile(label, role, None, record.error or "no image is stored")
    return Tile(label, role, record.prediction.blob, _score(record, metric))


def _score(record: Record, metric: MetricEntry) -> str:
    return format_of(metric).with_unit(sample_value(record, metric))


def _apart(records: Sequence[Record], metric: MetricEntry) -> float:
    """How much the methods' answers to a sample differ."""
    own = [record for record in records if record.control is None]
    scores = [score for record in own if (score := sample_value(record, metric)) is not None]
    texts = {record.prediction.text for record in own if record.prediction.text}
    spread = max(scores) - min(scores) if scores else 0.0
    return spread or 1e-3 * max(0, len(texts) - 1)


def _said(record: Record, metric: MetricEntry) -> Answered:
    control = record.control is not None
    if record.status == "failed":
        return Answered(_label(record), control, "failed", None, record.error or "")
    score = record.scores.get(metric.id)
    if metric.pooling == "ratio" and metric.id in record.counts:
        score = pooled_value(metric.pooling, record.counts[metric.id])
    binary = metric.unit_range and score in (0, 1)
    right = bool(score) if binary else None
    note = "" if binary else format_of(metric).with_unit(score)
    return Answered(_label(record), control, record.prediction.text or "", right, note)


def _label(record: Record) -> str:
    if record.control is None:
        return record.method or ""
    of = f" [{record.method}]" if record.method else ""
    return readable(record.control) + of
