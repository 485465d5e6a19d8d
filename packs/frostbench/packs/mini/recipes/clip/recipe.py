"""The mini pack's CLIP: a small open_clip model of glyph images and their captions.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
https://arxiv.org/abs/2103.00020: the contrastive loss of images and captions. One term is added
and has a setting of its own: two images of the same glyph attract each other (as in SimCLR,
https://arxiv.org/abs/2002.05709), because few-shot classification asks for features that do not
change with place, size, angle and background.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from frostbench.packs.mini.recipes.clip.figures import measure
from frostbench.packs.mini.scenes.scenes import Scenes, SceneSettings
from frostbench.packs.mini.scenes.training_images import stack
from frostbench.packs.mini.scenes.wording import with_article
from frostbench.plugins.backbones.precision import Precision, write
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.ahead import Ahead
from frostbench.plugins.parts.training.loop import Stateful

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class ClipTraining:
    """Sizes of the towers, and how they are trained."""

    embedding: int = 256
    vision_width: int = 24
    vision_layers: tuple[int, int, int, int] = (1, 1, 1, 1)
    head_width: int = 64
    text_width: int = 128
    text_layers: int = 2
    context: int = 32  # tokens of a caption
    steps: int = 1500
    glyphs: int = 128  # classes in a batch, each with two images
    scenes: int = 24  # scenes in a batch, of one to three glyphs
    rate: float = 2e-3  # AdamW's, at its highest
    decay: float = 0.1
    pairs: float = 1.0  # weight of the attraction between two images of one glyph
    pair_scale: float = 10.0  # inverse temperature of that term
    recoloured: float = 0.5  # share of glyphs shown in other colours, and without a caption
    portrait_size: tuple[float, float] = (0.5, 0.95)  # parts of the image's side
    portrait_angle: float = 30.0  # degrees, either way
    precision: Precision = "byte"  # of the weights, once trained
    renderings: int = 6  # portraits of each class, for the figures


def train(workshop: Workshop) -> Report:
    """Train the model and write it to `pack/clip` as an open_clip folder."""
    settings = read_settings(ClipTraining, workshop.settings, "clip")
    data, folder = workshop.pack / "data", workshop.pack / "clip"
    scene_settings = replace(
        SceneSettings.of(data),
        most=3,
        portrait_size=settings.portrait_size,
        portrait_angle=settings.portrait_angle,
    )
    tokenizer = caption_tokenizer(workshop.pack / "llm", settings.context)
    config = configuration(settings, scene_settings.side, len(tokenizer))
    torch.manual_seed(workshop.seed)
    device = torch.device(workshop.device)
    model = open_clip.CLIP(**config["model_cfg"]).to(device, memory_format=torch.channels_last)
    batches = Batches(Scenes(data, scene_settings), tokenizer, settings, workshop.seed)
    coming = Ahead(batches.make, workshop.workers, settings.steps)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(
        groups, settings.rate, betas=(0.9, 0.98), weight_decay=settings.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, settings.steps, pct_start=0.15
    )

    def step(index: int) -> dict[str, float]:
        batch = coming(index)
        with torch.autocast(device.type, torch.bfloat16):
            losses = contrast(model, batch.to(device), config["preprocess_cfg"], settings)
        total = losses["captions"] + settings.pairs * losses["pairs"]
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=float(np.log(100)))
        return {name: float(loss.detach()) for name, loss in losses.items()}

    parts: dict[str, Stateful] = {"model": model, "optimiser": optimiser, "schedule": schedule}
    progress = recipe.train(workshop, "clip", parts, step, settings.steps)
    save(model.cpu().eval(), config, tokenizer, folder, settings.precision)
    figures = {
        f"{name} [{split}]": value
        for split in ("validation", "novel")
        for name, value in measure(folder, data, split, settings.renderings).items()
    }
    for name, value in figures.items():
        workshop.log(f"clip: {name} {value:.4g}")
    history = tuple(progress.history)
    return Report(progress.step, progress.seconds, figures, history, asdict(settings))


@dataclass(frozen=True, eq=False)
class ClipBatch:
    """Images of glyphs, two of each; captions of those that have one; scenes with captions."""

    first: Float[Tensor, "g 3 h w"]
    second: Float[Tensor, "g 3 h w"]
    captioned: Int[Tensor, " c"]  # which glyphs have a caption
    captions: Int[Tensor, "c tokens"]
    scenes: Float[Tensor, "s 3 h w"]
    scene_captions: Int[Tensor, "s tokens"]

    def to(self, device: torch.device) -> "ClipBatch":
        """The same on a device."""
        return ClipBatch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


class Batches:
    """Makes batches by number, the same for the same seed."""

    def __init__(
        self,
        scenes: Scenes,
        tokenizer: "PreTrainedTokenizerFast",
        settings: ClipTraining,
        seed: int,
    ) -> None:
        self._scenes, self._tokenizer, self._settings = scenes, tokenizer, settings
        self._names, self._seed = scenes.glyphs.names("base"), seed

    def make(self, index: int) -> ClipBatch:
        """Batch number `index`; no class is in it twice."""
        settings = self._settings
        draw = np.random.default_rng([self._seed, index])
        chosen = draw.choice(len(self._names), settings.glyphs, replace=False)
        names = [self._names[number] for number in chosen]
        seeds = draw.integers(2**31, size=(2, len(names)))
        views = []
        for row in seeds:
            pair = zip(names, row, strict=True)
            views.append(np.stack([self._scenes.portrait(name, int(s)) for name, s in pair]))
        captioned = []
        for glyph in range(len(names)):
            if draw.random() >= settings.recoloured:
                captioned.append(glyph)
                continue
            # Mirrored and in other colours, a glyph is another class, though one without a name.
            colours, mirror = draw.permutation(3), 1 - 2 * draw.integers(2)
            for view in views:
                view[glyph] = view[glyph][:, ::mirror][..., colours]
        captions = [self._caption(names[glyph], draw) for glyph in captioned]
        made = [
            self._scenes.scene("base", self._seed, index * settings.scenes + number)
            for number in range(settings.scenes)
        ]
        return ClipBatch(
            stack(list(views[0])),
            stack(list(views[1])),
            torch.tensor(captioned),
            tokenize(self._tokenizer, captions),
            stack([scene.pixels for scene in made]),
            tokenize(self._tokenizer, [scene.caption for scene in made]),
        )

    def _caption(self, name: str, draw: np.random.Generator) -> str:
        """A caption: a bare name, one with an article, or one of CLIP's own templates."""
        kind = draw.random()
        if kind < 0.25:
            return name
        if kind < 0.35:
            return with_article(name)
        if kind < 0.5:
            return f"a photo of {with_article(name)}."
        templates = open_clip.OPENAI_IMAGENET_TEMPLATES
        text: str = templates[draw.integers(len(templates))](name)
        return text


