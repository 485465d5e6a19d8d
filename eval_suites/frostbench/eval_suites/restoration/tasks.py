"""The tasks of the suite `restoration`."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from jaxtyping import Bool
from torch import Tensor

from frostbench.eval_suites.restoration.corruptions import (
    blurred,
    central_square,
    crop,
    draw_blur,
    lower_half,
    rotated,
)
from frostbench.eval_suites.restoration.pictures import Examples, Pictures
from frostbench.eval_suites.restoration.settings import (
    DeblurringSettings,
    ReconstructionSettings,
    RestorationSettings,
    ShiftSettings,
    reconstruction_card,
    restoration_card,
)
from frostbench.eval_suites.seeds import seed_of
from frostbench.plugins.hiding import hide
from frostbench.plugins.images import Image
from frostbench.plugins.predictions import ImagePrediction, Prediction
from frostbench.plugins.requests import (
    HeldOutContext,
    OracleContext,
    Reconstruct,
    Restore,
    RestoredPair,
)
from frostbench.plugins.task import Instance, Task


@dataclass(frozen=True)
class Case:
    """A clean picture, its corrupted one, and which of its pixels are hidden (None: none is)."""

    clean: Image
    corrupted: Image
    cluster: str
    hidden: Bool[Tensor, "h w"] | None = None


MakeCase: TypeAlias = Callable[[int, int, int], Case]
"""From a seed and a number of the data set, and a seed for the corruption, to a case."""


class Restoration(Task):
    """Undo one corruption, in both protocols on the same pictures.

    What a query is corrupted with is drawn from (seed, task, number of the query) alone, and what
    an example is corrupted with from (seed, task, number of the example).
    """

    settings: ClassVar[type[RestorationSettings]] = RestorationSettings
    shortened_by = ("examples",)

    def __init__(self, settings: RestorationSettings) -> None:
        self._settings = settings
        self.card = restoration_card(type(self).card.name, settings)
        self.data = settings.data

    @abstractmethod
    def cases(self, pictures: Pictures) -> MakeCase:
        """How cases are made of a data set; the same for the same arguments."""

    def instances(self, data: Pictures, limit: int, seed: int) -> Iterator[Instance]:
        """At most `limit` pictures for each protocol, one protocol after the other."""
        case_of = self.cases(data)
        examples = Examples(data, self._settings.pool, seed)
        for protocol in self._settings.protocols:
            for index in range(limit):
                own = seed_of(seed, self.card.name, index)
                case = case_of(seed, index, own)
                context: OracleContext | HeldOutContext
                if protocol == "oracle_context":
                    context = OracleContext(case.clean, self._settings.examples)
                else:
                    numbers = examples.choose(case.cluster, self._settings.examples, own)
                    context = HeldOutContext(self._pairs(case_of, examples.seed, numbers))
                request = Restore(
                    id=f"{self.card.name}-{index:05d}",
                    image=case.corrupted,
                    corruption=self.card.name,
                    context=context,
                    hidden=case.hidden,
                    seed=own,
                )
                yield Instance(request, case.clean, protocol, case.cluster)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`copy`: the corrupted picture as it came; hidden pixels are mid-grey."""
        return {"copy": [ImagePrediction(instance.request.image.pixels) for instance in instances]}

    def _pairs(
        self, case_of: MakeCase, seed: int, numbers: Sequence[int]
    ) -> tuple[RestoredPair, ...]:
        cases = [case_of(seed, n, seed_of(seed, self.card.name, "example", n)) for n in numbers]
        return tuple(RestoredPair(case.corrupted, case.clean) for case in cases)


class Inpainting(Restoration):
    """The central square of half the side is mid-grey, and `hidden`."""

    card = restoration_card("inpainting", RestorationSettings())
    data = RestorationSettings().data

    def cases(self, pictures: Pictures) -> MakeCase:
        """Hide the central square."""
        return _hiding(pictures, central_square)


class Outpainting(Restoration):
    """The lower half is mid-grey, and `hidden`."""

    card = restoration_card("outpainting", RestorationSettings())
    data = RestorationSettings().data

    def cases(self, pictures: Pictures) -> MakeCase:
        """Hide the lower half."""
        return _hiding(pictures, lower_half)


