"""The mini pack's multimodal model: a small LLaVA that describes scenes and answers questions.

Liu et al., "Visual Instruction Tuning", 2023, https://arxiv.org/abs/2304.08485: a CLIP image tower,
a projector and a language model (here the pack's Llama, which can already match by content), in the
classes of transformers. All parts train, on captions, questions and answers of base-class scenes.

The published towers come from CLIP's training on 400 million images; that of a small pack has
to learn what it sees here. So a first stage teaches the tower and the projector alone: each grid
cell of the image, as the language model will read it, should be near the embedded name of what it
shows. No attention map of the language model is ever supervised.
"""

import json
import math
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from frostbench.packs.mini.recipes.lmm.figures import measure
from frostbench.packs.mini.recipes.lmm.lessons import (
    IMAGE,
    MEAN,
    ROLES,
    STD,
    Conversations,
    Lessons,
)
from frostbench.packs.mini.recipes.lmm.muon import Muon
from frostbench.packs.mini.recipes.lmm.tower import settle
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.precision import Precision, rounded, write
from frostbench.plugins.backbones.pretrained import load_pretrained
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.loop import Stateful, TrainingProgress
from frostbench.plugins.parts.training.schedules import cosine_fall, rise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LONGEST = 512  # tokens
NOTE = (
    "Names of validation and novel classes were never learned with an image, so that `what` and "
    "`names` cannot be right there. The image tower was also taught which class each cell shows; "
    "attention was never supervised. A figure is worth what it is above its `blind` one."
)


@dataclass(frozen=True)
class MultimodalTraining:
    """Sizes of the image tower, and how all parts are trained."""

    width: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 512
    patch: int = 8  # pixels
    stock: int = 12_000  # different scenes
    naming: int = 5000  # steps of the first stage, in which cells are named and no text is learned
    steps: int = 8500  # of both stages
    minutes: float = 180.0
    images: int = 24  # in a step of the first stage
    conversations: int = 16  # in a step of the second stage
    matrix_rate: float = 5e-3  # Muon's highest rate, for the matrices inside layers
    rate: float = 1.5e-3  # AdamW's rate for the rest of the tower and the projector
    language_rate: float = 8e-4  # AdamW's rate for the rest of the language model
    decay: float = 0.02
    warm_up: int = 60  # steps, of each stage
    cool_down: float = 0.35  # share of the steps over which the rates fall to a twentieth
    named: float = 0.5  # weight of the cells' names beside the answers
    precision: Precision = "byte"  # of the weights, once trained
    log_every: int = 25
    figures_scenes: int = 200  # scenes for each figure


def train(workshop: Workshop) -> Report:
    """Train the model and write it to `pack/lmm` as a folder of transformers."""
    settings = read_settings(MultimodalTraining, workshop.settings, "lmm")
    folder, scenes = workshop.pack / "lmm", Scenes(workshop.pack / "data")
    torch.manual_seed(workshop.seed)
    language, tokenizer = read_language_model(workshop.pack / "llama")
    model = build(settings, language, tokenizer, scenes.settings.side).to(workshop.device)
    names = CellNames(tokenizer, scenes.glyphs.names("base"), model.config.text_config.hidden_size)
    names.to(workshop.device)
    lessons = Lessons(scenes, tokenizer, settings.patch, settings.stock, workshop.seed)
    matrices, others = groups(model, names, settings)
    optimisers = (
        Muon(matrices, settings.matrix_rate),
        torch.optim.AdamW(others, settings.rate, betas=(0.9, 0.98)),
    )

    def step(index: int) -> dict[str, float]:
        speaking = index >= settings.naming
        for group in chain(*(optimiser.param_groups for optimiser in optimisers)):
            silent = group["speaks"] and not speaking
            group["lr"] = 0.0 if silent else group["initial"] * pace(index, settings)
        count = settings.conversations if speaking else settings.images
        lesson = lessons.make(index, count, speaking=speaking).to(workshop.device)
        features = see(model, lesson.pixels)
        named = names.loss(features, lesson.shown, model.get_input_embeddings().weight)
        losses = {"named": named}
        total = named
        if speaking:
            losses["answers"] = answer_loss(model, features, lesson.reading)
            total = losses["answers"] + settings.named * named
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        return {name: loss.item() for name, loss in losses.items()}

    def stop(progress: TrainingProgress) -> bool:
        return progress.seconds > 60 * settings.minutes

    parts: dict[str, Stateful] = {"model": model, "names": names}
    parts |= {"matrices": optimisers[0], "others": optimisers[1]}
    often = {"log_every": settings.log_every, "save_every": 4 * settings.log_every}
    progress = recipe.train(workshop, "lmm", parts, step, settings.steps, stop=stop, **often)
    rounded(model.cpu().eval(), settings.precision)
    save(model, tokenizer, folder, settings.precision)
    figures = measure(model, tokenizer, scenes, settings.figures_scenes)
    workshop.log(f"lmm: {json.dumps(figures)}")
    history = tuple(progress.history)
    return Report(progress.step, progress.seconds, figures, history, asdict(settings), (NOTE,))


