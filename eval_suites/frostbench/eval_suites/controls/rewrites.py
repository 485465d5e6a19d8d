"""Controls that take something out of a method's prompts, or out of the model that answers."""

from dataclasses import replace
from typing import TypeAlias

from frostbench.plugins.contract.prompts import Piece, Prompt, Score, Shot, Text

Pieces: TypeAlias = tuple[Piece, ...]


def without_images(prompt: Prompt) -> Prompt:
    """`no_image`: the prompt without the pieces that stand for images.

    Those are ids, vectors, images, and texts that are marked as `visual`; a `Score` loses its
    image, and all its texts fit equally. Answers that are right without images follow from the
    other texts and from what the model believes anyway.

    Raises:
        ValueError: the query shows no image, so that nothing would be taken from it.
    """
    if isinstance(prompt.ask, Score):
        return replace(prompt, ask=replace(prompt.ask, image=None))
    if not any(map(stands_for_image, prompt.query)):
        raise ValueError(
            "the query has no piece that stands for an image, so that the prompt cannot be put "
            "without one; a method whose images are words marks them by Text(..., visual=True)"
        )
    return replace(
        prompt,
        opening=_texts(prompt.opening),
        shots=tuple(Shot(_texts(shot.shown), _texts(shot.answer)) for shot in prompt.shots),
        query=_texts(prompt.query),
    )


def without_adapter(prompt: Prompt) -> Prompt:
    """`no_adapter`: the same prompt to the bare backbone."""
    return replace(prompt, adapter=None)


def stands_for_image(piece: Piece) -> bool:
    """Whether a piece stands for an image, or for a part of one.

    >>> stands_for_image(Text("Input: ")), stands_for_image(Text("red round", visual=True))
    (False, True)
    """
    return not isinstance(piece, Text) or piece.visual


def _texts(pieces: Pieces) -> Pieces:
    return tuple(piece for piece in pieces if not stands_for_image(piece))
