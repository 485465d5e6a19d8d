"""The benchmark of Visual CoT: questions with the box in which their answer is seen.

Shao et al., NeurIPS 2024, https://github.com/deepcs233/Visual-CoT.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frostbench.eval_suites.data.annotations import (
    either,
    entries,
    inside,
    read_json,
    read_lines,
    taken,
)
from frostbench.plugins.contract.datasets import DetailQuestion
from frostbench.plugins.contract.images import read_image
from frostbench.plugins.contract.requests import Box, within

BENCHMARK = ("benchmark", "viscot_benchmark/benchmark")
REQUEST = re.compile(r"\s*Please provide the bounding box.*", re.IGNORECASE | re.DOTALL)
"""The sentence that asks for a box; the benchmark's own wording is not needed to be exact."""


class VisualCotQuestions:
    """The questions of all sets (`benchmark/<set>.json` or `.jsonl`), the sets taking turns.

    An entry's images are "path" and "path###[left, top, right, bottom]", the box in pixels of the
    original image; paths are below the folder. Its conversation is the question (with a request
    for the box, which is cut off), the box, and the answer. An entry without a box that can be
    cropped is left out: docvqa has 7.

    Raises:
        ValueError: the folder lacks the benchmark, or it is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        benchmark = either(folder, BENCHMARK, "Visual CoT")
        self._files = sorted((*benchmark.glob("*.json"), *benchmark.glob("*.jsonl")))
        if not self._files:
            raise ValueError(f"{benchmark} holds no <set>.json or <set>.jsonl of Visual CoT.")

    def details(self, seed: int) -> Iterator[DetailQuestion]:
        """The questions, whatever the seed; see `DetailSource`."""
        waiting = [(path.stem, enumerate(_read(path))) for path in self._files]
        while waiting:
            left = []
            for name, questions in waiting:
                following = next(questions, None)
                if following is None:
                    continue
                left.append((name, questions))
                number, (where, entry) = following
                question = self._question(f"{name}-{number:05d}", where, entry)
                if question is not None:
                    yield question
            waiting = left

    def _question(self, name: str, where: str, entry: Any) -> DetailQuestion | None:
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
                "its box behind ###, and four turns."
            )
        path, _, written = str(images[1]).partition("###")
        image = read_image(inside(self._folder, path, where))
        box = _box(where, written)
        if not within(box, image.size):
            return None
        text = REQUEST.sub("", said[0].replace("<image>", "")).strip()
        if not text:
            raise ValueError(f"{where} asks nothing.")
        return DetailQuestion(name, image, text, (said[3].strip(),), box, path)


def _read(path: Path) -> Iterator[tuple[str, Any]]:
    return read_lines(path) if path.suffix == ".jsonl" else entries(str(path), read_json(path))


def _box(where: str, written: str) -> Box:
    numbers = re.findall(r"-?\d+(?:\.\d+)?", written)
    if len(numbers) != 4:
        raise ValueError(f"{where}: {written!r} is no box of four numbers.")
    left, top, right, bottom = map(float, numbers)
    return left, top, right, bottom
