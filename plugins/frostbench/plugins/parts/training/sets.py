"""Data sets of a user's own as training data: images, pairs and scenes, some of them held out."""

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.contract.datasets import (
    CaptionSet,
    ImageSet,
    Narrative,
    PairSet,
    ReferredImage,
)
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.numbered import (
    GroundedSet,
)
from frostbench.plugins.contract.recipe import GroundedScene
from frostbench.plugins.contract.seeds import seed_of

HELD_OUT = 20  # one in this many samples is held out, where no set is given for validation
MOST_HELD_OUT = 1_000

T = TypeVar("T", covariant=True)


@runtime_checkable
class Listed(Protocol[T]):
    """Samples by number."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def at(self, number: int) -> T:
        """A sample."""
        ...


class Splits(Generic[T]):
    """The splits "base" and "validation" of several sets, one after another.

    Without sets for validation, one sample of 20, 1,000 at most, is held out, the same whatever
    the seed of a training.

    Raises:
        ValueError: there are too few samples to hold one out.
    """

    def __init__(self, sets: Sequence[Listed[T]], validation: Sequence[Listed[T]]) -> None:
        whole = sum(one.size for one in sets)
        self._sets = {"base": sets, "validation": validation or sets}
        self._numbers: dict[str, Sequence[int]]
        if validation:
            held = sum(one.size for one in validation)
            self._numbers = {"base": range(whole), "validation": range(held)}
            return
        held = min(MOST_HELD_OUT, max(1, whole // HELD_OUT))
        if held >= whole:
            raise ValueError(
                f"of {whole} samples none can be held out; validation.NAME=READER:FOLDER names "
                "others to measure on."
            )
        order = torch.randperm(whole, generator=torch.Generator().manual_seed(0)).tolist()
        self._numbers = {"base": sorted(order[held:]), "validation": sorted(order[:held])}

    def count(self, split: str) -> int:
        """How many samples a split has; 0 of one that is not there."""
        return len(self._numbers.get(split, ()))

    def at(self, split: str, number: int) -> T:
        """A sample of a split.

        Raises:
            LookupError: there is no such split.
        """
        if split not in self._numbers:
            raise LookupError(f"there is no split {split!r}; there are {', '.join(self._numbers)}.")
        place = self._numbers[split][number]
        ends = list(accumulate(one.size for one in self._sets[split]))
        which = bisect_right(ends, place)
        return self._sets[split][which].at(place - ([0, *ends][which]))

    def some(self, split: str, count: int, seed: int) -> list[int]:
        """Numbers of `count` samples of a split, drawn by the seed."""
        draw = torch.Generator().manual_seed(seed)
        return torch.randint(self.count(split), (count,), generator=draw).tolist()


class OfImages:
    """The images of an `ImageSet`.

    Raises:
        ValueError: it has no end.
    """

    def __init__(self, images: ImageSet) -> None:
        if images.size is None:
            raise ValueError("images that are made without end are no set to train on.")
        self.size, self._images = images.size, images

    def at(self, number: int) -> Image:
        """An image."""
        return self._images.get(0, number).image


class OfCaptions:
    """The images of a `CaptionSet`, without their captions."""

    def __init__(self, captions: CaptionSet) -> None:
        self._captioned = captions.captioned()
        self.size = len(self._captioned)

    def at(self, number: int) -> Image:
        """An image."""
        return self._captioned[number].image


class OfPairs:
    """The pairs of a `PairSet`."""

    def __init__(self, pairs: PairSet) -> None:
        self._pairs = pairs.pairs()
        self.size = len(self._pairs)

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        """Degraded and clean pixels."""
        pair = self._pairs[number]
        return pair.degraded.pixels, pair.clean.pixels


class OfGrounded:
    """The samples of a `GroundedSet`."""

    def __init__(self, grounded: GroundedSet) -> None:
        self.size, self.at = grounded.size, grounded.grounded


class SetImages:
    """`NumberedImages` of data sets, all of one size.

    With a `crop`, images may have any size: the shorter side becomes this many pixels, and a square
    is cut out where the seed says, or, from held-out images, at the centre.
    """

    def __init__(self, splits: Splits[Image], crop: int = 0) -> None:
        self._splits, self._crop = splits, crop
        self._size = (crop, crop) if crop else splits.at("base", 0).size

    def count(self, split: str) -> int:
        """How many images a split has."""
        return self._splits.count(split)

    def image(self, split: str, number: int, seed: int) -> Float[Tensor, "3 h w"]:
        """An image of a split.

        Raises:
            ValueError: it cannot be read, or has another size than the first.
        """
        image = self._splits.at(split, number)
        if self._crop:
            return cropped(image.pixels, self._crop, seed if split == "base" else None)
        if image.size != self._size:
            (height, width), (high, wide) = image.size, self._size
            raise ValueError(
                f"{image.name} has {width} x {height} pixels, and another {wide} x {high}; "
                "data.NAME.side=128 or crop=128 cuts squares of one size."
            )
        return image.pixels

    def batch(self, split: str, count: int, seed: int) -> Float[Tensor, "{count} 3 h w"]:
        """`count` images of a split, drawn by the seed."""
        drawn = self._splits.some(split, count, seed)
        return torch.stack([self.image(split, number, seed) for number in drawn])


def cropped(
    pixels: Float[Tensor, "3 h w"], side: int, seed: int | None
) -> Float[Tensor, "3 {side} {side}"]:
    """A square cut where the seed says from an image whose shorter side becomes `side`.

    Without a seed it is the centre.
    """
    height, width = pixels.shape[1:]
    scale = side / min(height, width)
    rows, columns = (max(side, round(edge * scale)) for edge in (height, width))
    resized = functional.interpolate(
        pixels[None], (rows, columns), mode="bilinear", antialias=True, align_corners=False
    )[0].clamp(0, 1)
    top, left = (rows - side) // 2, (columns - side) // 2
    if seed is not None:
        draw = random.Random(seed_of("crop", seed))
        top, left = draw.randint(0, rows - side), draw.randint(0, columns - side)
    return resized[:, top : top + side, left : left + side]


class SetPairs:
    """`NumberedPairs` of data sets, whose files say how they were degraded."""

    def __init__(self, splits: Splits[tuple[Tensor, Tensor]]) -> None:
        self._splits = splits

    def variants(self, corruption: str) -> Sequence[str]:
        """A single variant of each corruption: that of the files."""
        return ("",)

    def count(self, split: str) -> int:
        """How many pairs a split has."""
        return self._splits.count(split)

    def pair(
        self, corruption: str, split: str, number: int, seed: int, variant: str = ""
    ) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "3 h w"]]:
        """A pair of a split; the corruption's name is ignored."""
        return self._splits.at(split, number)

    def batch(
        self, corruption: str, split: str, count: int, seed: int, variant: str = ""
    ) -> tuple[Float[Tensor, "{count} 3 h w"], Float[Tensor, "{count} 3 h w"]]:
        """`count` pairs of a split, drawn by the seed."""
        drawn = [self._splits.at(split, one) for one in self._splits.some(split, count, seed)]
        degraded, clean = zip(*drawn, strict=True)
        return torch.stack(degraded), torch.stack(clean)


