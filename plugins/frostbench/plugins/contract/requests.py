"""Requests: one instance of a task as a method sees it. A request never holds the target.

The one exception has a name of its own: `OracleContext` carries the clean image, because the
published restoration protocols build their in-context examples from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.detection import (
    Detect,
    Locate,
    SegmentInstances,
    check_phrases,
)
from frostbench.plugins.contract.images import Image


@dataclass(frozen=True)
class LabelledImage:
    """An in-context example: an image and its text (a class name, a caption, an answer)."""

    image: Image
    text: str
    question: str = ""


@dataclass(frozen=True)
class Classify:
    """Name the class of `image`, one of `options`, from labelled examples.

    The list of examples is shown `repeats` more times; with `induction` the prompt opens with the
    options. `seed` is the request's own, for methods that draw.
    """

    id: str
    image: Image
    examples: tuple[LabelledImage, ...]
    options: tuple[str, ...]
    repeats: int = 0
    induction: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Caption:
    """Describe `image` in one sentence, given described examples."""

    id: str
    image: Image
    examples: tuple[LabelledImage, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """Answer `question` about `image`, given answered examples."""

    id: str
    image: Image
    question: str
    examples: tuple[LabelledImage, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Interpret:
    """Describe `image` in words, from its own visual tokens and without a language model.

    The prediction is a text of one word a line, the most fitting first.
    """

    id: str
    image: Image
    seed: int = 0


@dataclass(frozen=True)
class Reconstruct:
    """Reconstruct `image` from the method's own visual tokens, without a language model."""

    id: str
    image: Image
    seed: int = 0


@dataclass(frozen=True)
class RestoredPair:
    """An in-context example of a restoration: the same image corrupted and clean."""

    corrupted: Image
    clean: Image


@dataclass(frozen=True)
class OracleContext:
    """The published protocol: `examples` disturbed copies of the *clean* image's tokens.

    The answer leaks into the prompt (each example shows the true token with probability 46 to
    75 %). Kept to reproduce the papers, and never mixed with `HeldOutContext`.
    """

    clean: Image
    examples: int = 10


@dataclass(frozen=True)
class HeldOutContext:
    """The honest protocol: the examples are other images."""

    pairs: tuple[RestoredPair, ...]


@dataclass(frozen=True)
class NoContext:
    """No examples: the method knows the task from its prompt, or from an adapter it was trained."""


@dataclass(frozen=True)
class Restore:
    """Undo `corruption` on `image`.

    `hidden` marks the pixels to fill in (inpainting, outpainting), and is None where the whole
    image is to be restored. `variant` says how the corruption was done, where the image cannot show
    it ("180" degrees). Predictions come back at the size of `image`.
    """

    id: str
    image: Image
    corruption: str
    context: OracleContext | HeldOutContext | NoContext
    hidden: Bool[Tensor, "h w"] | None = None
    seed: int = 0
    variant: str = ""


Span: TypeAlias = tuple[int, int]
"""Start and end of a phrase, as character positions in its text, the end exclusive."""

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom edge in pixels of the request's image, the last two exclusive."""