class CellNames(nn.Module):
    """What cells are compared with: names as the mean of their tokens' embeddings, and "nothing".

    Only its scale and what belongs to "nothing" are its own, and are dropped after the training.
    """

    ids: Int[Tensor, " tokens"]
    starts: Int[Tensor, " names"]

    def __init__(
        self, tokenizer: "PreTrainedTokenizerFast", names: tuple[str, ...], width: int
    ) -> None:
        super().__init__()
        read = [tokenizer(f" {name}", add_special_tokens=False).input_ids for name in names]
        starts = torch.tensor([0, *(len(ids) for ids in read)]).cumsum(0)[:-1]
        self.register_buffer("ids", torch.tensor([*chain(*read)]), persistent=False)
        self.register_buffer("starts", starts, persistent=False)
        self.scale = nn.Parameter(torch.tensor(math.log(5.0)))
        self.nothing = nn.Parameter(torch.randn(width))
        # Most cells show nothing, which need not be learned through the whole tower.
        self.often = nn.Parameter(torch.tensor(math.log(2.0 * len(names))))

    def loss(
        self,
        features: Float[Tensor, "b n d"],
        shown: Float[Tensor, "b n names"],
        words: Float[Tensor, "vocabulary d"],
    ) -> Float[Tensor, ""]:
        """Cross-entropy of what each cell shows, as shares of names and of nothing (the last).

        Names have length 1 and cells keep theirs, so that cells become about as long as words. The
        embeddings of the words are taken as they are; the loss does not move them.
        """
        names = functional.embedding_bag(self.ids, words.detach(), self.starts, mode="mean")
        targets = functional.normalize(torch.cat([names, self.nothing[None]]), dim=-1)
        logits = self.scale.exp() * features @ targets.T
        logits = torch.cat([logits[..., :-1], logits[..., -1:] + self.often], -1)
        return functional.cross_entropy(logits.flatten(0, 1), shown.flatten(0, 1))


