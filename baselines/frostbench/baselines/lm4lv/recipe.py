"""The recipes that train LM4LV's adapters on a pack's images, restoration by restoration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from frostbench.baselines.lm4lv.figures import figures
from frostbench.baselines.lm4lv.linear import LinearMaps, fit
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.baselines.lm4lv.pairs import FeaturePairs, FeaturePool, tasks_of
from frostbench.baselines.lm4lv.reader import reader_of
from frostbench.baselines.lm4lv.training import Losses, Objective, predicted
from frostbench.baselines.lm4lv.weights import LORA, Trained, load, save
from frostbench.baselines.lm4lv.wording import Frame, Wording, frame
from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.backbones.adapters import LoraSettings, save_adapter
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.mae import MAE
from frostbench.plugins.contract.method import Backbones
from frostbench.plugins.contract.prompts import Adapter
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.loop import Stateful
from frostbench.plugins.parts.training.processes import Descent, Processes
from frostbench.plugins.parts.training.schedules import linear_fall, rise, set_rate

DEGRADATIONS = ("denoising", "deblurring", "pepper_noise", "deraining", "mask_removal")


@dataclass(frozen=True)
class LM4LVRecipe:
    """What is trained and how, for the `mini` pack.

    The published training (LLaMA-2-7B-chat, one restoration a training) took Adam (0.9, 0.95) at
    3e-4, 10 % warm-up and then linearly to 0, 2 epochs of 595k pairs, 256 a step, clipped at 1.

    Attributes:
        method: The folder of the method's weights in the pack.
        name: The folder of this training in it.
        corruptions: What it restores. Published trainings have one; several share the two linear
            maps and differ in their task tokens.
        start: A training of the same method from whose linear maps, and LoRA if any, this one
            starts; with its own name, it continues from its own weights.
        wording: The prompt; blanks stand before words, as for a byte-level tokenizer.
        task_tokens: Learned embeddings for each restoration (T); 10 as published.
        each: Pairs of every task in a step.
        own_steps: Steps of a second stage, which reads the adapters' own features as restoring
            does; 0 as published. Teacher forcing alone makes features that continue true ones,
            which restoring has not.
        own_rate: The highest rate of that stage.
        batches: Batches in the pool, which training uses again and again.
        bfloat16: Compute in that type where it is safe.
        lora_rank: Rank of a LoRA beside the adapters, 0 for none; 32 in the published variant, on
            the four projections of attention, whatever the language model calls them.
        lora_alpha: The LoRA's output is multiplied by this and divided by the rank; 64 as
            published.
        input_gain: Factor on the initial map into the language model, so that features come at the
            scale of its embeddings; 1 as published.
    """

    method: str = "lm4lv"
    name: str = "degradations"
    corruptions: tuple[str, ...] = DEGRADATIONS
    start: str = ""
    task_tokens: int = 10
    objective: Objective = field(
        default_factory=lambda: Objective(loss_on_input_image=False, text_weight=0.0)
    )
    wording: Wording = field(
        default_factory=lambda: Wording(
            human="### Human:", begin=" <Img>", assistant="\n### Assistant:"
        )
    )
    each: int = 4
    batches: int = 600
    steps: int = 3500
    own_steps: int = 850
    own_rate: float = 1e-3
    rate: float = 3e-3
    warm_up: float = 0.1  # share of the steps
    clip: float = 1.0
    input_gain: float = 0.3
    bfloat16: bool = False
    lora_rank: int = 0
    lora_alpha: int = 32
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "out_proj")
    linear_batches: int = 40  # batches to fit the linear maps of `no_llm`
    restored: int = 16  # validation images of each task for the figures
    log_every: int = 25
    save_every: int = 50

    @property
    def lora(self) -> LoraSettings | None:
        """Sizes of the LoRA, if there is to be one."""
        if not self.lora_rank:
            return None
        return LoraSettings(self.lora_rank, self.lora_alpha, self.lora_targets)

    def rate_at(self, step: int, *, own: bool = False) -> float:
        """The learning rate of a step of a stage, counted from 0."""
        rate, steps = (self.own_rate, self.own_steps) if own else (self.rate, self.steps)
        warm = max(1, round(self.warm_up * steps))
        return rate * rise(step + 1, warm) * linear_fall(step, warm, steps)


_FROZEN = LM4LVRecipe()
_LORA = replace(_FROZEN, method="lm4lv_lora", lora_rank=16)


def _turned(default: LM4LVRecipe, corruption: str) -> LM4LVRecipe:
    """Settings for turning or flipping images back, starting from the maps of the degradations."""
    return replace(
        default,
        name=corruption,
        corruptions=(corruption,),
        start=default.name,
        each=6,
        steps=400,
        own_steps=0,
    )


RECIPES: Mapping[str, LM4LVRecipe] = {
    f"{default.method}{suffix}": settings
    for default in (_FROZEN, _LORA)
    for suffix, settings in (
        ("", default),
        ("_rotation", _turned(default, "rotation")),
        ("_flipping", _turned(default, "flipping")),
    )
}
"""The trainings of the `mini` pack by the names of their recipes."""


PAIRS = 595_375
"""Number of clean images of the published trainings, LLaVA's pretraining set of CC3M."""


