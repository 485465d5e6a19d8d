"""Networks at the sizes in which others published them, for counting; see `numberless`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.mae import MAE

LLAMA_7B: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
}


def llama_7b() -> CausalLM:
    """LLaMA-2-7B in bfloat16, with a tokenizer that knows nothing."""
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    nothing = Tokenizer(models.WordLevel({"</s>": 0}, unk_token="</s>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=nothing, eos_token="</s>")
    with _bfloat16():
        model = LlamaForCausalLM(LlamaConfig(**LLAMA_7B))
    return CausalLM(model, tokenizer, "LLaMA-2-7B")


def mae_large() -> MAE:
    """The masked autoencoder ViT-L/16."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    )
    return MAE(ViTMAEForPreTraining(config), "ViT-MAE-L")


def llava_7b() -> Any:
    """LLaVA-1.5-7B in bfloat16: a CLIP ViT-L/14 of 336 pixels, a projector and a Vicuna."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig
    from transformers import LlavaForConditionalGeneration as Llava

    vision = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
        projection_dim=768,
    )
    text = LlamaConfig(**{**LLAMA_7B, "vocab_size": 32_064})
    with _bfloat16():
        model = Llava(LlavaConfig(vision_config=vision, text_config=text))
    return model.eval().requires_grad_(False)


@contextmanager
def _bfloat16() -> Iterator[None]:
    """A context in which numbers are made in that type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