def within(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box is not empty and lies in an image of a size (height, width)."""
    left, top, right, bottom = box
    return 0 <= left < right <= size[1] and 0 <= top < bottom <= size[0]


@dataclass(frozen=True)
class Segment:
    """Give one mask for each of `phrases`: of what the phrase refers to.

    A method reads the phrases of one request one after another in one sequence, so that later ones
    may see earlier ones (F-LMM's published protocol); phrases that are not to see one another come
    in requests of their own.

    Raises:
        ValueError: there is no phrase, or one is blank.
    """

    id: str
    image: Image
    phrases: tuple[str, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        check_phrases(self.id, self.phrases, "segment")


@dataclass(frozen=True)
class Ground:
    """Give one mask for each of `phrases`, which are spans of `narrative`; see `spans_in`.

    Raises:
        ValueError: there is no phrase, or one is blank or does not lie in the narrative.
    """

    id: str
    image: Image
    narrative: str
    phrases: tuple[Span, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.phrases:
            raise ValueError(f"request {self.id!r} has no phrase to ground; give one or more.")
        for start, end in self.phrases:
            if not 0 <= start < end <= len(self.narrative):
                raise ValueError(
                    f"request {self.id!r}: characters {start} to {end} are no phrase of a "
                    f"narrative of {len(self.narrative)} characters."
                )
            if not self.narrative[start:end].strip():
                raise ValueError(
                    f"request {self.id!r}: characters {start} to {end} of the narrative are blank."
                )

    @property
    def texts(self) -> tuple[str, ...]:
        """The phrases as they stand in the narrative."""
        return tuple(self.narrative[start:end] for start, end in self.phrases)


def spans_in(text: str, phrases: Sequence[str]) -> tuple[Span, ...]:
    """Where phrases stand in a text, in its order: each at its first place after the one before.

    >>> spans_in("a cat and a dog", ["a cat", "a dog"])
    ((0, 5), (10, 15))

    Raises:
        ValueError: a phrase is empty, or does not stand there.
    """
    spans: list[Span] = []
    for phrase in phrases:
        end = spans[-1][1] if spans else 0
        start = text.find(phrase, end) if phrase else -1
        if start < 0:
            where = f"after {text[:end]!r} in" if end else "in"
            raise ValueError(f"the phrase {phrase!r} is not {where} the text {text!r}.")
        spans.append((start, start + len(phrase)))
    return tuple(spans)


@dataclass(frozen=True)
class NamedThought:
    """First name the object that matters most; the name is grounded, and its box is looked at."""


@dataclass(frozen=True)
class QuestionThought:
    """The question itself is the phrase that is grounded; its box is looked at."""


@dataclass(frozen=True)
class NoThought:
    """Answer at once, from the whole image: what the other ways are compared with."""


@dataclass(frozen=True)
class OracleThought:
    """Look at the true box: only the control `oracle_box` asks this, and has a name of its own."""

    box: Box


Thought: TypeAlias = NamedThought | QuestionThought | NoThought | OracleThought
"""What is looked at again, in a crop beside the whole image, before the answer."""


@dataclass(frozen=True)
class Reason:
    """Answer `question` about `image` by a visual chain of thought: ground, crop, answer."""

    id: str
    image: Image
    question: str
    thought: Thought = NamedThought()
    seed: int = 0


@dataclass(frozen=True)
class Refine:
    """Give the mask of the thing in each of `boxes`, by the method's mask refiner alone.

    No text and no language model: this is the control `oracle_box` of segmentation, which asks for
    the true boxes and shows what the refiner could reach.

    Raises:
        ValueError: there is no box, or one is empty or does not lie in the image.
    """

    id: str
    image: Image
    boxes: tuple[Box, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.boxes:
            raise ValueError(f"request {self.id!r} has no box to refine; give one or more.")
        for box in self.boxes:
            if not within(box, self.image.size):
                height, width = self.image.size
                raise ValueError(
                    f"request {self.id!r}: {box} is no box (left, top, right, bottom) within "
                    f"{width} x {height} pixels."
                )


Request: TypeAlias = (
    Classify
    | Caption
    | Answer
    | Interpret
    | Reconstruct
    | Restore
    | Segment
    | Ground
    | Reason
    | Refine
    | Detect
    | SegmentInstances
    | Locate
)
"""What a task asks of a method about one image: one type for each kind of question."""


def images_of(request: Request) -> tuple[Image, ...]:
    """Every image that a method may see in a request, the asked one first, none twice."""
    images = [request.image]
    match request:
        case Classify() | Caption() | Answer():
            images += [example.image for example in request.examples]
        case Restore(context=OracleContext() as context):
            images.append(context.clean)
        case Restore(context=HeldOutContext() as context):
            for pair in context.pairs:
                images += [pair.corrupted, pair.clean]
        case _:
            pass
    return tuple(dict.fromkeys(images))


def masks_asked(request: Request) -> int:
    """How many masks a request asks for."""
    match request:
        case Segment() | Ground():
            return len(request.phrases)
        case Refine():
            return len(request.boxes)
        case _:
            return 0
