"""Requests: one instance of a task as a method sees it. A request never holds the target.

The one exception has a name of its own: `OracleContext` carries the clean picture, because the
published restoration protocols build their in-context examples from it.
"""

from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.images import Image


@dataclass(frozen=True)
class LabelledImage:
    """An in-context example: a picture and its text (a class name, a caption, an answer)."""

    image: Image
    text: str
    question: str = ""


@dataclass(frozen=True)
class Classify:
    """Name the class of `image`, one of `options`, from labelled examples.

    The list of examples is shown `repeats` times more; with `induction` the prompt opens by
    naming the options. `seed` is the request's own, for methods that draw.
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
    """Say `image` in words, from its own visual tokens and without a language model.

    The prediction is a text of one word a line, the most fitting first.
    """

    id: str
    image: Image
    seed: int = 0


@dataclass(frozen=True)
class Reconstruct:
    """Give `image` back through the method's own visual tokens, without a language model."""

    id: str
    image: Image
    seed: int = 0


@dataclass(frozen=True)
class RestoredPair:
    """An in-context example of a restoration: the same picture corrupted and clean."""

    corrupted: Image
    clean: Image


@dataclass(frozen=True)
class OracleContext:
    """The published protocol: `examples` disturbed copies of the *clean* picture's tokens.

    The answer leaks into the prompt (each example shows the true token with probability 46 to
    75 %). Kept to reproduce the papers, and never mixed with `HeldOutContext`.
    """

    clean: Image
    examples: int = 10


@dataclass(frozen=True)
class HeldOutContext:
    """The honest protocol: the examples are other pictures."""

    pairs: tuple[RestoredPair, ...]


@dataclass(frozen=True)
class NoContext:
    """No examples: the method knows the task from its prompt, or from an adapter it was trained."""


@dataclass(frozen=True)
class Restore:
    """Undo `corruption` on `image`.

    `hidden` marks the pixels to fill in (inpainting, outpainting), and is None where the whole
    picture is to be restored. `variant` says which way the corruption was done, where nobody could
    tell from the picture ("180" degrees). Predictions come back at the size of `image`.
    """

    id: str
    image: Image
    corruption: str
    context: OracleContext | HeldOutContext | NoContext
    hidden: Bool[Tensor, "h w"] | None = None
    seed: int = 0
    variant: str = ""


@dataclass(frozen=True)
class Segment:
    """Give the mask of what `phrase` refers to."""

    id: str
    image: Image
    phrase: str
    seed: int = 0


@dataclass(frozen=True)
class Ground:
    """Give a mask for each phrase of a narrative.

    `phrases` are (start, end) character positions in `narrative`.
    """

    id: str
    image: Image
    narrative: str
    phrases: tuple[tuple[int, int], ...]
    seed: int = 0


@dataclass(frozen=True)
class Detect:
    """Give boxes with classes and scores for the named `classes`."""

    id: str
    image: Image
    classes: tuple[str, ...]
    seed: int = 0


Request: TypeAlias = (
    Classify | Caption | Answer | Interpret | Reconstruct | Restore | Segment | Ground | Detect
)


def images_of(request: Request) -> tuple[Image, ...]:
    """Every picture that a method may look at in a request, its own first, none twice."""
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
