"""The pictures of the methods' pages, drawn from a run of the pack `mini`.

    python -m docs_site.pictures RUN [OUT]

reads the images, words, masks and boxes that the run kept, and writes a `method-NAME.webp` for each
to `docs/pictures`. Nothing is computed again; which sample of a task is shown is fixed.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image as Pillow

from docs_site.page import DOCS
from frostbench.bench.store.masks import masks_of
from frostbench.bench.store.reader import StoredRun, open_run
from frostbench.bench.store.records import Record

PANEL = 2.4  # inches
DENSITY = 130  # pixels an inch
MOST_BOXES = 4
COLOURS = ("#d81b60", "#1e88e5", "#ffc107", "#004d40", "#8e24aa")


def main(run: Path, out: Path) -> None:
    """Draw every method's picture."""
    stored = open_run(run)
    records = [one for one in stored.records() if one.pictures and one.control is None]
    drawn: dict[str, Callable[[StoredRun, list[Record]], Figure]] = {
        **{name: _words(name, layers) for name, layers in GRIDS.items()},
        "lm4lv": _restored,
        "flmm": _masks,
        "visionllm": _boxes,
    }
    for name, draw in drawn.items():
        figure = draw(stored, records)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        path = out / f"method-{name}.webp"
        Pillow.fromarray(np.ascontiguousarray(pixels)).save(path, quality=82, method=6)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


GRIDS = {
    "vqgan": ("local",),
    "lqae": ("local",),
    "v2l": ("global", "local"),
    "spae": ("pyramid/1", "pyramid/2", "pyramid/3"),
}
"""Which of a method's words its picture shows, in that order."""


def _words(name: str, layers: Sequence[str]) -> Callable[[StoredRun, list[Record]], Figure]:
    """The image, its words, and what the method makes of them."""

    def draw(run: StoredRun, records: list[Record]) -> Figure:
        one = _sample(records, name, "reconstruction", number=1)
        wide = [1.9 if len(one.words[layer][0]) > 4 else 1.0 for layer in layers]
        figure, panels = _panels([1.0, *wide, 1.0])
        _show(next(panels), run.blobs.image(one.pictures["input"]), "image")
        for layer in layers:
            _grid(next(panels), one.words[layer], layer)
        _show(next(panels), run.blobs.image(str(one.prediction.blob)), "reconstruction")
        return figure

    return draw


def _restored(run: StoredRun, records: list[Record]) -> Figure:
    """A noisy image, what the two trainings make of it, and the clean one."""
    plain = _sample(records, "lm4lv", "denoising", "moderate")
    lora = _sample(records, "lm4lv_lora", "denoising", "moderate")
    figure, panels = _panels([1.0] * 4)
    _show(next(panels), run.blobs.image(plain.pictures["corrupted"]), "noisy")
    _show(next(panels), run.blobs.image(str(plain.prediction.blob)), "lm4lv")
    _show(next(panels), run.blobs.image(str(lora.prediction.blob)), "lm4lv_lora")
    _show(next(panels), run.blobs.image(str(plain.target.blob)), "clean")
    return figure


def _masks(run: StoredRun, records: list[Record]) -> Figure:
    """An image with a narrative, the masks of its phrases, and the true ones."""
    one = _sample(records, "flmm", "narrative_grounding")
    image = run.blobs.image(one.pictures["input"])
    phrases = [one.asked[start:end] for start, end in one.phrases]
    figure, panels = _panels([1.0] * 3, 0.25 * len(phrases))
    _show(next(panels), image, "image")
    for values, title in ((one.prediction, "found"), (one.target, "true")):
        encoded = run.blobs.json(str(values.blob))
        masks = masks_of(encoded["masks"] if isinstance(encoded, dict) else encoded).numpy()
        axes = next(panels)
        _show(axes, image, title)
        for number, mask in enumerate(masks):
            colour = to_rgba(COLOURS[number % len(COLOURS)], 0.6)
            axes.imshow(mask[..., None] * np.array(colour), interpolation="nearest")
    for number, phrase in enumerate(phrases):
        figure.text(
            0.5, 0.02 + 0.07 * (len(phrases) - 1 - number), phrase,
            ha="center", size=9, color="white", bbox=_label(COLOURS[number % len(COLOURS)]),
        )  # fmt: skip
    return figure


