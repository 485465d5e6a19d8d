"""Figures of a trained VisionLLM on scenes that it was not trained on, for a training's card.

These figures are quick; the suite's own metrics use more scenes, and COCO's tools.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from frostbench.baselines.visionllm.contours import filled
from frostbench.baselines.visionllm.lessons import (
    InstructionLessons,
    Lesson,
    LessonSettings,
    Mixture,
)
from frostbench.baselines.visionllm.matching import overlap
from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.offsets import placed
from frostbench.baselines.visionllm.reading import read_texts, read_tuples, text_batch
from frostbench.baselines.visionllm.scenes import ShownScene, images_of
from frostbench.baselines.visionllm.text import TextReader, language_reader
from frostbench.baselines.visionllm.tuple_loss import Wanted, hull
from frostbench.baselines.visionllm.wording import InstructionWording
from frostbench.plugins.backbones.causal_lm import CausalLM

TOGETHER = 20  # scenes in a batch
CLASSES = 10  # in a prompt
POINTS = 12  # of a contour
SURE = 0.5  # score from which a tuple counts as found, in figures of prompt control
_ASKED = LessonSettings(classes=(CLASSES, CLASSES), asked=1.0, points=(POINTS, POINTS), prompt=0)


@dataclass(frozen=True, eq=False)
class ReadTuples:
    """Tuples of a batch: the likeliest class of each with its probability, and its points."""

    classes: Tensor
    scores: Float[Tensor, "b m"]
    points: Float[Tensor, "b m p 2"]


class Examiner:
    """Asks a trained model about scenes; `adapted` is the language model with its adapter."""

    def __init__(
        self,
        model: VisionLLM,
        lm: CausalLM,
        adapted: Any,
        wording: InstructionWording,
        reader: TextReader | None = None,
    ) -> None:
        self.model, self.lm, self.adapted, self.wording = model, lm, adapted, wording
        self.reader = reader or language_reader(lm)

    @torch.no_grad()
    def figures(self, scenes: Sequence[ShownScene], names: Sequence[str]) -> dict[str, float]:
        """Figures on some scenes, prompted with `names`, only some of which they show.

        AP50 pools all tuples and targets of all classes: one curve of precision over recall.
        """
        measured = self.quick(scenes, names)
        contours = replace(_ASKED, mixture=Mixture(detection=0.0, segmentation=1.0))
        measured["mask AP50"] = self._precision(scenes, names, contours)
        questions = replace(_ASKED, mixture=Mixture(detection=0.0, question=1.0))
        measured["question exact"] = self._texts(scenes, names, questions)
        captions = replace(_ASKED, mixture=Mixture(detection=0.0, caption=1.0))
        measured["caption exact"] = self._texts(scenes, names, captions)
        return measured

    @torch.no_grad()
    def quick(self, scenes: Sequence[ShownScene], names: Sequence[str]) -> dict[str, float]:
        """The box figures alone, for the curve of a training."""
        grounding = replace(_ASKED, mixture=Mixture(detection=0.0, grounding=1.0))
        return {
            "AP50": self._precision(scenes, names, _ASKED),
            **self._control(scenes, names, replace(_ASKED, asked=0.5)),
            "grounding P@0.5": self._grounded(scenes, names, grounding),
        }

    def _precision(
        self, scenes: Sequence[ShownScene], names: Sequence[str], how: LessonSettings
    ) -> float:
        scores: list[float] = []
        hits: list[bool] = []
        total = 0
        for some, lesson, said in self._asked(scenes, names, how):
            assert lesson.wanted is not None
            targets = _targets(lesson.wanted)
            total += sum(len(rows) for rows in targets)
            for image, rows in enumerate(targets):
                fits = _fits(some[image], lesson, said.points[image], image, rows)
                right = said.classes[image][:, None] == lesson.wanted.classes[rows]
                own = said.scores[image]
                scores += own.tolist()
                hits += claimed(own, fits.masked_fill(~right, 0.0))
        return average_precision(scores, hits, total)

    def _control(
        self, scenes: Sequence[ShownScene], names: Sequence[str], how: LessonSettings
    ) -> dict[str, float]:
        """How many things are found, of classes that a prompt names and of others."""
        said_asked: list[bool] = []
        said_others: list[bool] = []
        for some, lesson, said in self._asked(scenes, names, how):
            assert lesson.shown is not None
            for image, scene in enumerate(some):
                sure = said.scores[image] >= SURE
                boxes = hull(said.points[image])[sure]
                for row, box in enumerate(scene.boxes):
                    found = bool((overlap(boxes, box)[0] >= 0.5).any())
                    (said_asked if row in lesson.shown[image] else said_others).append(found)
        return {"said, asked": _mean(said_asked), "said, not asked": _mean(said_others)}

    def _grounded(
        self, scenes: Sequence[ShownScene], names: Sequence[str], how: LessonSettings
    ) -> float:
        right = []
        for _, lesson, said in self._asked(scenes, names, how):
            assert lesson.wanted is not None
            best = said.scores.argmax(1)
            own = hull(said.points[torch.arange(len(best)), best])
            right += (overlap(own, hull(lesson.wanted.points))[0] >= 0.5).tolist()
        return _mean(right)

    def _texts(
        self, scenes: Sequence[ShownScene], names: Sequence[str], how: LessonSettings
    ) -> float:
        whole = []
        lessons = self._lessons(names, how)
        for step, some in enumerate(_batches(scenes)):
            lesson = lessons(step, some)
            seen = self._seen(some, lesson)
            read = read_texts(
                self.lm, self.adapted, self.model, seen, lesson.prompts, lesson.answers
            )
            whole += read.whole
        return _mean(whole)

    def _asked(
        self, scenes: Sequence[ShownScene], names: Sequence[str], how: LessonSettings
    ) -> Iterator[tuple[Sequence[ShownScene], Lesson, ReadTuples]]:
        # A small vocabulary may have fewer class words than that.
        most = min(CLASSES, self.model.settings.vocabulary.class_words)
        points = min(POINTS, self.model.settings.slots.most_points)
        how = replace(how, classes=(most, most), points=(points, points))
        lessons = self._lessons(names, how)
        for step, some in enumerate(_batches(scenes)):
            lesson = lessons(step, some)
            assert lesson.layout is not None
            said = read_tuples(
                self.lm,
                self.adapted,
                self.model,
                self._seen(some, lesson),
                lesson.prompts,
                lesson.layout,
                lesson.class_counts,
            )
            scores, best = said.classes.softmax(-1)[..., :-1].max(-1)
            found = placed(self.model.offsets(said.places), said.centres.float())
            yield some, lesson, ReadTuples(best.cpu(), scores.cpu(), found.cpu())

    def _lessons(self, names: Sequence[str], how: LessonSettings) -> InstructionLessons:
        return InstructionLessons(
            names, self.wording, how, self.model.settings.vocabulary.half_range, 0
        )

    def _seen(self, scenes: Sequence[ShownScene], lesson: Lesson) -> Any:
        text = text_batch(self.reader, self.model, lesson.prompts)
        maps = self.model.maps(images_of(scenes, self.lm.device))
        return self.model.see(maps, text.ids, text.mask)


def claimed(scores: Float[Tensor, " m"], fits: Float[Tensor, "m t"]) -> list[bool]:
    """Which predictions hit: the most certain first, each takes its best free target at IoU 0.5."""
    hits = [False] * len(scores)
    left = fits.clone()
    for row in scores.argsort(descending=True, stable=True).tolist():
        if not left.shape[1]:
            break
        best = int(left[row].argmax())
        if left[row, best] >= 0.5:
            hits[row] = True
            left[:, best] = -1
    return hits


def average_precision(scores: Sequence[float], hits: Sequence[bool], total: int) -> float:
    """The area under precision over recall, with precision made monotone; 0 without targets.

    >>> average_precision([0.9, 0.8, 0.7], [True, False, True], 2)
    0.8333333333333333
    """
    order = sorted(range(len(scores)), key=lambda row: -scores[row])
    right, best, area = 0, 0.0, 0.0
    precisions = []
    for count, row in enumerate(order, 1):
        right += hits[row]
        if hits[row]:
            precisions.append(right / count)
    for precision in reversed(precisions):
        best = max(best, precision)
        area += best
    return area / total if total else 0.0


def _targets(wanted: Wanted) -> list[list[int]]:
    """The rows of each image's targets."""
    starts = [sum(wanted.counts[:image]) for image in range(len(wanted.counts))]
    return [
        list(range(start, start + count))
        for start, count in zip(starts, wanted.counts, strict=True)
    ]


