"""What data sets give: protocols that tasks ask for, and the small types that cross them.

A task names one of these protocols and never a data set: drawn scenes, a user's folder and a
published benchmark all implement it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Box, LabelledImage, Span


@runtime_checkable
class Browsable(Protocol):
    """A data set whose images a user can name one by one, for `frostbench look`."""

    form: str
    """How an image is written, its kind before the colon: "portrait:NAME"."""

    def find(self, which: str) -> tuple[Image, str]:
        """The image called `which`, as it stands after the colon of `form`, and a title for it.

        Raises:
            LookupError: there is none; the message says which there are.
        """
        ...


@dataclass(frozen=True, eq=False)
class ClusteredImage:
    """An image with its cluster: images cut from one photograph count as one observation."""

    image: Image
    cluster: str


@runtime_checkable
class ImageSet(Protocol):
    """Ordered images; nothing was trained on them."""

    @property
    def size(self) -> int | None:
        """How many there are; None where they are made on demand, without end."""
        ...

    def get(self, seed: int, index: int) -> ClusteredImage:
        """Image `index` of a seed; the same whenever it is asked for.

        Images of a set that ends have one order, whatever the seed, and `index` is below `size`.

        Raises:
            ValueError: the image cannot be read; the message names it.
        """
        ...


@runtime_checkable
class Widening(Protocol):
    """An `ImageSet` that can show a wider view of its images, for shifts that need new pixels."""

    def wider(self, margin: int) -> ImageSet:
        """Images of the same kind with `margin` more pixels on each side."""
        ...


@runtime_checkable
class Cornered(Protocol):
    """An `ImageSet` of squares from the centres of images, which can cut them elsewhere."""

    def cornered(self) -> ImageSet:
        """The same images, each square cut out at the bottom right; all of a square image."""
        ...


@dataclass(frozen=True, eq=False)
class ImagePair:
    """An image before and after a degradation, of one size; those of one image share a cluster."""

    id: str
    degraded: Image
    clean: Image
    cluster: str


@runtime_checkable
class PairSet(Protocol):
    """Images that somebody degraded, by a camera, the weather or a program, with the clean ones."""

    def pairs(self) -> Sequence[ImagePair]:
        """The pairs in a fixed order; each is read when it is asked for.

        Raises:
            ValueError: images have no partner; the message names them.
        """
        ...


@dataclass(frozen=True, eq=False)
class CaptionedImage:
    """An image with one or more captions."""

    id: str
    image: Image
    captions: tuple[str, ...]
    cluster: str


@runtime_checkable
class CaptionSet(Protocol):
    """A data set of images with reference captions."""

    def captioned(self) -> Sequence[CaptionedImage]:
        """The images in a fixed order; each is read when it is asked for.

        Raises:
            ValueError: the captions are broken; the message says where.
        """
        ...

    def references(self) -> Sequence[tuple[str, ...]]:
        """The captions of all images in the same order; no image is read."""
        ...


@dataclass(frozen=True, eq=False)
class AskedImage:
    """An image with a question and its accepted answers, or all answers given (VQAv2: ten)."""

    id: str
    image: Image
    question: str
    answers: tuple[str, ...]
    cluster: str


@runtime_checkable
class QuestionSet(Protocol):
    """A data set of questions about images."""

    def asked(self) -> Sequence[AskedImage]:
        """The questions in a fixed order; an image is read when its question is asked for.

        Raises:
            ValueError: the questions are broken; the message says where.
        """
        ...


@dataclass(frozen=True)
class Episode:
    """Labelled examples in the order in which they are shown, and a query of their classes."""

    id: str
    examples: tuple[LabelledImage, ...]
    query: Image
    label: str

    @property
    def options(self) -> tuple[str, ...]:
        """The classes, sorted, so that their order tells nothing about the query."""
        return tuple(sorted({example.text for example in self.examples}))


@runtime_checkable
class EpisodeSource(Protocol):
    """A data set that gives episodes."""

    def episodes(self, ways: int, shots: int, seed: int) -> Iterator[Episode]:
        """Episodes in a fixed order; drawn ones have no end, those of a file do.

        Raises:
            ValueError: there are none of that kind, or the data are broken.
        """
        ...


@runtime_checkable
class LabelSet(Protocol):
    """Images of classes that nothing was trained on; episodes are drawn from them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, no two of one name."""
        ...

    def family(self, name: str) -> int:
        """The number of a class's family; classes of one family look or are called alike."""
        ...

    def count(self, name: str) -> int | None:
        """How many images a class has; None where they are made when asked for, without end."""
        ...

    def portrait(self, name: str, number: int) -> Image:
        """Image `number` of a class, below `count`; the same whenever it is asked for."""
        ...


