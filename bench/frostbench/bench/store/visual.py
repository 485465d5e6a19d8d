"""The number and size of a method's visual tokens of an image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VisualSize:
    """Visual tokens of one method, as means over the `images` that one worker saw.

    Attributes:
        tokens: of an image; none where it became sentences, whose tokens depend on the reader.
        bits: of an image, each token taking the logarithm of its codebook's size.
        entropy: bits of an image, each token taking the entropy of its codebook's codes as they
            occurred. Both are None where tokens are no codes but vectors, or sentences.
        sentences: of an image.
    """

    images: int = 0
    tokens: float = 0.0
    bits: float | None = None
    entropy: float | None = None
    sentences: float = 0.0
