"""The number and size of a method's visual tokens of an image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VisualSize:
    """Visual tokens of one method, means over the `images` that one worker looked at.

    Attributes:
        tokens: an image; none where it became sentences, whose tokens their reader decides on.
        bits: an image, each token taking the logarithm of its codebook's size.
        entropy: bits an image, each token taking the entropy of its codebook's codes as they
            occurred. Both are None where tokens are no codes but vectors, or sentences.
        sentences: an image.
    """

    images: int = 0
    tokens: float = 0.0
    bits: float | None = None
    entropy: float | None = None
    sentences: float = 0.0