def _boxes(run: StoredRun, records: list[Record]) -> Figure:
    """An image, the best boxes with classes and scores, and the true ones."""
    one = _sample(records, "visionllm", "object_detection", "all_classes", 1)
    image = run.blobs.image(one.pictures["input"])
    found, true = (run.blobs.json(str(it.blob)) for it in (one.prediction, one.target))
    order = np.argsort(found["scores"])[::-1][:MOST_BOXES]
    figure, panels = _panels([1.0] * 3)
    _show(next(panels), image, "image")
    axes = next(panels)
    _show(axes, image, f"the {len(order)} likeliest boxes")
    for place in order:
        text = f"{found['classes'][place]} {found['scores'][place]:.2f}"
        _box(axes, found["boxes"][place], text, COLOURS[0])
    axes = next(panels)
    _show(axes, image, "true")
    for thing in true["things"]:
        _box(axes, thing["box"], thing["name"], COLOURS[1])
    return figure


def _sample(
    records: list[Record], method: str, task: str, protocol: str | None = None, number: int = 0
) -> Record:
    """A kept sample of a method's task, by its place among them."""
    found = [
        one
        for one in records
        if (one.method, one.task) == (method, task) and protocol in (None, one.protocol)
    ]
    return sorted(found, key=lambda one: one.sample)[number]


def _panels(widths: Sequence[float], more: float = 0.0) -> tuple[Figure, Iterator[Any]]:
    """A figure of panels side by side, so many times as wide as high, and inches more below."""
    height = PANEL + 0.3 + more
    figure = Figure(figsize=(PANEL * sum(widths), height), dpi=DENSITY, facecolor="white")
    panels = figure.subplots(1, len(widths), width_ratios=widths)
    figure.subplots_adjust(
        left=0.01, right=0.99, wspace=0.04, bottom=(0.03 + more) / height, top=1 - 0.3 / height
    )
    return figure, iter(panels)


def _show(axes: Any, image: Pillow.Image, title: str) -> None:
    axes.imshow(np.asarray(image.convert("RGB")), interpolation="nearest")
    axes.set_title(title, size=10)
    axes.set_axis_off()


def _grid(axes: Any, words: Sequence[Sequence[str]], title: str) -> None:
    """Words in their grid; a single row of many as a list."""
    axes.set_title(title, size=10)
    axes.set_xticks([])
    axes.set_yticks([])
    rows = words if len(words) > 1 or len(words[0]) == 1 else _in_columns(words[0])
    across = max(map(len, rows))
    axes.set_xlim(0, across)
    axes.set_ylim(len(rows), 0)
    points = axes.get_position().width * axes.figure.get_figwidth() * 72 / across
    for y, row in enumerate(rows):
        for x, word in enumerate(row):
            text = _readable(word)
            size = min(10.0, points / (0.62 * max(4, len(text))))
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", size=size)
    if len(words) > 1:
        axes.hlines(range(1, len(rows)), 0, across, color="0.85", lw=0.5)
        axes.vlines(range(1, across), 0, len(rows), color="0.85", lw=0.5)


def _in_columns(words: Sequence[str], across: int = 2) -> list[Sequence[str]]:
    return [words[start : start + across] for start in range(0, len(words), across)]


def _readable(word: str) -> str:
    """A word in signs that the picture's font has, without `$`, which begins mathematics."""
    return "".join(
        sign if sign.isprintable() and sign not in "$\ufffd" else "·" for sign in word.strip()
    )


def _box(axes: Any, box: Sequence[float], text: str, colour: str) -> None:
    left, top, right, bottom = box
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, lw=1.6)
    )
    axes.text(max(left, 0), max(top, 4), text, size=6.5, color="white", bbox=_label(colour))


def _label(colour: str) -> dict[str, Any]:
    dark = "#8a6d00" if colour == "#ffc107" else colour
    return {"facecolor": dark, "edgecolor": "none", "pad": 1.2}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else DOCS / "pictures")