@dataclass(frozen=True, eq=False)
class Thing:
    """Something in an image: its class, and the box around what one sees of it.

    `area` is its size in pixels for metrics by size (COCO: of its mask); a `crowd` is a group in
    one box, where any number of detections is neither right nor wrong. `mask` is None where the
    data set has boxes alone.
    """

    name: str
    box: Box
    area: float
    mask: Bool[Tensor, "h w"] | None = None
    crowd: bool = False


@dataclass(frozen=True, eq=False)
class BoxedImage:
    """An image with all things of the set's classes that it shows, none or several."""

    id: str
    image: Image
    things: tuple[Thing, ...]
    cluster: str


@runtime_checkable
class BoxSet(Protocol):
    """A data set of images in which every thing of some classes is boxed."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the set's own order, no two of one name."""
        ...

    def boxed(self) -> Sequence[BoxedImage]:
        """The images in a fixed order; each is read when it is asked for.

        Raises:
            ValueError: the boxes are broken; the message says where.
        """
        ...


@dataclass(frozen=True, eq=False)
class Referent:
    """Something in an image: its mask, and one or more sentences that each mean it alone.

    `typed` is the sentence that F-LMM's evaluation asks, as an annotator typed it, with its
    punctuation; empty stands for the first of `sentences`. `box` is the data set's own; None stands
    for the box of the mask.
    """

    id: str
    sentences: tuple[str, ...]
    mask: Bool[Tensor, "h w"]
    typed: str = ""
    box: Box | None = None


@dataclass(frozen=True, eq=False)
class ReferredImage:
    """An image with all its referents."""

    id: str
    image: Image
    referents: tuple[Referent, ...]


@dataclass(frozen=True, eq=False)
class Narrative:
    """A text about an image, the spans of its phrases, and a mask and kinds for each of them."""

    id: str
    image: Image
    text: str
    phrases: tuple[Span, ...]
    masks: Bool[Tensor, "n h w"]
    kinds: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class YesNoQuestion:
    """A question that yes or no answers; those of one `cluster` are about one image."""

    id: str
    image: Image
    text: str
    yes: bool
    cluster: str


@dataclass(frozen=True, eq=False)
class DetailQuestion:
    """A question about a detail, with its answers and the box in which the detail is seen.

    Questions of one `cluster` are about one image.
    """

    id: str
    image: Image
    text: str
    answers: tuple[str, ...]
    box: Box
    cluster: str


@runtime_checkable
class ReferringSource(Protocol):
    """A data set of expressions."""

    def referred(self, seed: int) -> Iterator[ReferredImage]:
        """Images in a fixed order; drawn ones have no end, those of files do.

        Raises:
            ValueError: the data are broken; the message says where.
        """
        ...


@runtime_checkable
class NarrativeSource(Protocol):
    """A data set of narratives."""

    def narratives(self, seed: int) -> Iterator[Narrative]:
        """Narratives in a fixed order; see `ReferringSource`."""
        ...


@runtime_checkable
class YesNoSource(Protocol):
    """A data set of questions by yes and no."""

    def questions(self, protocol: str, seed: int) -> Iterator[YesNoQuestion]:
        """The questions of one of POPE's protocols in a fixed order; see `ReferringSource`."""
        ...


@runtime_checkable
class DetailSource(Protocol):
    """A data set of questions about details."""

    def details(self, seed: int) -> Iterator[DetailQuestion]:
        """Questions in a fixed order; see `ReferringSource`."""
        ...
