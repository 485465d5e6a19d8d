"""Words in the terminal: a grid over the image's colours, a pyramid, a ranked list."""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text
from torch import Tensor
from torch.nn import functional

from frostbench.bench.leaderboard.words import Layer, PartWords, legible
from frostbench.bench.look.image import Seen
from frostbench.bench.look.reading import Look
from frostbench.bench.printable import printable

ELLIPSIS = "…"
BRIGHT = 0.45  # share of white: the luma above which words on a colour are black


def show(console: Console, seen: Seen, readings: Sequence[Look]) -> None:
    """Print the words of one image.

    In a terminal words are cut to its width and lie on the image's colours; elsewhere they are
    plain text, and whole.
    """
    if console.is_terminal:
        for line in lines(seen, readings, console.width):
            console.print(line)
    else:
        for line in lines(seen, readings, None):
            console.print(line.plain.rstrip(), markup=False, soft_wrap=True)


def lines(seen: Seen, readings: Sequence[Look], width: int | None) -> Iterator[Text]:
    """All lines; rows of words are no wider than `width` where there is one."""
    height, across = seen.image.size
    name = "" if seen.title == seen.image.name else f"{seen.image.name}, "
    yield _text(seen.title, "bold").append(
        printable(f"  {name}{across} × {height} pixels"), "dim not bold"
    )
    for reading in readings:
        yield Text()
        yield from _of_method(reading, seen.image.pixels, width)


def _text(said: str, style: str = "") -> Text:
    return Text(printable(said), style)


def _of_method(reading: Look, pixels: Float[Tensor, "3 h w"], width: int | None) -> Iterator[Text]:
    yield _text(reading.method, "bold").append(printable(f"  {reading.summary}"), "dim not bold")
    made = reading.reconstruction
    again = f"PSNR of its reconstruction {made.decibels:.2f} dB" if made else reading.reason
    yield _text(f"{reading.amount}; {again}")
    for note in reading.notes:
        yield _text(f"note: {note}")
    for words in reading.words:
        yield Text()
        yield from _of_part(words, pixels, width)


def _of_part(words: PartWords, pixels: Float[Tensor, "3 h w"], width: int | None) -> Iterator[Text]:
    match words.form:
        case "ranked":
            yield _text(f"{words.part}: {len(words)} words, the most fitting first", "italic")
            yield from _ranked(words, width)
        case "sentences":
            yield _text(f"{words.part}: {len(words)} sentences, the most fitting first", "italic")
            for rank, token in enumerate(words.ranked, start=1):
                yield Text(f"{rank} ", "dim").append(legible(token.word), "not dim")
        case "grid":
            yield _text(f"{words.part}: {words.layers[0].size} words", "italic")
            yield from _grid(words.layers[0], pixels, width)
        case "pyramid":
            yield _text(f"{words.part}: {len(words.layers)} layers, {len(words)} words", "italic")
            blocks = [list(_grid(layer, pixels, width)) for layer in words.layers]
            widest = max(line.cell_len for block in blocks for line in block)
            for layer, block in zip(words.layers, blocks, strict=True):
                yield _text(layer.size.center(widest).rstrip(), "dim")
                for line in block:
                    line.pad_left((widest - line.cell_len) // 2)
                    yield line


def _grid(layer: Layer, pixels: Float[Tensor, "3 h w"], width: int | None) -> Iterator[Text]:
    """Columns of one width, a blank on either side of each word."""
    longest = max(cell_len(legible(token.word)) for token in layer.tokens)
    fits = longest if width is None else min(longest, max(1, width // layer.columns - 2))
    colours = functional.adaptive_avg_pool2d(pixels[None], (len(layer.rows), layer.columns))[0]
    for y, row in enumerate(layer.rows):
        line = Text(no_wrap=True, overflow="crop")
        for x, token in enumerate(row):
            style = _on(colours[:, y, x].tolist())
            line.append(f" {set_cell_size(_cut(legible(token.word), fits), fits)} ", style)
        yield line


def _ranked(words: PartWords, width: int | None) -> Iterator[Text]:
    """Numbered words in columns, row by row."""
    digits = len(str(len(words)))
    room = max(1, (width or 80) - digits - 3)
    shown = [_cut(legible(token.word), room) for token in words.ranked]
    longest = max(map(cell_len, shown))
    columns = max(1, (width or 80) // (digits + longest + 3))
    for first in range(0, len(shown), columns):
        line = Text()
        for rank, word in enumerate(shown[first : first + columns], start=first + 1):
            line.append(f"{rank:>{digits}} ", "dim")
            line.append(f"{set_cell_size(word, longest)}  ")
        line.rstrip()
        yield line


def _cut(word: str, width: int) -> str:
    """The word, or as much of it as fits, with an ellipsis."""
    return word if cell_len(word) <= width else set_cell_size(word, width - 1) + ELLIPSIS


def _on(colour: list[float]) -> Style:
    red, green, blue = colour
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return Style(
        color="black" if luma > BRIGHT else "bright_white",
        bgcolor=Color.from_rgb(*(round(255 * part) for part in colour)),
    )