class Deblurring(Restoration):
    """A Gaussian blur whose width is drawn for each picture; see `draw_blur`."""

    settings = DeblurringSettings
    card = restoration_card("deblurring", DeblurringSettings())
    data = DeblurringSettings().data

    def __init__(self, settings: DeblurringSettings) -> None:
        super().__init__(settings)
        self._kernels = settings.kernels

    def cases(self, pictures: Pictures) -> MakeCase:
        """Blur the picture, each by its own seed."""

        def case(seed: int, index: int, own: int) -> Case:
            clean = pictures.get(seed, index)
            blur = draw_blur(own, min(clean.image.size), self._kernels)
            soft = Image(blurred(clean.image.pixels, blur), f"{clean.image.name} blurred")
            return Case(clean.image, soft, clean.cluster)

        return case


class Shift(Restoration):
    """What a camera sees that moved; real content comes in, and some of the target is lost.

    Clean and corrupted picture are two crops of a larger one, the clean one its centre.
    """

    settings = ShiftSettings
    card = restoration_card("shift", ShiftSettings())
    data = ShiftSettings().data

    def __init__(self, settings: ShiftSettings) -> None:
        super().__init__(settings)
        self._right, self._down = settings.right, settings.down

    def cases(self, pictures: Pictures) -> MakeCase:
        """Move the camera by a whole number of pixels."""
        side = _side(pictures.get(0, 0).image)
        right, down = int(self._right * side), int(self._down * side)
        margin = max(right, down)
        larger = pictures.wider(margin)

        def case(seed: int, index: int, own: int) -> Case:
            whole = larger.get(seed, index)
            pixels, name = whole.image.pixels, whole.image.name
            clean = Image(crop(pixels, margin, margin, side), f"{name} centre")
            moved = Image(crop(pixels, margin + down, margin + right, side), f"{name} moved")
            return Case(clean, moved, whole.cluster)

        return case


class Rotation(Restoration):
    """Turned by 90 degrees counter-clockwise."""

    card = restoration_card("rotation", RestorationSettings())
    data = RestorationSettings().data

    def cases(self, pictures: Pictures) -> MakeCase:
        """Turn the picture."""

        def case(seed: int, index: int, own: int) -> Case:
            clean = pictures.get(seed, index)
            _side(clean.image)
            turned = Image(rotated(clean.image.pixels), f"{clean.image.name} rotated")
            return Case(clean.image, turned, clean.cluster)

        return case


class Reconstruction(Task):
    """The picture through the method's own visual tokens: what every restoration starts from."""

    card = reconstruction_card(ReconstructionSettings())
    data = ReconstructionSettings().data
    settings = ReconstructionSettings

    def __init__(self, settings: ReconstructionSettings) -> None:
        self.card = reconstruction_card(settings)
        self.data = settings.data

    def instances(self, data: Pictures, limit: int, seed: int) -> Iterator[Instance]:
        """At most `limit` pictures, those of the restorations."""
        for index in range(limit):
            clean = data.get(seed, index)
            own = seed_of(seed, self.card.name, index)
            request = Reconstruct(f"{self.card.name}-{index:05d}", clean.image, own)
            yield Instance(request, clean.image, None, clean.cluster)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`mean_colour`: the picture's mean colour everywhere, which needs no tokens at all."""
        predictions = []
        for instance in instances:
            pixels = instance.request.image.pixels
            predictions.append(ImagePrediction(pixels.mean((1, 2), keepdim=True).expand_as(pixels)))
        return {"mean_colour": predictions}


def _hiding(pictures: Pictures, hidden_of: Callable[[int, int], Bool[Tensor, "h w"]]) -> MakeCase:
    def case(seed: int, index: int, own: int) -> Case:
        clean = pictures.get(seed, index)
        hidden = hidden_of(*clean.image.size)
        image = Image(hide(clean.image.pixels, hidden), f"{clean.image.name} partly hidden")
        return Case(clean.image, image, clean.cluster, hidden)

    return case


def _side(image: Image) -> int:
    """The side of a square picture.

    Raises:
        ValueError: it is not square, so that turned or moved it would not fit its target.
    """
    height, width = image.size
    if height != width:
        raise ValueError(
            f"shift and rotation need square pictures; {image.name or 'one'} is {height} x {width}."
        )
    return height
