"""The recipe that trains a LoRA adapter to restore masked words, the language model frozen.

Zhu et al., CVPR 2024, https://arxiv.org/abs/2403.07874: 30 % of an image's local words are masked,
and LLaMA-2 with a LoRA predicts them. Only the adapter's sizes are published; data, prompt and
schedule are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter, save_adapter
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.method import Backbones
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.prompting.shared_vocabulary import share_vocabulary
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.pool import SEEDS, Pool
from frostbench.plugins.parts.training.schedules import cosine_fall, rise, set_rate
from frostbench.v2l.adapter_figures import figures
from frostbench.v2l.codebook import load_words
from frostbench.v2l.masked_exercises import (
    Exercises,
    Masking,
    WordLikeness,
    answered,
    make_exercises,
)
from frostbench.v2l.model import V2LTokenizer
from frostbench.v2l.weights import load

NAME = "v2l_adapter"

# The mini pack's LFM2: every linear layer. With `wq` and `wk` alone, as published, its adapter
# predicts the right word more often than the frozen model, but the images are no better.
MINI_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "in_proj", "w1", "w2", "w3")


@dataclass(frozen=True)
class AdapterRecipe:
    """What is trained and how, for the `mini` pack; all but the adapter's rank and scale is ours.

    Attributes:
        lora: Sizes of the adapter; `LoraSettings()` are the published ones.
        masking: What is hidden, and the prompt.
        batch: Images in a batch, and exercises in a step.
        batches: Batches of images in the pool.
        draws: Rounds through the pool for exercises, each with other cells hidden, every second one
            with mirrored images.
        steps: Steps of AdamW.
        rate: Learning rate after `warmup_steps`; it falls along half a cosine to 0.
        warmup_steps: Steps in which the rate rises.
        clip: The largest norm of a gradient.
        alike: Squared distance in the projected codebook at which a word counts 1/e of the right
            word in the loss; with 0 only the right word counts. Then the adapter prefers frequent
            words, which are right more often and look wrong where they are not.
        bfloat16: Compute in that type where it is safe.
        validation_batches: Batches of validation images for loss and accuracy.
        restored: Validation images that are restored for the other figures.
    """

    lora: LoraSettings = field(default_factory=lambda: LoraSettings(targets=MINI_TARGETS))
    masking: Masking = field(default_factory=Masking)
    batch: int = 16
    batches: int = 256
    draws: int = 2
    steps: int = 1600
    rate: float = 3e-3
    warmup_steps: int = 50
    clip: float = 1.0
    alike: float = 0.1
    bfloat16: bool = True
    validation_batches: int = 16
    restored: int = 128

    def __post_init__(self) -> None:
        if self.alike < 0:
            raise ValueError(f"alike is a squared distance of 0 or more, not {self.alike}.")

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        up = rise(step + 1, self.warmup_steps)
        return self.rate * up * cosine_fall(step, self.warmup_steps, self.steps)


def train(workshop: Workshop) -> Report:
    """Train on base images, store in `pack/v2l_adapter`, and measure what is stored.

    Needs `pack/llm`, `pack/clip` and `pack/v2l`.

    Raises:
        ValueError: a part or the images are missing, or a setting is unknown.
    """
    settings = stored.override(AdapterRecipe(), workshop.settings, NAME)
    entries = [
        BackboneEntry("llm", "causal_lm", str(workshop.pack / "llm")),
        BackboneEntry("clip", "open_clip", str(workshop.pack / "clip")),
    ]
    return train_on(workshop, settings, SharedBackbones(entries, workshop.device))


def train_on(workshop: Workshop, settings: AdapterRecipe, backbones: Backbones) -> Report:
    """Train with backbones that are loaded already."""
    torch.manual_seed(workshop.seed)
    lm: CausalLM = backbones.get("llm")
    tokenizer = load(workshop.pack / "v2l").to(workshop.device)
    exercises = exercises_of(workshop, "base", tokenizer, lm, settings)
    workshop.log(f"{NAME}: {len(exercises)} exercises of {exercises.inputs.shape[1]} tokens")
    looks = looks_of(workshop, tokenizer, lm, settings.alike)
    model = new_adapter(lm, settings.lora)
    trained = nn.ParameterList(p for p in model.parameters() if p.requires_grad)
    optimiser = torch.optim.AdamW(trained, settings.rate, weight_decay=0.0)

    def step(index: int) -> Mapping[str, float]:
        set_rate(optimiser, settings.rate_at(index))
        torch.manual_seed(workshop.seed * SEEDS + index)  # a resumed training draws the same
        rows = torch.randint(len(exercises), (settings.batch,))
        model.train()
        loss, right = answered(model, exercises, rows, bfloat16=settings.bfloat16, looks=looks)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, settings.clip)
        optimiser.step()
        return {"loss": float(loss.detach()), "accuracy": right}

    progress = recipe.train(
        workshop, NAME, {"adapter": trained, "optimiser": optimiser}, step, settings.steps
    )
    folder = workshop.pack / NAME
    save_adapter(model, folder)
    held_out = exercises_of(workshop, "validation", tokenizer, lm, settings)
    measured = figures(workshop, backbones, folder, held_out, settings.masking, settings.restored)
    return progress.report(
        measured | {"numbers": float(sum(part.numel() for part in trained))}, settings
    )


@torch.no_grad()
def looks_of(
    workshop: Workshop, tokenizer: V2LTokenizer, lm: CausalLM, alike: float
) -> WordLikeness | None:
    """How words look, if that counts in the loss."""
    if alike == 0:
        return None
    shared_words = share_vocabulary(load_words(workshop.pack / "v2l")[0], lm)
    points = tokenizer.codebook()[torch.tensor(shared_words.rows, device=workshop.device)]
    return WordLikeness(
        points, torch.tensor(shared_words.token_map.ids, device=workshop.device), alike
    )


def exercises_of(
    workshop: Workshop,
    split: str,
    tokenizer: V2LTokenizer,
    lm: CausalLM,
    settings: AdapterRecipe,
) -> Exercises:
    """The exercises of a split: those to train on ("base"), or one round of validation."""
    trains = split == "base"
    batches = settings.batches if trains else settings.validation_batches
    pool = Pool(workshop, split, settings.batch, batches)
    rounds = batches * settings.draws if trains else batches
    words, _ = load_words(workshop.pack / "v2l")
    return make_exercises(
        map(pool, range(rounds)), tokenizer, share_vocabulary(words, lm), lm, settings.masking
    )
