"""The prompts made from a request: their wording, and their dictionaries of classes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from frostbench.baselines.visionllm.inference import InferenceSettings
from frostbench.baselines.visionllm.model import BOX, GuidedTokens, TupleLayout
from frostbench.baselines.visionllm.wording import (
    Instruction,
    InstructionPart,
    InstructionWording,
    MarkValues,
    parts_of,
)
from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.requests import Answer, Caption
from frostbench.plugins.contract.seeds import seed_of


@dataclass(frozen=True)
class Instructed:
    """A prompt before it is read: its parts, and the names that its class words stand for."""

    parts: tuple[InstructionPart, ...]
    names: tuple[str, ...]
    layout: TupleLayout


@dataclass(frozen=True, eq=False)
class Guided:
    """A prompt, and the image tokens for it."""

    prompt: Instructed
    seen: GuidedTokens


@dataclass(frozen=True)
class Instructions:
    """Makes prompts, all of one request in one wording.

    Attributes:
        classes: The most classes of one prompt.
        half_range: The largest offset that a location word can express.
    """

    wording: InstructionWording
    settings: InferenceSettings
    classes: int
    half_range: int

    def of_classes(self, request: Detect | SegmentInstances) -> list[Instructed]:
        """As many prompts as the request's classes need.

        A shuffled dictionary does not depend on the request's order of classes.
        """
        names = list(request.classes)
        if self.settings.shuffled:
            names.sort()
            random.Random(seed_of(request.seed, "dictionary")).shuffle(names)
        task: Instruction = "detection" if isinstance(request, Detect) else "segmentation"
        layout = (
            BOX if isinstance(request, Detect) else TupleLayout("contour", self.settings.points)
        )
        prompt = self._prompt(task, request.seed)
        return [
            self._instructed(prompt, MarkValues(classes=part, layout=layout), part, layout)
            for part in _cut(names, self.classes)
        ]

    def of_phrases(self, request: Locate) -> list[Instructed]:
        """One prompt for each phrase, which is its only class."""
        prompt = self._prompt("grounding", request.seed)
        return [
            self._instructed(prompt, MarkValues(expression=phrase, layout=BOX), (phrase,), BOX)
            for phrase in request.phrases
        ]

    def of_text(self, request: Caption | Answer) -> Instructed:
        """The prompt for a caption or an answer."""
        task: Instruction = "caption" if isinstance(request, Caption) else "question"
        asked = (
            MarkValues(question=request.question) if isinstance(request, Answer) else MarkValues()
        )
        return self._instructed(self._prompt(task, request.seed), asked, (), BOX)

    def _prompt(self, task: Instruction, seed: int) -> str:
        prompts = self.wording.prompts(task)
        drawn = self.settings.wording == "drawn"
        return prompts[seed_of(seed, "wording") % len(prompts) if drawn else 0]

    def _instructed(
        self, prompt: str, asked: MarkValues, names: Sequence[str], layout: TupleLayout
    ) -> Instructed:
        filled = MarkValues(
            asked.classes, asked.expression, asked.question, asked.layout, self.half_range
        )
        return Instructed(parts_of(prompt, filled, self.wording), tuple(names), layout)


def _cut(names: Sequence[str], most: int) -> list[tuple[str, ...]]:
    return [tuple(names[at : at + most]) for at in range(0, len(names), most)]
