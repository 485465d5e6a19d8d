"""How VisionLLM is asked once it is trained. Importing this loads no torch."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Wordings: TypeAlias = Literal["drawn", "first"]
NoObject: TypeAlias = Literal["ranked", "dropped", "none"]

PUBLISHED_CLASSES = 80  # of one prompt: all of COCO, and each of 16 prompts for LVIS


@dataclass(frozen=True)
class InferenceSettings:
    """How prompts are made, and how answered tuples are filtered.

    Attributes:
        wording: Which of a task's prompts is used: one drawn from the request's seed, as in
            training, or the first. The paper finds that it hardly matters (its figure 6).
        shuffled: The order of the dictionary of classes is drawn from the request's seed; otherwise
            it is the request's order.
        classes_per_prompt: The most classes of one prompt; more are asked for in several prompts,
            whose answers are joined. None is the paper's 80, or the number of class words if that
            is smaller.
        points: Points of a contour. The paper's main figure for masks is for 24 points.
        no_object: What the outcome "no object" does; the paper does not say. "ranked": each tuple
            has its likeliest class, with its probability among all classes and no object.
            "dropped": the same, without tuples that are likelier no object. "none": probabilities
            are among the classes alone, so that every image token is a thing.
        threshold: The least score of a tuple that is kept; not found in the paper.
        most: The most tuples that are kept, by score; COCO counts 100.
        caption_tokens: Tokens of a caption at most.
        answer_tokens: Tokens of an answer at most.
        stop: What ends captions and answers besides the end of sequence.
    """

    wording: Wordings = "drawn"
    shuffled: bool = True
    classes_per_prompt: int | None = None
    points: int = 24
    no_object: NoObject = "ranked"
    threshold: float = 0.0
    most: int = 100
    caption_tokens: int = 64
    answer_tokens: int = 32
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts = {
            "classes_per_prompt": 1 if self.classes_per_prompt is None else self.classes_per_prompt,
            "most": self.most,
            "caption_tokens": self.caption_tokens,
            "answer_tokens": self.answer_tokens,
        }
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"method.visionllm.{name} is at least 1, not {count}.")
        if self.points < 3:
            raise ValueError(
                f"a contour has 3 points or more; method.visionllm.points is {self.points}."
            )
        if not 0 <= self.threshold <= 1:
            raise ValueError(
                f"a score lies from 0 to 1; method.visionllm.threshold is {self.threshold}."
            )
