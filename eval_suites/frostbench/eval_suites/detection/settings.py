"""Settings and cards of the detection tasks. Imports no torch."""

from dataclasses import dataclass

from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.host.settings import check_chosen

PROTOCOLS = ALL, SOME = ("all_classes", "some_classes")
SIZES = ("small", "medium", "large")
CONTROLS = (
    "whole_image",
    "oracle_boxes_random_classes",
    "shuffled_classes",
    "other_image",
    "no_llm",
    "every_query",
    "fixed_prompt",
    "no_adapter",
)
LOCATING = (
    "whole_image",
    "centre_box",
    "random_box",
    "shuffled_words",
    "other_image",
    "no_llm",
    "fixed_prompt",
    "no_adapter",
)


@dataclass(frozen=True)
class DetectionSettings:
    """How things are asked for by their classes.

    Attributes:
        protocols: "all_classes": one prompt names all classes of the set (COCO: 80).
            "some_classes": it names a part of them, the same for all images, and things of other
            classes must not be found; average precision is then that of the named classes. The two
            are never ranked together.
        named: Share of the classes that "some_classes" names, rounded to whole classes, one at
            least and not all. VisionLLM names 10, 20 and 40 of 80.
        classes: Number of classes, drawn from the seed, in scenes made to order.
        outside: How often a thing of a scene is of another class.
        things: A scene shows 1 to this many things, each number in turn.
        sizes: Sizes of things for which average precision is also given; COCO's, by pixels of area.
            No glyph in a scene is large.
        data: The data set of the pack.
    """

    protocols: tuple[str, ...] = PROTOCOLS
    named: float = 0.5
    classes: int = 10
    outside: float = 0.2
    things: int = 4
    sizes: tuple[str, ...] = ("small", "medium")
    data: str = "known_glyph_scenes"

    def __post_init__(self) -> None:
        check_chosen("protocols", self.protocols, PROTOCOLS)
        if self.sizes:
            check_chosen("sizes", self.sizes, SIZES)
        if not 0 < self.named < 1:
            raise ValueError(
                f"`named` is a part of the classes, between 0 and 1; not {self.named}."
            )
        if self.classes < 1:
            raise ValueError(f"a set has 1 class or more; `classes` is {self.classes}.")
        if not 0 <= self.outside <= 1:
            raise ValueError(f"`outside` is a chance in [0, 1], not {self.outside}.")
        if not 1 <= self.things <= 4:
            raise ValueError(f"a scene has 1 to 4 things; `things` is {self.things}.")


@dataclass(frozen=True)
class OpenVocabularySettings(DetectionSettings):
    """As `DetectionSettings`, for classes that nothing was trained on.

    Attributes:
        protocols: As for detection; by default one prompt names all classes.
        data: The data set of the pack.
    """

    protocols: tuple[str, ...] = (ALL,)
    data: str = "glyph_scenes"


@dataclass(frozen=True)
class LocatingSettings:
    """How things are asked for by phrases.

    Attributes:
        glyphs: A scene shows 2 to this many glyphs, each number in turn.
        data: The data set of the pack.
    """

    glyphs: int = 4
    data: str = "known_glyph_scenes"

    def __post_init__(self) -> None:
        if not 2 <= self.glyphs <= 4:
            raise ValueError(
                f"a scene has 2 to 4 glyphs, so that there is one to be told from another; "
                f"`glyphs` is {self.glyphs}."
            )


def detection_card(settings: DetectionSettings) -> TaskCard:
    """The card of object detection under some settings."""
    return _card("object_detection", "boxes", settings, "boxes for all things of the named classes")


def instances_card(settings: DetectionSettings) -> TaskCard:
    """The card of instance segmentation under some settings."""
    return _card(
        "instance_segmentation", "masks", settings, "a mask for each thing of the named classes"
    )


def vocabulary_card(settings: DetectionSettings) -> TaskCard:
    """The card of open-vocabulary detection under some settings."""
    return _card(
        "open_vocabulary_detection",
        "boxes",
        settings,
        "boxes for all things of named classes on which nothing was trained",
    )


def _card(name: str, kind: str, settings: DetectionSettings, summary: str) -> TaskCard:
    averages = ("ap", "ap50", "ap75", *(f"ap_{size}" for size in settings.sizes))
    metrics = tuple(f"{average}[coco-{kind}-own_score]" for average in averages)
    return TaskCard(
        name=name,
        suite="detection",
        request_type="Detect" if kind == "boxes" else "SegmentInstances",
        reads=kind,
        metrics=(*metrics, "claimed[asked-iou0.5-score0.3]", "claimed[unasked-iou0.5-score0.3]"),
        ranks_by=metrics[0],
        protocols=settings.protocols,
        controls=CONTROLS,
        summary=f"{summary} (COCO's average precision)",
    )


def locating_card(settings: LocatingSettings) -> TaskCard:
    """The card of visual grounding, which is the same under all settings."""
    return TaskCard(
        name="visual_grounding",
        suite="detection",
        request_type="Locate",
        reads="boxes",
        metrics=("p@0.5[sentences-iou>=0.5]", "p@0.5[sentences-iou>0.5]"),
        ranks_by="p@0.5[sentences-iou>=0.5]",
        controls=LOCATING,
        summary="the box of what an expression refers to (RefCOCO's precision at 0.5)",
    )