def _fits(
    scene: ShownScene,
    lesson: Lesson,
    points: Float[Tensor, "m p 2"],
    image: int,
    rows: Sequence[int],
) -> Float[Tensor, "m t"]:
    """Intersection over union of every tuple and target: of boxes, or of filled contours."""
    assert lesson.layout is not None
    assert lesson.wanted is not None
    assert lesson.shown is not None
    if lesson.layout.shape == "box":
        return overlap(hull(points)[:, None], hull(lesson.wanted.points[rows]))[0]
    height, width = scene.masks.shape[1:]
    sides = torch.tensor([width, height])
    masks = torch.stack([filled(one * sides, height, width) for one in points])
    return _mask_overlap(masks, scene.masks[list(lesson.shown[image])])


def _mask_overlap(
    first: Bool[Tensor, "m h w"], second: Bool[Tensor, "t h w"]
) -> Float[Tensor, "m t"]:
    one, other = first.flatten(1).float(), second.flatten(1).float()
    shared = one @ other.T
    union = one.sum(1)[:, None] + other.sum(1) - shared
    return shared / union.clamp(min=1)


def _batches(scenes: Sequence[ShownScene]) -> Iterator[Sequence[ShownScene]]:
    for start in range(0, len(scenes), TOGETHER):
        yield scenes[start : start + TOGETHER]


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