def published(default: LM4LVRecipe) -> LM4LVRecipe:
    """A training with the published sizes and schedule, for one restoration: denoising."""
    each, epochs = 256, 3 if default.lora_rank else 2
    return replace(
        default,
        name="denoising",
        corruptions=("denoising",),
        start="",
        task_tokens=10,
        objective=Objective(),
        wording=Wording(),
        each=each,
        steps=epochs * PAIRS // each,
        own_steps=0,
        rate=3e-4,
        input_gain=1.0,
        bfloat16=True,
        lora_rank=32 if default.lora_rank else 0,
        lora_alpha=64,
        lora_targets=("q_proj", "k_proj", "v_proj", "o_proj"),
    )


def read_settings(name: str, workshop: Workshop) -> LM4LVRecipe:
    """The settings of the training by the recipe of that name.

    Raises:
        ValueError: a setting is unknown.
    """
    default = published(RECIPES[name]) if workshop.published else RECIPES[name]
    return stored.override(default, workshop.settings, name)


def _train(name: str, workshop: Workshop) -> Report:
    """Train by the recipe of that name; see `train_on`.

    Raises:
        ValueError: backbones, pairs or another training are missing, or a setting is unknown.
    """
    settings = read_settings(name, workshop)
    entries = [
        BackboneEntry("llm", "causal_lm", str(workshop.pack / "llm")),
        BackboneEntry("mae", "mae", str(workshop.pack / "mae")),
    ]
    return train_on(workshop, settings, SharedBackbones(entries, workshop.device))


train = partial(_train, "lm4lv")
train_rotation = partial(_train, "lm4lv_rotation")
train_flipping = partial(_train, "lm4lv_flipping")
train_lora = partial(_train, "lm4lv_lora")
train_lora_rotation = partial(_train, "lm4lv_lora_rotation")
train_lora_flipping = partial(_train, "lm4lv_lora_flipping")


def train_on(workshop: Workshop, settings: LM4LVRecipe, backbones: Backbones) -> Report:
    """Train with loaded backbones, store in `pack/METHOD/NAME`, and measure what is stored.

    Raises:
        ValueError: backbones, pairs or the training to begin with are missing or do not fit.
    """
    torch.manual_seed(workshop.seed)
    lm: CausalLM = backbones.get("llm")
    mae: MAE = backbones.get("mae")
    tasks = tasks_of(workshop, settings.corruptions)
    adapters = _begin(
        workshop,
        settings,
        AdapterSettings(mae.width, lm.width, settings.task_tokens, tasks, settings.wording),
    )
    pool = FeaturePool(workshop, mae, tasks, "base", settings.each, settings.batches)
    texts = frame(settings.wording, lm)
    start = workshop.pack / settings.method / settings.start if settings.start else None
    reader, learned, peft = reader_of(lm, settings.lora, start)
    trained = nn.ParameterList([*adapters.parameters(), *learned])
    processes = Processes(workshop)
    training = AdapterTraining(reader, adapters, texts, trained, pool, settings, processes)
    name = f"{settings.method}-{settings.name}"
    progress = recipe.TrainingProgress()
    for own, steps in ((False, settings.steps), (True, settings.own_steps)):
        if not steps:
            continue
        stage = recipe.train(
            workshop,
            f"{name}-own" if own else name,
            training.parts(),
            partial(training.step, own=own),
            steps,
            processes,
            log_every=settings.log_every,
            save_every=settings.save_every,
        )
        progress = progress.then(stage)
    if processes.rank:
        return progress.report({}, settings)  # the first process stores and measures
    folder = workshop.folder(settings.method) / settings.name
    if peft is not None:
        save_adapter(peft, folder / LORA)
    adapter = None if peft is None else Adapter(name, folder / LORA)
    linear = _linear(workshop, settings, mae, tasks)
    save(folder, Trained(adapters.eval(), linear, adapter))
    measured = figures(workshop, backbones, load(folder), settings.restored)
    return progress.report(
        measured | {"numbers": float(sum(part.numel() for part in trained))}, settings
    )


