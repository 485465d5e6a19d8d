"""Lessons: what a training step asks about scenes (a task and prompts), and the right answers."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.baselines.visionllm.model import BOX, TupleLayout
from frostbench.baselines.visionllm.scenes import ShownScene
from frostbench.baselines.visionllm.tuple_loss import Wanted
from frostbench.baselines.visionllm.wording import (
    Instruction,
    InstructionPart,
    InstructionWording,
    MarkValues,
    parts_of,
)


@dataclass(frozen=True)
class Mixture:
    """Relative frequencies with which tasks are drawn; the paper's were not found."""

    detection: float = 1.0
    segmentation: float = 0.0
    grounding: float = 0.0
    caption: float = 0.0
    question: float = 0.0


@dataclass(frozen=True)
class LessonSettings:
    """How prompts are drawn; ours, since the paper only says that all of it is random.

    Attributes:
        classes: The fewest and the most classes of a prompt.
        asked: Probability that the class of a thing in the image is in the prompt.
        points: The fewest and the most points of a contour.
        mixture: How often each task is drawn.
        prompt: Which of a task's prompts is used, counted from 0; -1 draws one a step.
    """

    classes: tuple[int, int] = (4, 12)
    asked: float = 0.75
    points: tuple[int, int] = (8, 24)
    mixture: Mixture = field(default_factory=Mixture)
    prompt: int = -1


@dataclass(frozen=True, eq=False)
class Lesson:
    """One step's prompts about some scenes, and the right answers.

    With a `layout`, tuples are wanted, for the things of each scene in the rows `shown`; otherwise
    `answers` are texts.
    """

    task: Instruction
    prompts: tuple[tuple[InstructionPart, ...], ...]
    layout: TupleLayout | None = None
    wanted: Wanted | None = None
    class_counts: tuple[int, ...] = ()
    answers: tuple[str, ...] = ()
    shown: tuple[tuple[int, ...], ...] | None = None


class InstructionLessons:
    """Draws the lesson of each step; the same for the same step and seed."""

    def __init__(
        self,
        names: Sequence[str],
        wording: InstructionWording,
        settings: LessonSettings,
        half_range: int,
        seed: int,
    ) -> None:
        self._names, self._wording, self._settings = list(names), wording, settings
        self._half_range, self._seed = half_range, seed

    def __call__(self, step: int, scenes: Sequence[ShownScene]) -> Lesson:
        """The lesson of a step."""
        draw = random.Random(f"{self._seed} {step}")
        mixture = asdict(self._settings.mixture)
        task = draw.choices(list(mixture), list(mixture.values()))[0]
        match task:
            case "detection":
                return self.tuples("detection", scenes, BOX, draw)
            case "segmentation":
                points = draw.randint(*self._settings.points)
                return self.tuples("segmentation", scenes, TupleLayout("contour", points), draw)
            case "grounding":
                return self.grounding(scenes, draw)
            case "caption":
                answers = [scene.caption for scene in scenes]
                return self._texts("caption", [MarkValues() for _ in scenes], answers, draw)
            case "question":
                drawn = [draw.choice(scene.questions) for scene in scenes]
                asked = [MarkValues(question=text) for text, _ in drawn]
                return self._texts("question", asked, [right[0] for _, right in drawn], draw)
        raise AssertionError(task)

    def tuples(
        self,
        task: Instruction,
        scenes: Sequence[ShownScene],
        layout: TupleLayout,
        draw: random.Random,
    ) -> Lesson:
        """Everything of some classes: most classes of the scenes, and others."""
        prompt = self._prompt(task, draw)
        # Equally many classes for every scene, so that prompts have like lengths.
        count = draw.randint(*self._settings.classes)
        prompts, classes, points, shown, sizes = [], [], [], [], []
        for scene in scenes:
            asked = self._dictionary(scene, count, draw)
            order = {name: index for index, name in enumerate(asked)}
            rows = [row for row, name in enumerate(scene.names) if name in order]
            filling = MarkValues(asked, layout=layout, half_range=self._half_range)
            prompts.append(parts_of(prompt, filling, self._wording))
            classes += [order[scene.names[row]] for row in rows]
            points.append(_points(scene, layout)[rows])
            shown.append(tuple(rows))
            sizes.append(len(asked))
        counts = tuple(map(len, shown))
        wanted = Wanted(torch.tensor(classes, dtype=torch.long), torch.cat(points), counts)
        return Lesson(task, tuple(prompts), layout, wanted, tuple(sizes), shown=tuple(shown))

    def grounding(self, scenes: Sequence[ShownScene], draw: random.Random) -> Lesson:
        """One thing of each scene by an expression, which is the only class."""
        prompt = self._prompt("grounding", draw)
        rows = [draw.randrange(len(scene.expressions)) for scene in scenes]
        prompts = tuple(
            parts_of(
                prompt,
                MarkValues(
                    expression=scene.expressions[row], layout=BOX, half_range=self._half_range
                ),
                self._wording,
            )
            for scene, row in zip(scenes, rows, strict=True)
        )
        points = [
            _points(scene, BOX)[row : row + 1] for scene, row in zip(scenes, rows, strict=True)
        ]
        classes = torch.zeros(len(scenes), dtype=torch.long)
        ones = (1,) * len(scenes)
        wanted = Wanted(classes, torch.cat(points), ones)
        shown = tuple((row,) for row in rows)
        return Lesson("grounding", prompts, BOX, wanted, ones, shown=shown)

    def _texts(
        self,
        task: Instruction,
        asked: Sequence[MarkValues],
        answers: Sequence[str],
        draw: random.Random,
    ) -> Lesson:
        prompt = self._prompt(task, draw)
        prompts = tuple(parts_of(prompt, one, self._wording) for one in asked)
        return Lesson(
            task, prompts, answers=tuple(self._wording.answer + answer for answer in answers)
        )

    def _dictionary(self, scene: ShownScene, count: int, draw: random.Random) -> tuple[str, ...]:
        """Classes in random order, so that a class word means what this prompt says."""
        shown = list(dict.fromkeys(scene.names))
        asked = [name for name in shown if draw.random() < self._settings.asked][:count]
        others = len(set(self._names) - set(shown))
        wanted = min(count, len(asked) + others)
        while len(asked) < wanted:
            name = draw.choice(self._names)
            if name not in asked and name not in shown:
                asked.append(name)
        draw.shuffle(asked)
        return tuple(asked)

    def _prompt(self, task: Instruction, draw: random.Random) -> str:
        prompts = self._wording.prompts(task)
        drawn = draw.choice(prompts)
        return drawn if self._settings.prompt < 0 else prompts[self._settings.prompt]


def _points(scene: ShownScene, layout: TupleLayout) -> Float[Tensor, "n p 2"]:
    """The points of a layout for everything in a scene, in parts of the image."""
    if layout.shape == "box":
        return scene.boxes.view(-1, 2, 2)
    return resampled(scene.contours, layout.points)


def resampled(fine: Float[Tensor, "n f 2"], points: int) -> Float[Tensor, "n {points} 2"]:
    """Fewer points of closed contours, at equal steps between theirs."""
    count = fine.shape[1]
    at = torch.arange(points) * count / points
    low = at.long()
    share = (at - low)[:, None]
    return fine[:, low] * (1 - share) + fine[:, (low + 1) % count] * share