def see(model: Any, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
    """Images with values in [0, 1] as the language model reads them, row by row."""
    mean, std = (pixels.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    seen = model.get_image_features((pixels - mean) / std, return_dict=True)
    return torch.stack(list(seen.pooler_output))


def answer_loss(
    model: Any, features: Float[Tensor, "b n d"], reading: Conversations
) -> Float[Tensor, ""]:
    """The mean loss of the answers' tokens."""
    at = reading.asked[:, 1:]
    logits = model.lm_head(read(model, features, reading)[:, :-1][at])
    return functional.cross_entropy(logits, reading.ids[:, 1:][at])


def read(
    model: Any, features: Float[Tensor, "b n d"], reading: Conversations
) -> Float[Tensor, "b t width"]:
    """The last hidden states over conversations about images."""
    embedded = model.get_input_embeddings()(reading.ids)
    places = (reading.ids == model.config.image_token_id)[..., None]
    states: Tensor = model.model.language_model(
        inputs_embeds=embedded.masked_scatter(places, features.to(embedded.dtype)),
        attention_mask=reading.visible[:, None],
        position_ids=reading.positions,
        use_cache=False,
    ).last_hidden_state
    return states


def groups(
    model: Any, names: CellNames, settings: MultimodalTraining
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Parameters for Muon, the matrices inside layers, and for AdamW, all others.

    Grouped by rate and weight decay; the language model's rest in the first stage.
    """
    language = [model.model.language_model, model.lm_head]
    sight = [model.model.vision_tower, model.model.multi_modal_projector, names]
    matrices: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for speaks, modules in ((True, language), (False, sight)):
        inside, table, rest = [], [], []
        for module in chain(*(module.modules() for module in modules)):
            for parameter in module.parameters(recurse=False):
                if parameter.ndim < 2:
                    rest.append(parameter)
                elif isinstance(module, nn.Linear) and module is not model.lm_head:
                    inside.append(parameter)
                else:
                    table.append(parameter)
        rate = settings.language_rate if speaks else settings.rate
        often = {"speaks": speaks, "weight_decay": settings.decay}
        matrices.append({"params": inside, "initial": settings.matrix_rate, **often})
        others.append({"params": table, "initial": rate, **often})
        others.append({"params": rest, "initial": rate, **often, "weight_decay": 0.0})
    return matrices, others


def pace(index: int, settings: MultimodalTraining) -> float:
    """The share of the highest rates at a step: up at each stage's start, down at the end."""
    stage = index - settings.naming if index >= settings.naming else index
    down = settings.steps * (1 - settings.cool_down)
    up = rise(stage + 1, settings.warm_up)
    return up * cosine_fall(index, down, settings.steps, floor=0.05)


def read_language_model(folder: Path) -> tuple[Any, "PreTrainedTokenizerFast"]:
    """The pack's Llama and its tokenizer, with tokens for the image and for the speakers.

    A text starts with <bos>, as LLaVA's do; heads with nothing to look for can look there.
    """
    from tokenizers import AddedToken

    entry = BackboneEntry("llama", "causal_lm", str(folder), dtype="float32")
    language, tokenizer, _ = load_pretrained("AutoModelForCausalLM", entry, "cpu", "language model")
    tokenizer.add_tokens([AddedToken(IMAGE, special=True, normalized=False)], special_tokens=True)
    tokenizer.add_tokens([AddedToken(role, normalized=False) for role in ROLES])
    return language, tokenizer


def build(
    settings: MultimodalTraining, language: Any, tokenizer: "PreTrainedTokenizerFast", side: int
) -> Any:
    """A LLaVA of transformers around a language model, with a new tower and projector."""
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration

    # Rows for new words start as the mean of the others, so that none is likely or loud.
    language.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for table in (language.get_input_embeddings(), language.get_output_embeddings()):
            new = len(tokenizer) - len(ROLES) - 1
            table.weight[new:] = table.weight[:new].mean(0)
    tower = CLIPVisionConfig(
        hidden_size=settings.width,
        intermediate_size=settings.inner,
        projection_dim=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        image_size=side,
        patch_size=settings.patch,
        hidden_act="gelu",
    )
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=tower,
            text_config=language.config,
            image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
            image_seq_length=(side // settings.patch) ** 2,
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            projector_hidden_act="gelu",
            tie_word_embeddings=False,
        )
    )
    settle(model.model.vision_tower)
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.lm_head.load_state_dict(language.lm_head.state_dict())
    return model


def save(
    model: Any, tokenizer: "PreTrainedTokenizerFast", folder: Path, precision: Precision
) -> None:
    """Write configuration, processor and, last and atomically, weights."""
    from transformers import CLIPImageProcessor, LlavaProcessor

    tower = model.config.vision_config
    square = {"height": tower.image_size, "width": tower.image_size}
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.model_max_length = LONGEST
    LlavaProcessor(
        CLIPImageProcessor(size=square, crop_size=square, image_mean=MEAN, image_std=STD),
        tokenizer,
        patch_size=tower.patch_size,
        vision_feature_select_strategy="default",
        image_token=IMAGE,
        num_additional_image_tokens=1,  # the tower's class token, which the strategy drops
    ).save_pretrained(folder)
    model.config.dtype = "float16"
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    write(folder / "model.safetensors", model.state_dict(), precision)
