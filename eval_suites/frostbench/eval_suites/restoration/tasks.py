"""The published tasks of the suite `restoration`."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from frostbench.eval_suites.restoration.cases import (
    Case,
    MakeCase,
    degrading,
    hiding,
    side_of,
    varying,
)
from frostbench.eval_suites.restoration.corruptions import (
    blurred,
    central_square,
    crop,
    draw_blur,
    lower_half,
)
from frostbench.eval_suites.restoration.in_context import InContext
from frostbench.eval_suites.restoration.settings import (
    ORACLE,
    DeblurringSettings,
    ReconstructionSettings,
    RestorationSettings,
    RotationSettings,
    ShiftSettings,
    reconstruction_card,
    restoration_card,
)
from frostbench.eval_suites.restoration.strengths import SEVERITIES, VARIANTS
from frostbench.plugins.contract.datasets import Cornered, ImageSet, PairSet, Widening
from frostbench.plugins.contract.images import Image, UnreadableError
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.requests import Reconstruct
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, read_or_not


class Restoration(InContext):
    """Undo one corruption as V2L-Tokenizer asks for it, in both contexts."""

    settings = RestorationSettings
    shortened_by = ("examples", "others")

    def __init__(self, settings: RestorationSettings) -> None:
        super().__init__(settings)
        self._examples = settings.examples

    def copies(self, protocol: str) -> int:
        """The published examples, which only `oracle_context` has."""
        return self._examples if protocol == ORACLE else 0


class Inpainting(Restoration):
    """The central square of half the side is mid-grey, and `hidden`."""

    card = restoration_card("inpainting", RestorationSettings())
    data = RestorationSettings().data

    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """Hide the central square."""
        return hiding(images, central_square)


class Outpainting(Restoration):
    """The lower half is mid-grey, and `hidden`."""

    card = restoration_card("outpainting", RestorationSettings())
    data = RestorationSettings().data

    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """Hide the lower half."""
        return hiding(images, lower_half)


class Deblurring(Restoration):
    """A Gaussian blur: of a width drawn for each image (`draw_blur`), of one severity, or given."""

    settings = DeblurringSettings
    asks = (ImageSet, PairSet)
    card = restoration_card("deblurring", DeblurringSettings())
    data = DeblurringSettings().data

    def __init__(self, settings: DeblurringSettings) -> None:
        super().__init__(settings)
        self._kernels, self._strengths = settings.kernels, settings.strengths

    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """Blur the images, each by its own seed, as published."""
        if protocol in SEVERITIES:
            strength = self._strengths[SEVERITIES.index(protocol)]
            return degrading(images, self.card.name, strength)

        def case(seed: int, index: int, own: int) -> Case:
            clean = images.get(seed, index)
            blur = draw_blur(own, min(clean.image.size), self._kernels)
            soft = Image(blurred(clean.image.pixels, blur), f"{clean.image.name} blurred")
            return Case(clean.image, soft, clean.cluster)

        return case


class Shift(Restoration):
    """The view of a camera that moved: new content comes in, and a part of the target is lost.

    Clean and corrupted image are two crops of a larger one, the clean one its centre.
    """

    settings = ShiftSettings
    card = restoration_card("shift", ShiftSettings())
    data = ShiftSettings().data

    def __init__(self, settings: ShiftSettings) -> None:
        super().__init__(settings)
        self._shift = settings

    @classmethod
    def suited(cls, settings: Any, data: Any) -> Any:
        """The settings as they are, if the data set can show what comes in."""
        _ = _cornered(data) if settings.to_corner else _wider(data, 0)
        return super().suited(settings, data)

    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """Move the camera by a whole number of pixels, or to the corner."""
        if self._shift.to_corner:
            return _to_corner(images, _cornered(images))
        side = side_of(_first(images))
        right, down = int(self._shift.right * side), int(self._shift.down * side)
        margin = max(right, down)
        larger = _wider(images, margin)

        def case(seed: int, index: int, own: int) -> Case:
            whole = larger.get(seed, index)
            pixels, name = whole.image.pixels, whole.image.name
            clean = Image(crop(pixels, margin, margin, side), f"{name} centre")
            moved = Image(crop(pixels, margin + down, margin + right, side), f"{name} moved")
            return Case(clean, moved, whole.cluster)

        return case


def _first(images: ImageSet) -> Image:
    """The first image that can be read; all are of one size.

    Raises:
        UnreadableError: none can.
    """
    for index in range(1 if images.size is None else images.size - 1):
        with contextlib.suppress(UnreadableError):
            return images.get(0, index).image
    return images.get(0, 0 if images.size is None else images.size - 1).image


def _wider(images: object, margin: int) -> ImageSet:
    if not isinstance(images, Widening):
        raise ValueError("shift needs a data set that can show more around its images")
    return images.wider(margin)


def _cornered(images: object) -> ImageSet:
    if not isinstance(images, Cornered):
        raise ValueError("shift to the corner needs images that are cut from longer ones")
    return images.cornered()


def _to_corner(images: ImageSet, corners: ImageSet) -> MakeCase:
    def case(seed: int, index: int, own: int) -> Case:
        clean, corner = images.get(seed, index), corners.get(seed, index)
        moved = Image(corner.image.pixels, f"{corner.image.name} bottom right")
        return Case(clean.image, moved, clean.cluster)

    return case


class Rotation(Restoration):
    """Turned counter-clockwise: by 90 degrees as published, or as the protocol says."""

    settings = RotationSettings
    card = restoration_card("rotation", RotationSettings())
    data = RotationSettings().data

    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """Turn the images."""
        return varying(images, self.card.name, self.variant(protocol))

    def variant(self, protocol: str) -> str:
        """By how many degrees the image was turned."""
        return VARIANTS[self.card.name].get(protocol, "90")


class Reconstruction(Task):
    """The image, reconstructed from the method's own visual tokens."""

    card = reconstruction_card(ReconstructionSettings())
    data = ReconstructionSettings().data
    settings = ReconstructionSettings
    asks = (ImageSet,)

    def __init__(self, settings: ReconstructionSettings) -> None:
        self.card = reconstruction_card(settings)
        self.data = settings.data

    def instances(self, data: ImageSet, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` images, those of the restorations."""
        for index in range(limit if data.size is None else min(limit, data.size)):
            name = f"{self.card.name}-{index:05d}"
            yield read_or_not(name, None, partial(self._instance, data, seed, index, name))

    def _instance(self, data: ImageSet, seed: int, index: int, name: str) -> Instance:
        clean = data.get(seed, index)
        request = Reconstruct(name, clean.image, seed_of(seed, self.card.name, index))
        return Instance(request, clean.image, None, clean.cluster)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`mean_colour`: the image's mean colour everywhere, which needs no tokens at all."""
        predictions = []
        for instance in instances:
            pixels = instance.request.image.pixels
            predictions.append(ImagePrediction(pixels.mean((1, 2), keepdim=True).expand_as(pixels)))
        return {"mean_colour": predictions}
