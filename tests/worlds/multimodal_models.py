"""Tiny random multimodal models with their processors, made in milliseconds."""

import copy
from functools import cache
from typing import Any

import torch
from language_models import tokenizer

from frostbench.plugins.backbones.lmm import LMM, LmmSettings
from frostbench.plugins.contract.images import Image, to_pillow
from frostbench.plugins.contract.prompts import Ids, ImagePiece, Prompt, Text

SIDE, PATCH = 24, 4
RESOLUTIONS = [[24, 48], [48, 24], [48, 48], [72, 24], [24, 72]]
FAMILIES = ("llava", "llava_next")


def words() -> Any:
    """The tiny tokenizer, with a token for images."""
    made = copy.deepcopy(tokenizer())
    made.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return made


def text_config(vocabulary: int, **more: Any) -> Any:
    """A Llama in which two heads share their keys."""
    from transformers import LlamaConfig

    sizes: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "initializer_range": 0.2,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return LlamaConfig(**{**sizes, **more})


def vision_config() -> Any:
    """A CLIP of two layers."""
    from transformers import CLIPVisionConfig

    return CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
        initializer_range=0.3,
    )


def model(family: str, seed: int = 0, **text: Any) -> Any:
    """A random LLaVA-1.5 or LLaVA-Next."""
    import transformers as hf

    tokens = words()
    parts = {
        "vision_config": vision_config(),
        "text_config": text_config(len(tokens), **text),
        "image_token_id": tokens.convert_tokens_to_ids("<image>"),
    }
    torch.manual_seed(seed)
    if family == "llava":
        return hf.LlavaForConditionalGeneration(hf.LlavaConfig(**parts))
    config = hf.LlavaNextConfig(**parts, image_grid_pinpoints=RESOLUTIONS)
    return hf.LlavaNextForConditionalGeneration(config)


def processor(family: str, **images: Any) -> Any:
    """A processor of LLaVA's; `images` are settings of its image processor."""
    import transformers as hf

    sizes = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    how = {
        "tokenizer": words(),
        "patch_size": PATCH,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    }
    if family == "llava":
        return hf.LlavaProcessor(hf.LlavaImageProcessor(**{**sizes, **images}), **how)
    made = hf.LlavaNextImageProcessor(**sizes, image_grid_pinpoints=RESOLUTIONS, **images)
    return hf.LlavaNextProcessor(made, **how)


@cache
def lmm(family: str) -> LMM:
    """A random multimodal model; the same object every time."""
    return LMM(model(family), processor(family), family)


def with_images(family: str, settings: LmmSettings | None = None, **images: Any) -> LMM:
    """One whose image processor is set otherwise."""
    return LMM(model(family), processor(family, **images), family, settings)


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Noise, already of 8 bits."""
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.randint(256, (3, height, width), generator=draw) / 255)


def prompt(parts: Any, ask: Any) -> Prompt:
    """A prompt of texts, ids and images as they are."""
    made = []
    for part in parts:
        if isinstance(part, Image):
            made.append(ImagePiece(part))
        else:
            made.append(Text(part) if isinstance(part, str) else Ids(part))
    return Prompt(tuple(made), ask)


def written(lm: LMM, asked: Prompt) -> Any:
    """The processor's own inputs for a prompt of texts and images."""
    text, images = lm.tokenizer.bos_token, []
    for piece in asked.pieces:
        if isinstance(piece, ImagePiece):
            text += "<image>"
            images.append(to_pillow(piece.image.pixels))
        else:
            assert isinstance(piece, Text)
            text += piece.text
    how = {"images": images} if images else {}
    return lm.processor(text=[text], add_special_tokens=False, return_tensors="pt", **how)
