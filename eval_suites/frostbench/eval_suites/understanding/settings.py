"""Settings and cards of captioning, questions and semantic interpretation. No torch."""

from dataclasses import dataclass

from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.host.settings import check_chosen

EPISODIC, RANDOM = "episodic", "random"
PROTOCOLS = (EPISODIC, RANDOM)
KINDS = ("what", "where", "whether", "how many")
CONTROLS = ("majority_vote", "token_overlap", "other_image", "no_image")


@dataclass(frozen=True)
class SceneTaskSettings:
    """Settings shared by captioning and visual question answering.

    Attributes:
        examples: In-context examples. SPAE and V2L-Tokenizer show 10, drawn at random from COCO
            (unverified: known from a summary of the paper); 5 cost half as much, and equal the
            classes of the hardest few-shot protocol.
        glyphs: A scene shows 1 to this many glyphs, each number equally often.
        protocols: "episodic": every class of the query is also in one of the examples, in another
            image and (unless the place is the question) at another place, so that classes that
            nothing was trained on can be named from the context. "random": the examples are any
            scenes, as published; they seldom show what the query shows, so only a method that knows
            it already can answer.
        pool: Scenes that the examples of "random" are drawn from, so that their visual tokens are
            computed once. None of them is a query.
        data: The data set of the pack.
    """

    examples: int = 5
    glyphs: int = 1
    protocols: tuple[str, ...] = ("episodic",)
    pool: int = 40
    data: str = "glyph_scenes"

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise ValueError(f"examples are 1 or more, not {self.examples}.")
        if not 1 <= self.glyphs <= 4:
            raise ValueError(f"a scene has 1 to 4 glyphs; `glyphs` is {self.glyphs}.")
        if self.pool < self.examples:
            raise ValueError(
                f"{self.examples} examples are drawn from a pool of as many scenes at least; "
                f"`pool` is {self.pool}."
            )
        check_chosen("protocols", self.protocols, PROTOCOLS)


@dataclass(frozen=True)
class CaptioningSettings(SceneTaskSettings):
    """Captioning's own.

    Attributes:
        corpus: The captions of this many first queries tell CIDEr-D which words are rare, however
            few of them a run asks.
    """

    corpus: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.corpus < 2:
            raise ValueError(f"what is rare shows in 2 captions or more, not {self.corpus}.")


@dataclass(frozen=True)
class QuestionSettings(SceneTaskSettings):
    """Visual question answering's own.

    Attributes:
        kinds: Kinds of questions, asked in turn.
        counted: For questions how many things there are, a scene shows 1 to this many, whatever
            `glyphs` says.
    """

    kinds: tuple[str, ...] = KINDS
    counted: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chosen("kinds", self.kinds, KINDS)
        if not 2 <= self.counted <= 4:
            raise ValueError(
                f"`counted` is {self.counted}: a scene has at most 4 glyphs, and with 1 the answer "
                'to "how many" is always one; leave that kind out of `kinds` instead.'
            )
        if "whether" in self.kinds and self.examples < 2:
            raise ValueError('"whether" needs 2 examples, one of each answer.')


@dataclass(frozen=True)
class InterpretationSettings:
    """Semantic interpretation has no context and no protocols.

    Attributes:
        metrics: What the words are scored by; the first ranks. A metric's id names its network.
        data: The data set of the pack.
    """

    metrics: tuple[str, ...] = ("clip_score[mini]", "clip_score_relative[mini]")
    data: str = "glyph_portraits"

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError("words are scored by one metric at least; `metrics` is empty.")


def captioning_card(settings: CaptioningSettings) -> TaskCard:
    """The card of captioning under some settings."""
    return TaskCard(
        name="captioning",
        suite="understanding",
        request_type="Caption",
        reads="text",
        metrics=("cider-d[corpus]", "bleu-4[corpus]", "rouge-l[caption]", "accuracy[exact]"),
        ranks_by="cider-d[corpus]",
        protocols=settings.protocols,
        controls=(*CONTROLS, "bare_lmm"),
        summary="say in a sentence what is where, given described scenes",
    )


def question_card(settings: QuestionSettings) -> TaskCard:
    """The card of visual question answering under some settings."""
    return TaskCard(
        name="visual_question_answering",
        suite="understanding",
        request_type="Answer",
        reads="text",
        metrics=("accuracy[vqa]", "accuracy[vqa-exact]"),
        ranks_by="accuracy[vqa]",
        protocols=settings.protocols,
        controls=(*CONTROLS, "bare_lmm"),
        summary="answer a question about a scene (what, where, whether, how many), given others",
    )


def interpretation_card(settings: InterpretationSettings) -> TaskCard:
    """The card of semantic interpretation under some settings."""
    return TaskCard(
        name="semantic_interpretation",
        suite="understanding",
        request_type="Interpret",
        reads="text",
        metrics=settings.metrics,
        ranks_by=settings.metrics[0],
        controls=("shuffled_tokens", "class_name"),
        summary="how well an image's own words fit it, by CLIP and without a language model",
    )
