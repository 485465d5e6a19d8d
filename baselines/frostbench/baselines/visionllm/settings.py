"""Sizes of VisionLLM's networks; defaults are the published ones, or decisions of ours, marked so.

Wang et al., "VisionLLM: Large Language Model is also an Open-Ended Decoder for Vision-Centric
Tasks", NeurIPS 2023, https://arxiv.org/abs/2305.11175. What the paper leaves open says so.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class BackboneSettings:
    """The convolutional backbone.

    Attributes:
        timm: A network of timm, whose weights are named as those of Deformable DETR's checkpoints;
            empty for a ResNet of transformers of the sizes below.
        embedding: Channels after the ResNet's stem.
        hidden: Channels of its four stages; the last three are read.
        depths: Layers of each stage.
    """

    timm: str = "resnet50"
    embedding: int = 64
    hidden: tuple[int, ...] = (256, 512, 1024, 2048)
    depths: tuple[int, ...] = (3, 4, 6, 3)


@dataclass(frozen=True)
class TextEncoderSettings:
    """The text encoder, a BERT; the defaults are those of BERT-Base.

    The preprint says Base (the camera-ready is said to name both Base and Large).

    Attributes:
        words: Rows of its table of words.
        longest: How many tokens it reads; further ones are cut off.
    """

    words: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    longest: int = 512


@dataclass(frozen=True)
class DetrSettings:
    """The Deformable DETR.

    Attributes:
        side: Images are resized to a square of this side before the backbone, so that nothing is
            padded and a reference point needs no correction. The paper measures speed at 1024
            pixels; sizes in training were not found.
        levels: Scales of the maps: three of the backbone, and further ones, each half the size of
            the last.
        queries: Image tokens (M), 100 in the paper.
        refine: Whether each decoder layer starts from the boxes of the one before.
        dropout: Of encoder and decoder.
    """

    side: int = 1024
    width: int = 256
    levels: int = 4
    heads: int = 8
    points: int = 4
    encoder_layers: int = 6
    decoder_layers: int = 6
    inner: int = 1024
    queries: int = 100
    refine: bool = False
    dropout: float = 0.1


@dataclass(frozen=True)
class FusionSettings:
    """How text enters the maps: one cross-attention for each scale, from maps to text.

    Number and direction are not found; these are ours.

    Attributes:
        heads: Of each cross-attention.
        gate: Initial factor on its output (through tanh): 0 leaves maps as they were.
    """

    heads: int = 8
    gate: float = 0.0


@dataclass(frozen=True)
class NewWordSettings:
    """The words that the language model gains, kept outside its own table.

    Attributes:
        half_range: Location words are `<p-half_range>` to `<phalf_range>`; 512 in the paper.
        class_words: `<c0>` and so on, 512 in the paper: the most classes of one prompt.
        spread: Initial standard deviation of rows and of embeddings of image tokens; near that of
            the language model's own table.
    """

    half_range: int = 512
    class_words: int = 512
    spread: float = 0.02

    def __post_init__(self) -> None:
        if self.half_range < 1 or self.class_words < 1 or self.spread <= 0:
            raise ValueError(
                "a vocabulary has location words on both sides of 0, one class word or more and a "
                f"spread above 0; asked were half_range={self.half_range}, "
                f"class_words={self.class_words} and spread={self.spread}."
            )

    @property
    def bins(self) -> int:
        """How many location words there are."""
        return 2 * self.half_range + 1

    @property
    def size(self) -> int:
        """All new words: those of locations and those of classes."""
        return self.bins + self.class_words


@dataclass(frozen=True)
class SlotSettings:
    """Placeholders of the output format, and how they are read. All are decisions of ours.

    Attributes:
        most_points: The most points of a contour; 24 is the most in the paper.
        sine: Numbers of the sine encodings of centres and of positions along a contour, for each
            coordinate.
        inner: Width of the small networks that turn these into embeddings.
        sizes: Whether a token carries the size of its box beside its centre. Only where boxes of
            tokens are trained (`TokenLossSettings.box`); in the paper tokens have centres alone.
        reading: How a coordinate is read at its slot: the likeliest location word, or the mean over
            all words by their probability.
    """

    most_points: int = 24
    sine: int = 64
    inner: int = 256
    sizes: bool = False
    reading: Literal["likeliest", "mean"] = "likeliest"


@dataclass(frozen=True)
class VisionLLMSettings:
    """All sizes; the defaults are the published ones (ResNet-50, BERT-Base, Alpaca-7B).

    Attributes:
        llm_width: Length of the language model's embeddings.
    """

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    text: TextEncoderSettings = field(default_factory=TextEncoderSettings)
    detr: DetrSettings = field(default_factory=DetrSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    vocabulary: NewWordSettings = field(default_factory=NewWordSettings)
    slots: SlotSettings = field(default_factory=SlotSettings)
    llm_width: int = 4096
