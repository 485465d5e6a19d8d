"""The mini pack's frozen language models: small causal models, trained on text alone.

The first is of the LFM2 class of transformers: short convolutions and attention in turn. The
second, for swapping, is a smaller Llama that reads with a smaller tokenizer of its own. Both start
near matching by content (`wiring.py`), which a Llama takes far longer to find from random weights.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from frostbench.packs.mini.recipes.llm.curriculum import Curriculum, batch
from frostbench.packs.mini.recipes.llm.figures import FEW_SHOT, MORE_FEW_SHOT, measure
from frostbench.packs.mini.recipes.llm.wiring import wire, wire_llama
from frostbench.packs.mini.recipes.text.corpus import read_text
from frostbench.packs.mini.recipes.text.exercises import ExerciseRow, PieceRows
from frostbench.packs.mini.recipes.text.plain_text import PlainText
from frostbench.packs.mini.recipes.text.tokenizer import (
    LONGEST,
    VOCABULARY,
    load_tokenizer,
    train_tokenizer,
)
from frostbench.plugins.backbones.precision import Precision, rounded, write
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.training.loop import Stateful, TrainingProgress, train
from frostbench.plugins.parts.training.schedules import cosine_fall, rise, set_rate


@dataclass(frozen=True)
class LanguageModelSettings:
    """Sizes and schedule. Token counts are per step; the rate is the highest one."""

    family: Literal["lfm2", "llama"] = "lfm2"
    vocabulary: int = VOCABULARY  # entries of the tokenizer, if the pack has none yet
    wired: bool = True  # initial weights near matching by content, or all random
    width: int = 256
    layers: int = 4
    heads: int = 4
    inner: int = 512
    spread: float = 0.05  # standard deviation of initial weights
    steps: int = 9500
    minutes: float = 75.0
    rate: float = 1.5e-3
    warm_up: int = 50
    cool_down: float = 0.3  # share of the steps over which the rate falls to a twentieth
    decay: float = 0.02
    text_tokens: int = 600
    exercise_tokens: int = 2400
    revision: float = 0.15  # share of exercises from a level at or below the present one
    longest: int = 1280  # tokens of the longest row
    positions: int = LONGEST  # tokens of the longest prompt; rotary, so that none is learned
    text_weight: float = 0.3  # of the text's loss beside the answers' loss
    precision: Precision = "byte"  # of the weights, once trained
    log_every: int = 50
    figures_every: int = 500
    figures_rows: int = 200  # exercises for each of the last figures


def build(settings: LanguageModelSettings, vocabulary: int) -> Any:
    """A new model of transformers, wired for matching if the settings say so."""
    from transformers import Lfm2Config, Lfm2ForCausalLM, LlamaConfig, LlamaForCausalLM

    shared = {
        "vocab_size": vocabulary,
        "hidden_size": settings.width,
        "intermediate_size": settings.inner,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "num_key_value_heads": settings.heads,
        "max_position_embeddings": settings.positions,
        "initializer_range": settings.spread,
        "tie_word_embeddings": False,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    match settings.family:
        case "lfm2":
            types = ["full_attention" if layer % 2 else "conv" for layer in range(settings.layers)]
            sizes = {"block_auto_adjust_ff_dim": False, "conv_bias": True}
            model = Lfm2ForCausalLM(Lfm2Config(**shared, **sizes, layer_types=types))
            if settings.wired:
                wire(model)
            return model
        case "llama":
            rotary = {"rope_type": "default", "rope_theta": 1e6}  # as in the LFM2 class
            model = LlamaForCausalLM(
                LlamaConfig(**shared, attention_bias=True, rope_parameters=rotary)
            )
            if settings.wired:
                wire_llama(model)
            return model


def train_llm(workshop: Workshop) -> Report:
    """Train the tokenizer if the pack has none, then the language model, into `pack / "llm"`."""
    return fit(workshop, "llm", read_settings(LanguageModelSettings, workshop.settings, "llm"))


SECOND = {  # about a million weights and half the first one's words
    "family": "llama",
    "vocabulary": "1024",
    "width": "144",
    "inner": "256",
    "steps": "5000",
    "minutes": "55",
}


def train_llama(workshop: Workshop) -> Report:
    """Train a second, smaller model of the Llama class, for swapping, into `pack / "llama"`.

    It reads with a tokenizer of its own, so a swap has to map words by their strings.
    """
    return fit(
        workshop,
        "llama",
        read_settings(LanguageModelSettings, {**SECOND, **workshop.settings}, "llama"),
    )


def fit(workshop: Workshop, name: str, settings: LanguageModelSettings) -> Report:
    """Train a model and write it to `pack / name`, with a tokenizer unless there is one."""
    folder = workshop.pack / name
    prose = read_text(workshop)
    if not (folder / "tokenizer.json").exists():
        train_tokenizer(folder, prose, settings.vocabulary)
    tokenizer = load_tokenizer(folder)
    pieces = PieceRows(tokenizer)
    torch.manual_seed(workshop.seed)
    model = build(settings, len(tokenizer)).to(workshop.device)
    optimiser = torch.optim.AdamW(
        model.parameters(), settings.rate, betas=(0.9, 0.98), weight_decay=settings.decay
    )
    reader = PlainText(pieces, prose)
    curriculum = Curriculum()

    def step(i: int) -> dict[str, float]:
        random = Random(f"{workshop.seed} {i}")
        set_rate(optimiser, settings.rate * pace(i, settings))
        length = random.choice((96, 192, 320))
        rows = [reader.row(random, length) for _ in range(max(1, settings.text_tokens // length))]
        text_loss, _ = losses(model, rows)
        kind = curriculum.choose(random)
        level = curriculum.levels[kind]
        if random.random() < settings.revision:
            level = random.randint(0, level)
        rows = batch(kind, level, random, pieces, settings.exercise_tokens, settings.longest)
        answer_loss, right = losses(model, rows)
        _descend(settings.text_weight * text_loss + answer_loss, model, optimiser)
        solved = float(right.float().mean())
        if level == curriculum.levels[kind]:
            curriculum.saw(kind, solved)
        return {
            "text": text_loss.item(),
            f"{kind} loss": answer_loss.item(),
            f"{kind} solved": solved,
            f"{kind} level": float(curriculum.levels[kind]),
        }

    def stop(progress: TrainingProgress) -> bool:
        late = progress.seconds > 60 * settings.minutes
        if progress.step % settings.figures_every == 0 or late or progress.step == settings.steps:
            figures = measure(model, pieces, reader, min(50, settings.figures_rows))
            workshop.log(f"{name} {progress.step} {json.dumps(figures)}")
            progress.history.append((progress.step, figures))
        return late

    parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "curriculum": curriculum}
    often = {"log_every": settings.log_every, "save_every": 2 * settings.log_every}
    progress = train(workshop, name, parts, step, settings.steps, stop=stop, **often)
    rounded(model, settings.precision)
    save(model, folder, settings.precision)
    shots = {**FEW_SHOT, **MORE_FEW_SHOT}
    return Report(
        steps=progress.step,
        seconds=progress.seconds,
        figures=measure(model, pieces, reader, settings.figures_rows, shots),
        history=tuple(progress.history),
        settings=asdict(settings),
    )


def _descend(loss: Tensor, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()


def pace(i: int, settings: LanguageModelSettings) -> float:
    """The share of the highest rate at step `i`: up, constant, and down along a half cosine."""
    down = settings.steps * (1 - settings.cool_down)
    if i < down:
        return rise(i + 1, settings.warm_up)
    return cosine_fall(i, down, settings.steps, floor=0.05)


def losses(
    model: Any, rows: Sequence[ExerciseRow]
) -> tuple[Float[Tensor, ""], Bool[Tensor, " rows"]]:
    """The weighted mean loss of the targets, and which rows' answers were right in every id."""
    ids, weights = padded(model, rows)
    at = weights[:, 1:] > 0
    with torch.autocast(ids.device.type, torch.bfloat16):
        hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[at])
    targets, weights = ids[:, 1:][at], weights[:, 1:][at]
    loss = functional.cross_entropy(logits.float(), targets, reduction="none")
    wrong = torch.zeros_like(ids[:, 1:], dtype=torch.bool)
    wrong[at] = logits.argmax(-1) != targets
    right = [
        not wrong[place, len(row.ids) - 1 - row.answer : len(row.ids) - 1].any()
        for place, row in enumerate(rows)
    ]
    return (loss * weights).sum() / weights.sum(), torch.tensor(right)


def padded(
    model: Any, rows: Sequence[ExerciseRow]
) -> tuple[Int[Tensor, "rows n"], Float[Tensor, "rows n"]]:
    """Ids and weights of rows, padded on the right, where a causal model needs no mask."""
    longest = max(len(row.ids) for row in rows)
    device = next(model.parameters()).device
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    weights = torch.zeros(len(rows), longest)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        weights[place, : len(row.ids)] = torch.tensor(row.weights)
    return ids.to(device), weights.to(device)


def save(model: Any, folder: Path, precision: Precision) -> None:
    """Write config and weights to `folder`, replacing the weights atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.dtype = "float16"
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    write(folder / "model.safetensors", model.state_dict(), precision)
