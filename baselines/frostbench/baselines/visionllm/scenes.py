"""Training scenes of VisionLLM, made once and stored in files with a byte a value."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from frostbench.baselines.visionllm.contours import contour
from frostbench.plugins.contract.recipe import NamedScene, NamedScenes

SEEDS = 1_000_003  # distance between the scenes of two trainings with neighbouring seeds
TOGETHER = 32  # scenes in a file
FINE = 96  # points of the contours that are kept


@dataclass(frozen=True, eq=False)
class ShownScene:
    """A scene; `boxes` are (left, top, right, bottom) in parts of the image."""

    pixels: UInt8[Tensor, "3 h w"]
    names: tuple[str, ...]
    boxes: Float[Tensor, "n 4"]
    masks: Bool[Tensor, "n h w"]
    expressions: tuple[str, ...]
    caption: str
    questions: tuple[tuple[str, tuple[str, ...]], ...]

    @cached_property
    def contours(self) -> Float[Tensor, "n fine 2"]:
        """Fine contours of everything, in parts of the image."""
        height, width = self.masks.shape[1:]
        fine = torch.stack([contour(mask, FINE) for mask in self.masks])
        return fine / torch.tensor([width, height])


class ScenePool:
    """`total` scenes of a split, used again and again, and drawn when first needed.

    What a step gets depends on the step, the count and the seed alone.
    """

    def __init__(
        self, scenes: NamedScenes, split: str, total: int, seed: int, folder: Path
    ) -> None:
        self._scenes, self._split, self._first = scenes, split, seed * SEEDS
        self._total, self._folder = total, folder
        self._kept: dict[int, list[ShownScene]] = {}

    def __call__(self, step: int, count: int) -> list[ShownScene]:
        """The `count` scenes of a step."""
        places = [(step * count + i) % self._total for i in range(count)]
        return [self._file(place // TOGETHER)[place % TOGETHER] for place in places]

    def _file(self, number: int) -> list[ShownScene]:
        if number not in self._kept:
            path = self._folder / f"{self._split}-{self._first + number}.pt"
            if not path.is_file():
                drawn = self._scenes.batch(self._split, TOGETHER, self._first + number)
                _write(path, [asdict(_shown(scene)) for scene in drawn])
            self._kept[number] = [ShownScene(**one) for one in torch.load(path, weights_only=True)]
        return self._kept[number]


def images_of(scenes: Sequence[ShownScene], device: torch.device | str) -> Float[Tensor, "b 3 h w"]:
    """The images of scenes of one size, with values in [0, 1]."""
    return torch.stack([scene.pixels for scene in scenes]).to(device).float() / 255


def _write(path: Path, scenes: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    torch.save(scenes, temporary)
    os.replace(temporary, path)


def _shown(scene: NamedScene) -> ShownScene:
    pixels = torch.as_tensor(scene.pixels)
    height, width = pixels.shape[1:]
    sides = torch.tensor([width, height, width, height])
    return ShownScene(
        (pixels * 255).round().to(torch.uint8),
        scene.names,
        torch.as_tensor(scene.boxes, dtype=torch.float32) / sides,
        torch.as_tensor(scene.masks),
        scene.expressions,
        scene.caption,
        scene.questions,
    )