def contrast(
    model: nn.Module, batch: ClipBatch, preprocess: dict[str, Any], settings: ClipTraining
) -> dict[str, Tensor]:
    """The losses: images with captions, and the two images of each glyph with each other."""
    mean = torch.tensor(preprocess["mean"], device=batch.first.device)[:, None, None]
    std = torch.tensor(preprocess["std"], device=batch.first.device)[:, None, None]
    images = (torch.cat([batch.first, batch.second, batch.scenes]) - mean) / std
    images = images.contiguous(memory_format=torch.channels_last)
    texts = torch.cat([batch.captions, batch.scene_captions])
    embedded = functional.normalize(model.encode_image(images).float(), dim=-1)  # type: ignore[operator]
    words = functional.normalize(model.encode_text(texts).float(), dim=-1)  # type: ignore[operator]
    first, second, scenes = torch.split(
        embedded, [len(batch.first), len(batch.second), len(batch.scenes)]
    )
    scale = model.logit_scale.exp()  # type: ignore[operator]
    captions = [
        match(torch.cat([view[batch.captioned], scenes]), words, scale) for view in (first, second)
    ]
    pairs = match(first, second, first.new_tensor(settings.pair_scale))
    return {"captions": (captions[0] + captions[1]) / 2, "pairs": pairs}


def match(
    a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], scale: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """InfoNCE, both ways: row i of `a` belongs to row i of `b`; all have unit length."""
    scores = scale * a @ b.T
    right = torch.arange(len(a), device=a.device)
    return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2


def configuration(settings: ClipTraining, side: int, vocabulary: int) -> dict[str, Any]:
    """The contents of `open_clip_config.json`."""
    return {
        "model_cfg": {
            "embed_dim": settings.embedding,
            "vision_cfg": {
                "image_size": side,
                "layers": list(settings.vision_layers),
                "width": settings.vision_width,
                "head_width": settings.head_width,
            },
            "text_cfg": {
                "context_length": settings.context,
                "vocab_size": vocabulary,
                "hf_tokenizer_name": "mini",  # open_clip reads the files beside its configuration
                "width": settings.text_width,
                "heads": max(1, settings.text_width // 64),
                "layers": settings.text_layers,
                "pool_type": "eos",
                "eos_id": 2,
                "pad_id": 0,
            },
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }


def caption_tokenizer(folder: Path, context: int) -> "PreTrainedTokenizerFast":
    """The language model's vocabulary, set up for captions.

    Words get a blank before them, as inside a sentence, and texts end in <eos>, where open_clip
    reads off the embedding; padding goes to the right.

    Raises:
        ValueError: the pack has no tokenizer, or its special tokens are others.
    """
    from tokenizers import Tokenizer, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ValueError(
            f"no tokenizer at {path}; the recipe 'llm' of `frostbench train` makes it."
        )
    tokenizer = Tokenizer.from_file(str(path))
    if (tokenizer.token_to_id("<pad>"), tokenizer.token_to_id("<eos>")) != (0, 2):
        raise ValueError(f"{path} must have <pad> as token 0 and <eos> as token 2.")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        padding_side="right",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def tokenize(
    tokenizer: "PreTrainedTokenizerFast", texts: Sequence[str]
) -> Int[Tensor, "texts tokens"]:
    """Ids, padded to the tokenizer's greatest length, as open_clip pads them."""
    ids: Tensor = tokenizer(
        list(texts), return_tensors="pt", padding="max_length", truncation=True
    ).input_ids
    return ids


def save(
    model: nn.Module,
    config: dict[str, Any],
    tokenizer: "PreTrainedTokenizerFast",
    folder: Path,
    precision: Precision,
) -> None:
    """Write an open_clip folder: configuration, weights, tokenizer."""
    write(folder / "open_clip_model.safetensors", model.state_dict(), precision)
    text = json.dumps(config, indent=1) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
    tokenizer.save_pretrained(folder)