class SetScenes:
    """`NumberedScenes` of data sets of expressions and narratives."""

    def __init__(self, splits: Splits[ReferredImage | Narrative]) -> None:
        self._splits = splits

    def count(self, split: str) -> int:
        """How many scenes a split has."""
        return self._splits.count(split)

    def scene(self, split: str, number: int, seed: int) -> GroundedScene:
        """A narrative with its phrases, or one expression for each referent of an image."""
        found = self._splits.at(split, number)
        if isinstance(found, Narrative):
            return GroundedScene(found.image.pixels, found.text, found.phrases, (), found.masks)
        draw = random.Random(seed_of("expressions", split, number, seed))
        expressions = tuple(draw.choice(one.sentences) for one in found.referents)
        masks = torch.stack([one.mask for one in found.referents])
        return GroundedScene(found.image.pixels, "", (), expressions, masks)

    def batch(self, split: str, count: int, seed: int) -> list[GroundedScene]:
        """`count` scenes of a split, drawn by the seed."""
        drawn = self._splits.some(split, count, seed)
        return [self.scene(split, number, seed) for number in drawn]


KINDS: Sequence[tuple[type[Any], str, Callable[[Any], Listed[Any]]]] = (
    (ImageSet, "images", OfImages),
    (CaptionSet, "images", OfCaptions),
    (PairSet, "pairs", OfPairs),
    (GroundedSet, "grounded", OfGrounded),
)
MAKERS: Mapping[str, Callable[[Splits[Any]], object]] = {
    "images": SetImages,
    "pairs": SetPairs,
    "grounded": SetScenes,
}


def readers_of(opened: object) -> tuple[str, Callable[[Any], Listed[Any]]] | None:
    """The recipes' name for a data set's samples, and what lists them; None if no recipe can."""
    for protocol, what, wrap in KINDS:
        if isinstance(opened, protocol):
            return what, wrap
    return None
