"""How much of an image a method's visual tokens keep."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VisualSize:
    """Visual tokens of one method, means over the `images` that one worker looked at.

    Attributes:
        tokens: an image.
        bits: an image, each token taking the logarithm of its codebook's size.
        entropy: bits an image, each token taking the entropy of its codebook's codes as they
            occurred. Both are None where tokens are no codes but vectors.
    """

    images: int = 0
    tokens: float = 0.0
    bits: float | None = None
    entropy: float | None = None
