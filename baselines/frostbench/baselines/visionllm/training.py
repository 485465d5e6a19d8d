"""The paper's two stages (section 4.1): detection alone, then all tasks with a frozen backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frostbench.baselines.visionllm.lessons import InstructionLessons, Lesson, LessonSettings
from frostbench.baselines.visionllm.matching import Matched, overlap
from frostbench.baselines.visionllm.model import GuidedTokens, VisionLLM, mean_offset
from frostbench.baselines.visionllm.offsets import placed
from frostbench.baselines.visionllm.reading import read_texts, read_tuples, text_batch
from frostbench.baselines.visionllm.scenes import ScenePool, ShownScene, images_of
from frostbench.baselines.visionllm.text import TextReader, language_reader
from frostbench.baselines.visionllm.token_loss import (
    TokenLossSettings,
    naming_loss,
    token_losses,
)
from frostbench.baselines.visionllm.tuple_loss import (
    TupleLossSettings,
    Tuples,
    Wanted,
    hull,
    tuple_losses,
)
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.parts.training.schedules import cosine_fall, rise


@dataclass(frozen=True)
class StageSettings:
    """One of the two stages.

    Attributes:
        steps: Steps of the stage; 50 epochs in all in the paper, whose split was not found.
        images: Images in a step; 32 in the paper.
        rate: AdamW's highest rate; 2e-4 in the paper, falling along a cosine.
        warm_up: Share of the steps in which it rises; not found.
        tokenizer_share: The rate of everything that makes image tokens except the backbone (text
            encoder, cross-attention, Deformable DETR and projector), as a share of `rate`.
        backbone_share: The backbone's, likewise; 0 freezes it, as in the second stage.
        decay: AdamW's weight decay; not found.
        clip: Gradients longer than this, all together, are shortened to it; not found.
        lessons: How prompts are drawn.
        tokens: Weights of L_tok.
        targets: The targets of image tokens: all that is known to be shown, or what is asked for.
            Not found.
        tuples: Weights of L_dec.
        naming: Weight of the names of image tokens, as in the warm-up (ours, 0 in the paper).
        sharpness: Factor on cosines to names.
        pull: See `naming_loss`.
        bfloat16: Compute in that type where it is safe.
    """

    steps: int = 0
    images: int = 32
    rate: float = 2e-4
    warm_up: float = 0.05
    tokenizer_share: float = 1.0
    backbone_share: float = 1.0
    decay: float = 1e-4
    clip: float = 1.0
    lessons: LessonSettings = field(default_factory=LessonSettings)
    tokens: TokenLossSettings = field(default_factory=TokenLossSettings)
    targets: Literal["shown", "asked"] = "asked"
    tuples: TupleLossSettings = field(default_factory=TupleLossSettings)
    naming: float = 0.0
    sharpness: float = 20.0
    pull: float = 8.0
    bfloat16: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = max(1, round(self.warm_up * self.steps))
        return self.rate * rise(step + 1, warm) * cosine_fall(step, warm, self.steps, 0.01)


class StageTraining:
    """The optimiser of a stage, and what happens in a step.

    `adapted` is the language model with the adapter in training; `words` are embeddings of `names`.
    The text encoder reads the language model's tokens, unless a `reader` is given.
    """

    def __init__(
        self,
        model: VisionLLM,
        lm: CausalLM,
        adapted: Any,
        lessons: InstructionLessons,
        pool: ScenePool,
        names: Sequence[str],
        words: Float[Tensor, "k w"],
        settings: StageSettings,
        reader: TextReader | None = None,
    ) -> None:
        self.model, self.lm, self.adapted = model, lm, adapted
        self.reader = reader or language_reader(lm)
        self.lessons, self.pool, self.settings = lessons, pool, settings
        self.rows, self.words = {name: row for row, name in enumerate(names)}, words
        backbone = list(model.tokenizer.detr.backbone.parameters())
        kept = {id(p) for p in backbone}
        parts = (model.tokenizer, model.project, model.where, model.scale)
        tokenizer = [p for part in parts for p in part.parameters() if id(p) not in kept]
        kept |= {id(p) for p in tokenizer}
        rest = [p for p in model.parameters() if id(p) not in kept]
        rest += [p for name, p in adapted.named_parameters() if "lora_" in name]
        for parameter in backbone:
            parameter.requires_grad_(settings.backbone_share > 0)
        self.trained = [*rest, *tokenizer, *(backbone if settings.backbone_share else ())]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": rest, "share": 1.0},
                {"params": tokenizer, "share": settings.tokenizer_share},
                {"params": backbone, "share": settings.backbone_share},
            ],
            settings.rate,
            weight_decay=settings.decay,
        )

    def step(self, index: int) -> Mapping[str, float]:
        """Train on the prompts of a step."""
        torch.manual_seed(index)  # dropout depends on the step alone, as resuming needs
        settings, rate = self.settings, self.settings.rate_at(index)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        scenes = self.pool(index, settings.images)
        lesson = self.lessons(index, scenes)
        self.model.train()
        device = self.lm.device
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.bfloat16):
            seen = self.look(scenes, lesson)
            terms, noted = self._answered(seen, lesson)
        terms = {**terms, **self._tokens(seen, scenes, lesson)}
        total = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.trained, settings.clip)
        self.optimiser.step()
        return {**{name: float(term.detach()) for name, term in terms.items()}, **noted}

    def look(self, scenes: Sequence[ShownScene], lesson: Lesson) -> GuidedTokens:
        """Image tokens of scenes under their prompts."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.settings.backbone_share > 0):
            maps = self.model.maps(images_of(scenes, self.lm.device))
        text = text_batch(self.reader, self.model, lesson.prompts)
        return self.model.see(maps, text.ids, text.mask)

    def _answered(
        self, seen: GuidedTokens, lesson: Lesson
    ) -> tuple[dict[str, Float[Tensor, ""]], dict[str, float]]:
        if lesson.layout is None or lesson.wanted is None:
            read = read_texts(
                self.lm, self.adapted, self.model, seen, lesson.prompts, lesson.answers
            )
            return {lesson.task: read.loss}, {}
        said = read_tuples(
            self.lm,
            self.adapted,
            self.model,
            seen,
            lesson.prompts,
            lesson.layout,
            lesson.class_counts,
        )
        wanted = lesson.wanted.to(self.lm.device)
        with torch.autocast(self.lm.device.type, enabled=False):
            terms, pairs = tuple_losses(said, wanted, self.settings.tuples)
        named = {f"{lesson.task} {name}": term for name, term in terms.items()}
        return named, fitted(said, pairs, wanted, lesson.task)

    def _tokens(
        self, seen: GuidedTokens, scenes: Sequence[ShownScene], lesson: Lesson
    ) -> dict[str, Float[Tensor, ""]]:
        boxes, classes, counts = self._targets(scenes, lesson)
        terms, pairs = token_losses(seen, boxes, counts, self.settings.tokens)
        named = {f"token {name}": term for name, term in terms.items()}
        if self.settings.naming and len(classes):
            naming = naming_loss(
                seen.tokens,
                pairs,
                classes,
                self.words,
                self.settings.sharpness,
                self.settings.pull,
            )
            named["naming"] = self.settings.naming * naming
        return named

    def _targets(
        self, scenes: Sequence[ShownScene], lesson: Lesson
    ) -> tuple[Float[Tensor, "t 4"], Int[Tensor, " t"], list[int]]:
        """Boxes and names of the image tokens' targets."""
        chosen = [list(range(len(scene.names))) for scene in scenes]
        if self.settings.targets == "asked" and lesson.shown is not None:
            chosen = [list(rows) for rows in lesson.shown]
        boxes = torch.cat([scene.boxes[rows] for scene, rows in zip(scenes, chosen, strict=True)])
        classes = [
            self.rows[scene.names[row]]
            for scene, rows in zip(scenes, chosen, strict=True)
            for row in rows
        ]
        device = self.lm.device
        counts = [len(rows) for rows in chosen]
        return boxes.to(device), torch.tensor(classes, dtype=torch.long, device=device), counts


@torch.no_grad()
def fitted(said: Tuples, pairs: Matched, wanted: Wanted, task: str) -> dict[str, float]:
    """How often matched tuples have the right class and a fitting box, and others no object."""
    if not len(pairs.image):
        return {}
    chosen = said.classes.argmax(-1)
    at = pairs.image, pairs.guess
    half = said.places.shape[-1] // 2
    points = placed(mean_offset(said.places[at].float(), half), said.centres[at].float())
    fit = overlap(hull(points), hull(wanted.points[pairs.target]))[0]
    none = chosen == said.classes.shape[-1] - 1
    others = torch.ones_like(none)
    others[at] = False
    return {
        f"{task} right": float((chosen[at] == wanted.classes[pairs.target]).float().mean()),
        f"{task} fit": float((fit >= 0.5).float().mean()),
        f"{task} quiet": float(none[others].float().mean()),
    }