class AdapterTraining:
    """The optimiser, and what happens in a step."""

    def __init__(
        self,
        reader: CausalLM,
        adapters: Adapters,
        texts: Frame,
        trained: nn.ParameterList,
        pool: Callable[[int], FeaturePairs],
        settings: LM4LVRecipe,
        processes: Processes,
    ) -> None:
        self.reader, self.adapters, self.texts = reader, adapters, texts
        self.pool, self.settings, self.processes = pool, settings, processes
        self.trained = trained
        self.optimiser = torch.optim.Adam(trained, settings.rate, betas=(0.9, 0.95))
        self._descent = Descent(processes, list(trained))

    def parts(self) -> Mapping[str, Stateful]:
        """Everything that a resumed training needs."""
        return {"adapters": self.trained, "optimiser": self.optimiser}

    def predict(self, pairs: FeaturePairs, *, own: bool = False) -> Losses:
        """The loss of a share of a batch, with `own` in the second stage."""
        with self.processes.precision(bfloat16=self.settings.bfloat16):
            return predicted(
                self.reader, self.adapters, self.texts, pairs, self.settings.objective, own=own
            )

    def step(self, index: int, *, own: bool = False) -> Mapping[str, float]:
        """Train on the pairs of a step, with `own` one of the second stage."""
        set_rate(self.optimiser, self.settings.rate_at(index, own=own))
        lost: list[Losses] = []

        def lose(pairs: FeaturePairs) -> Tensor:
            lost.append(self.predict(pairs, own=own))
            return lost[-1].total

        shares = self.processes.shares(self.pool, index)
        self.optimiser.zero_grad(set_to_none=True)
        self._descent.backward([partial(lose, pairs) for pairs in shares])
        self.processes.clip(self._descent.trained, self.settings.clip)
        self.optimiser.step()
        return {
            "clean": torch.stack([one.clean for one in lost]).mean().item(),
            "degraded": torch.stack([one.degraded for one in lost]).mean().item(),
        }


def _begin(workshop: Workshop, settings: LM4LVRecipe, sizes: AdapterSettings) -> Adapters:
    """New adapters, or those of another training with new task tokens.

    Raises:
        ValueError: the other training is missing, or of other widths.
    """
    adapters = Adapters(sizes)
    with torch.no_grad():
        adapters.adapter.weight.mul_(settings.input_gain)
    if not settings.start:
        return adapters.to(workshop.device)
    other = load(workshop.pack / settings.method / settings.start).adapters
    if (other.settings.width, other.settings.llm_width) != (sizes.width, sizes.llm_width):
        raise ValueError(
            f"training {settings.start!r} maps features of {other.settings.width} to embeddings of "
            f"{other.settings.llm_width}, and these backbones have {sizes.width} and "
            f"{sizes.llm_width}."
        )
    if other.settings == sizes:  # the same restorations, so their task tokens are used too
        return other.requires_grad_(True).to(workshop.device)
    adapters.adapter.load_state_dict(other.adapter.state_dict())
    adapters.deadapter.load_state_dict(other.deadapter.state_dict())
    return adapters.to(workshop.device)


def _linear(
    workshop: Workshop, settings: LM4LVRecipe, mae: MAE, tasks: tuple[str, ...]
) -> LinearMaps:
    """The maps of `no_llm`, each fitted to pairs of its own task."""
    maps = LinearMaps(len(tasks), mae.width)
    for row, task in enumerate(tasks):
        batches = settings.linear_batches
        pool = FeaturePool(workshop, mae, (task,), "base", 4 * settings.each, batches)
        pairs = (pool(index) for index in range(len(pool)))
        maps.set(row, *fit(((one.degraded, one.clean) for one in pairs), mae.width))
    return maps
