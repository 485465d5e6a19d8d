"""Tiny random language models of several architectures, and a tokenizer, made in milliseconds."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from frostbench.plugins.backbones.causal_lm import CausalLM

WORDS = "a cat cats sat on the mat dog doghouse house red green Input Output of and"
FAMILIES = ("llama", "gpt2", "qwen2", "mistral", "lfm2", "mamba")


@cache
def tokenizer() -> Any:
    """Byte-level BPE over a few words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([WORDS] * 20, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


def config(family: str, context: int = 96) -> Any:
    """The smallest configuration of a family that has each of its kinds of layers."""
    import transformers as hf

    ids = {"vocab_size": len(tokenizer()), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "initializer_range": 0.3,
    }
    match family:
        case "llama":
            return hf.LlamaConfig(**ids, **sizes)
        case "qwen2":
            return hf.Qwen2Config(**ids, **sizes)
        case "mistral":
            return hf.MistralConfig(**ids, **sizes, sliding_window=5)
        case "gpt2":
            return hf.GPT2Config(
                **ids, n_embd=32, n_layer=2, n_head=4, n_positions=context, initializer_range=0.3
            )
        case "lfm2":
            kinds = ["conv", "full_attention"]
            return hf.Lfm2Config(
                **ids, **sizes, layer_types=kinds, block_auto_adjust_ff_dim=False, conv_bias=True
            )
        case "mamba":
            return hf.MambaConfig(
                **ids, hidden_size=32, num_hidden_layers=2, state_size=8, initializer_range=0.3
            )
    raise ValueError(family)


def model(
    family: str, dtype: torch.dtype = torch.float32, like: type | None = None, seed: int = 0
) -> Any:
    """A random model, of the family's class or of the subclass `like`; biases are not 0 either."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    made = like(config(family)) if like else AutoModelForCausalLM.from_config(config(family))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
    return made.to(dtype)


def language_model(family: str, **how: Any) -> CausalLM:
    """A random model with the tokenizer."""
    return CausalLM(model(family, **how), tokenizer(), family)


@dataclass(frozen=True)
class One:
    """Backbones with a single language model, called "llm"."""

    lm: Any

    def get(self, role: str) -> Any:
        if role != "llm":
            raise LookupError(f"no backbone named {role!r}; there are llm.")
        return self.lm
