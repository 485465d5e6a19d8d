"""The benchmark of Visual CoT: questions, each with the box that shows its answer.

Shao et al., NeurIPS 2024, https://github.com/deepcs233/Visual-CoT.
"""

import copy
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from frostbench.eval_suites.data.annotations import (
    either,
    entries,
    inside,
    parsed,
    read_json,
    taken,
    text_lines,
)
from frostbench.eval_suites.data.sound import OneByOne
from frostbench.plugins.contract.datasets import DetailQuestion
from frostbench.plugins.contract.images import read_image
from frostbench.plugins.contract.requests import Box, within
from frostbench.plugins.host.errors import UserNote
from frostbench.plugins.host.litter import files_like

BENCHMARK = ("benchmark", "viscot_benchmark/benchmark")
REQUEST = re.compile(r"\s*Please provide the bounding box.*", re.IGNORECASE | re.DOTALL)
"""The sentence that asks for a box, in about the benchmark's own wording."""


class VisualCotQuestions:
    """The questions of all sets (`benchmark/<set>.json` or `.jsonl`), the sets taking turns.

    An entry's images are "path" and "path###[left, top, right, bottom]", the box in pixels of the
    original image; paths are below the folder. Its conversation is the question (with a request
    for the box, which is cut off), the box, and the answer. A box is cut off at the edge of its
    image; an entry whose box lies outside is left out with a warning: docvqa has 7.

    Raises:
        ValueError: the folder lacks the benchmark, or it is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        benchmark = either(folder, BENCHMARK, "Visual CoT")
        self._files = sorted((*files_like(benchmark, "*.json"), *files_like(benchmark, "*.jsonl")))
        if not self._files:
            raise ValueError(f"{benchmark} holds no <set>.json or <set>.jsonl of Visual CoT.")

    def details(self, seed: int) -> Iterator[DetailQuestion]:
        """The questions, whatever the seed; see `DetailSource`."""
        turns = enumerate(zip_longest(*map(_read, self._files)))
        return OneByOne(
            partial(self._question, f"{path.stem}-{number:05d}", *entry)
            for number, turn in turns
            for path, entry in zip(self._files, turn, strict=True)
            if entry is not None
        )

    def _question(self, name: str, where: str, read: Callable[[], Any]) -> DetailQuestion | None:
        entry = read()
        images = taken(where, entry, "image", list)
        said = [
            taken(place, turn, "value", str)
            for place, turn in entries(
                f"{where}, conversations", taken(where, entry, "conversations", list)
            )
        ]
        if len(images) != 2 or "###" not in str(images[1]) or len(said) < 4:
            raise ValueError(
                f"{where} is no question of Visual CoT: it needs two images, the second with "
                "its box after ###, and four turns."
            )
        path, _, written = str(images[1]).partition("###")
        image = read_image(inside(self._folder, path, where))
        box = _inside(_box(where, written), image.size)
        if not within(box, image.size):
            warnings.warn(
                f"{where} is left out: nothing of {path} lies in its box {written}.",
                UserNote,
                stacklevel=2,
            )
            return None
        text = REQUEST.sub("", said[0].replace("<image>", "")).strip()
        if not text:
            raise ValueError(f"{where} asks nothing.")
        return DetailQuestion(name, image, text, (said[3].strip(),), box, path)


def _read(path: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The place of each entry, and the function that reads it."""
    if path.suffix == ".jsonl":
        yield from ((where, partial(parsed, where, line)) for where, line in text_lines(path))
    else:
        for where, entry in entries(str(path), read_json(path)):
            yield where, partial(copy.copy, entry)


def _box(where: str, written: str) -> Box:
    numbers = re.findall(r"-?\d+(?:\.\d+)?", written)
    if len(numbers) != 4:
        raise ValueError(f"{where}: {written!r} is no box of four numbers.")
    left, top, right, bottom = map(float, numbers)
    return left, top, right, bottom


def _inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box within an image: published boxes reach a pixel beyond it."""
    (left, top, right, bottom), (height, width) = box, size
    return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
