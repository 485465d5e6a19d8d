"""Settings and cards of the grounding tasks. Imports no torch."""

from dataclasses import dataclass

from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.host.settings import check_chosen

REFERRING = ("standard", "official")
POPE = ("random", "popular", "adversarial")
THOUGHTS = ("thought", "question_as_phrase", "direct")
GROUPS = ("all", "things", "stuff", "singulars", "plurals")
KINDS = ("what", "where")
MASK_CONTROLS = ("whole_image", "centre_box", "shuffled_words", "oracle_box")


@dataclass(frozen=True)
class ReferringSettings:
    """How expressions are asked.

    Attributes:
        protocols: "standard": every sentence of every referent, a request each, as RefCOCO is
            scored elsewhere. "official": as for F-LMM's published figures, the first sentence of
            each referent, in lower case, with all sentences of an image in one sequence, so that
            later ones see earlier ones. The two are never ranked together.
        glyphs: A scene shows 2 to this many glyphs, each number in turn.
        data: The data set of the pack.
    """

    protocols: tuple[str, ...] = REFERRING
    glyphs: int = 4
    data: str = "glyph_scenes"

    def __post_init__(self) -> None:
        check_chosen("protocols", self.protocols, REFERRING)
        if not 2 <= self.glyphs <= 4:
            raise ValueError(
                f"a scene has 2 to 4 glyphs, so that there is one to be told from another; "
                f"`glyphs` is {self.glyphs}."
            )


@dataclass(frozen=True)
class NarrativeSettings:
    """How narratives are asked.

    Attributes:
        groups: Groups of phrases for which average recall is given; the first ranks. Every phrase
            of a glyph scene is one thing, so groups beyond "all" matter for other data.
        data: The data set of the pack.
    """

    groups: tuple[str, ...] = ("all",)
    data: str = "glyph_scenes"

    def __post_init__(self) -> None:
        check_chosen("groups", self.groups, GROUPS)


@dataclass(frozen=True)
class HallucinationSettings:
    """How yes-or-no questions are asked, and how frequent classes and pairs are generated.

    Attributes:
        protocols: How absent classes are chosen for questions with the answer no. "random":
            uniformly; "popular": those that most images show; "adversarial": those most often seen
            together with what the image shows.
        glyphs: Every scene shows this many, each of another class, and gives as many questions with
            the answer yes, and as many with no (POPE: 3 and 3).
        pool: Scenes that say which classes are frequent, and which are seen together (POPE: 500).
            Questions are about the first of them.
        companions: Every class is often seen with this many others.
        together: How often a further glyph is one of the companions; otherwise it is any class,
            the class of rank r being r times as rare as the first.
        data: The data set of the pack.
    """

    protocols: tuple[str, ...] = POPE
    glyphs: int = 3
    pool: int = 500
    companions: int = 4
    together: float = 0.5
    data: str = "glyph_scenes"

    def __post_init__(self) -> None:
        check_chosen("protocols", self.protocols, POPE)
        if not 1 <= self.glyphs <= 4:
            raise ValueError(f"a scene has 1 to 4 glyphs; `glyphs` is {self.glyphs}.")
        if self.pool < 1 or self.companions < 1:
            raise ValueError(
                f"`pool` and `companions` are 1 or more, not {self.pool} and {self.companions}."
            )
        if not 0 <= self.together <= 1:
            raise ValueError(f"`together` is a chance in [0, 1], not {self.together}.")


@dataclass(frozen=True)
class ThoughtSettings:
    """How chains of thought are asked for.

    Attributes:
        protocols: F-LMM's three ways. "thought" (its v1): the method names the object that matters
            and looks at it; "question_as_phrase" (v2): the question itself is grounded; "direct"
            (v3): no second look, the baseline.
        kinds: Kinds of questions, in turn: "what" lies at a place, "where" a class lies.
        side: Pixels of a scene's side, twice that of the pack's other scenes.
        sizes: The least and the greatest share of the side that a glyph takes; the defaults make
            glyphs half as large as in the pack's other scenes, where a method sees 64 pixels.
        glyphs: Every scene shows this many.
        data: The data set of the pack.
    """

    protocols: tuple[str, ...] = THOUGHTS
    kinds: tuple[str, ...] = KINDS
    side: int = 128
    sizes: tuple[float, float] = (0.14, 0.2)
    glyphs: int = 4
    data: str = "glyph_scenes"

    def __post_init__(self) -> None:
        check_chosen("protocols", self.protocols, THOUGHTS)
        check_chosen("kinds", self.kinds, KINDS)
        if self.side < 16:
            raise ValueError(f"a scene's side has 16 pixels or more; `side` is {self.side}.")
        least, most = self.sizes
        if not 0 < least <= most <= 0.45:
            raise ValueError(
                f"a glyph takes more than 0 and at most 0.45 of a scene's side; `sizes` are "
                f"{self.sizes}."
            )
        if not 1 <= self.glyphs <= 4:
            raise ValueError(f"a scene has 1 to 4 glyphs; `glyphs` is {self.glyphs}.")


def referring_card(settings: ReferringSettings) -> TaskCard:
    """The card of referring segmentation under some settings."""
    return TaskCard(
        name="referring_segmentation",
        suite="grounding",
        request_type="Segment",
        reads="masks",
        metrics=("ciou[pixels]", "miou[phrases]", "p@0.5[phrases]"),
        ranks_by="ciou[pixels]",
        protocols=settings.protocols,
        controls=MASK_CONTROLS,
        summary="the mask of what an expression refers to (RefCOCO's scores)",
    )


def narrative_card(settings: NarrativeSettings) -> TaskCard:
    """The card of narrative grounding under some settings."""
    metrics = tuple(f"average_recall[{group}]" for group in settings.groups)
    return TaskCard(
        name="narrative_grounding",
        suite="grounding",
        request_type="Ground",
        reads="masks",
        metrics=(*metrics, "p@0.5[phrases]"),
        ranks_by=metrics[0],
        controls=MASK_CONTROLS,
        summary="a mask for each phrase of a narrative (PNG's average recall)",
    )


def hallucination_card(settings: HallucinationSettings) -> TaskCard:
    """The card of object hallucination under some settings."""
    return TaskCard(
        name="object_hallucination",
        suite="grounding",
        request_type="Answer",
        reads="text",
        metrics=(
            "accuracy[pope]",
            "f1[pope]",
            "precision[pope]",
            "recall[pope]",
            "yes[pope]",
        ),
        ranks_by="accuracy[pope]",
        protocols=settings.protocols,
        controls=("chance", "always_yes", "no_image", "other_image", "bare_lmm"),
        summary="is it there? yes or no, equally often (POPE's protocol)",
    )


def thought_card(settings: ThoughtSettings) -> TaskCard:
    """The card of visual chains of thought under some settings."""
    return TaskCard(
        name="visual_chain_of_thought",
        suite="grounding",
        request_type="Reason",
        reads="text",
        metrics=("accuracy[vqa]", "accuracy[vqa-exact]", "anls[0.5]", "p@0.5[box]"),
        ranks_by="accuracy[vqa]",
        protocols=settings.protocols,
        controls=("other_image", "oracle_box"),
        summary="a question about something small, answered after a second look at a crop",
    )
