"""A comparison in the terminal."""

from collections.abc import Iterator, Sequence

from PIL import Image as Pillow
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from frostbench.bench.comparison.build import RunComparison
from frostbench.bench.comparison.contrast import Contrast
from frostbench.bench.comparison.exhibits import Exhibit, Exhibition, cases
from frostbench.bench.comparison.sentences import difference_cells, drift, spent, verdict
from frostbench.bench.comparison.sources import gathered
from frostbench.bench.leaderboard.markdown import arrow
from frostbench.bench.leaderboard.numbers import readable
from frostbench.bench.printable import brief, printable
from frostbench.bench.store.reader import StoredRun

STYLES = {"better": "green", "worse": "red", "tied": "", "same": "dim", "apart": "dim"}
CONTRASTS, EACH = 4, 2  # contrasts with samples shown, and samples of each
MOST_ROWS = 8  # of a subject
PIXELS = 28  # of a thumbnail's side


def blocks(comparison: RunComparison, coloured: bool) -> Iterator[RenderableType]:
    """Everything to print, block by block; images where there are colours."""
    for letter, name, run in zip("AB", comparison.names, comparison.runs, strict=True):
        manifest = run.manifest
        when = (manifest.finished or manifest.created)[:16].replace("T", " ")
        yield _text(f"{letter}  {name}: {manifest.status} {when}, frostbench {manifest.frostbench}")
    yield Text()
    if comparison.subjects:
        yield _sources(comparison)
    else:
        yield Text(
            "The manifests do not differ: settings, versions, code, weights, "
            "data, seed and machine are the same."
        )
    yield Text()
    yield Text(verdict(comparison))
    yield Text(drift(comparison))
    shown = [one for one in comparison.contrasts if one.outcome not in ("same", "apart")]
    if shown:
        yield Text()
        yield _contrasts(shown)
    yield from _unpaired(comparison)
    costs = list(spent(comparison))
    if costs:
        yield Text()
        yield _costs(comparison)
    for case in cases(comparison, CONTRASTS, EACH):
        yield Text()
        yield from _case(case, comparison.runs, coloured)


def _sources(comparison: RunComparison) -> RichTable:
    table = _table("what differs", "", "A", "B")
    for subject in comparison.subjects:
        rows = list(gathered(subject))
        for number, row in enumerate(rows[:MOST_ROWS]):
            table.add_row(_text("" if number else subject.name), *map(_text, row))
        if rows[MOST_ROWS:]:
            table.add_row("", f"and {len(rows) - MOST_ROWS} more, which out=FOLDER lists")
    return table


def _contrasts(shown: Sequence[Contrast]) -> RichTable:
    table = _table("", "method", "metric", "A", "B", "B − A", "p", "", "samples", "differ")
    for column in table.columns[3:5]:
        column.justify = "right"
    for one in shown:
        metric, unit = one.metric, one.form.unit
        turn = "" if metric.direction == "neither" else f" {arrow(metric.higher_is_better)}"
        style = STYLES[one.outcome]
        table.add_row(
            _text(readable(one.spot.place)),
            _text(one.spot.label),
            _text(f"{metric.id}{turn}" + (f", {unit}" if unit else "")),
            *(Text(cell, style) for cell in difference_cells(one)),
            Text(str(one.samples)),
            Text(str(len(one.changed))),
        )
    return table


def _unpaired(comparison: RunComparison) -> Iterator[Text]:
    """Why some rows are not compared, each reason once."""
    reasons: dict[str, list[str]] = {}
    for one in comparison.contrasts:
        if one.reason:
            reasons.setdefault(one.reason, []).append(readable(one.spot.place))
    for reason, places in reasons.items():
        yield _text(f"{', '.join(dict.fromkeys(places))}: {reason}")


def _costs(comparison: RunComparison) -> RichTable:
    heads = ("seconds a sample", "prompt tokens", "generated tokens")
    table = _table("cost", *(f"{head}, {letter}" for head in heads for letter in "AB"))
    for one in spent(comparison):
        pairs = (one.seconds, one.prompt_tokens, one.generated_tokens)
        table.add_row(_text(one.method), *(Text(side) for pair in pairs for side in pair))
    return table


def _case(case: Exhibition, runs: Sequence[StoredRun], coloured: bool) -> Iterator[RenderableType]:
    spot = case.contrast.spot
    yield _text(f"{readable(spot.place)}, {spot.label}: where the two differ most", "bold")
    for exhibit in case.exhibits:
        a, b = exhibit.sides
        right = f", right: {exhibit.target!r}" if exhibit.target else ""
        said = f", {a.text!r} and {b.text!r}{right}" if a.text or b.text else ""
        yield _text(f"  {exhibit.sample}: {a.score} and {b.score}{said}")
        if coloured and exhibit.tiles:
            yield _images(exhibit, runs)


def _images(exhibit: Exhibit, runs: Sequence[StoredRun]) -> RichTable:
    """Images side by side, two pixels to a character."""
    table = RichTable(box=None, padding=(0, 2, 0, 2), pad_edge=False)
    cells = []
    sided = [("A", exhibit.sides[0].tile, runs[0]), ("B", exhibit.sides[1].tile, runs[1])]
    for label, tile, run in [*((t.label, t, runs[0]) for t in exhibit.given), *sided]:
        if tile is not None and tile.picture is not None:
            table.add_column(_text(label, "dim"))
            cells.append(halves(run.image(tile.picture)))
    table.add_row(*cells)
    return table


def halves(picture: Pillow.Image) -> Text:
    """An image in half blocks: the upper pixel is the ink, the lower one the paper."""
    small = picture.copy()
    small.thumbnail((PIXELS, PIXELS))
    width, height = small.size
    text = Text()
    for top in range(0, height - 1, 2):
        for column in range(width):
            ink, paper = (small.getpixel((column, top + row)) for row in (0, 1))
            text.append("▀", f"{_hex(ink)} on {_hex(paper)}")
        text.append("\n")
    text.rstrip()
    return text


def _hex(pixel: object) -> str:
    assert isinstance(pixel, tuple)
    return "#{:02x}{:02x}{:02x}".format(*pixel[:3])


def _table(*heads: str) -> RichTable:
    table = RichTable(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    return table


def _text(said: str, style: str = "") -> Text:
    return Text(printable(brief(said)), style)
