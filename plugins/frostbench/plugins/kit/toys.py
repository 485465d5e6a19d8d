"""Toys: frozen backbones of a few thousand numbers, always the same, built in milliseconds."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.backbones.mae import MAE
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.backbones.sam import Sam
from frostbench.plugins.backbones.sam_sizes import SamSettings, build_sam
from frostbench.plugins.backbones.shared import module_of
from frostbench.plugins.contract.engine import Engine

ROLES = ("llm", "clip", "mlm", "mae", "lmm", "sam")
SEED = 20_240_617
CONTEXT = 2048  # positions of the toy language model
TEXT_CONTEXT = 32  # positions of the toy CLIP and of the toy masked language model

_OFFERED: dict[str, Callable[[], Any]] = {}

_TEXT = (
    "For each of the following input output pairs, output is one of",
    "Learning a new language and predict the tokens following the examples.",
    "###\nInput: < red green blue black white >\nOutput: cat dog",
)


@contextlib.contextmanager
def seeded(seed: int = SEED) -> Iterator[None]:
    """A context in which random weights are always the same; draws outside do not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@lru_cache(maxsize=1)
def backbones() -> SharedBackbones:
    """Toys for all `roles`; the same object every time."""
    own = {"llm": llm, "clip": clip, "mlm": mlm, "mae": mae, "lmm": lmm, "sam": sam}
    makers: dict[str, Callable[[], Any]] = {**own, **_OFFERED}
    return SharedBackbones(
        [BackboneEntry(role, f"toy_{role}", "toy") for role in roles()],
        kinds={f"toy_{role}": lambda entry, device: makers[entry.role]() for role in roles()},
    )


def roles() -> tuple[str, ...]:
    """The roles that have toys: `ROLES`, and those that were offered."""
    return (*ROLES, *_OFFERED)


def offer(role: str, make: Callable[[], Any]) -> None:
    """Give a plugin's own role a toy, which `make` builds in milliseconds and always the same.

    Raises:
        ValueError: the kit has a toy of its own for the role.
        TypeError: `make` returns no backbone.
    """
    if role in ROLES:
        raise ValueError(f"the kit has its own toy for the role {role!r}; name another.")
    module_of(make())
    if _OFFERED.get(role) is not make:
        _OFFERED[role] = make
        backbones.cache_clear()


def engine() -> Engine:
    """The engine, with the toy backbones."""
    from frostbench.plugins.engine import FrozenEngine

    return FrozenEngine(backbones())


def checksums() -> Mapping[str, str]:
    """SHA-256 of each toy's weights."""
    return {role: backbones().checksum(role) for role in roles()}


def llm() -> CausalLM:
    """A Llama of two layers with random weights and a byte-level BPE tokenizer of 320 tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded():
        return CausalLM(LlamaForCausalLM(config), tokenizer, "toy")


def mlm() -> MaskedLM:
    """A RoBERTa of two layers with random weights; the toy language model's words and <mask>."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    tokenizer = _tokenizer()
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TEXT_CONTEXT + 1 + tokenizer.pad_token_id,
        type_vocab_size=1,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded():
        return MaskedLM(RobertaForMaskedLM(config), tokenizer, "toy")


def mae() -> MAE:
    """A masked autoencoder of one layer on each side, for 16 patches of 4x4 pixels."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        image_size=16,
        patch_size=4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        decoder_hidden_size=16,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
        initializer_range=0.2,
    )
    with seeded():
        return MAE(ViTMAEForPreTraining(config), "toy")


def lmm() -> LMM:
    """A LLaVA with random weights that sees 4 x 4 patches of the middle of an image."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaImageProcessor,
        LlavaProcessor,
    )

    tokenizer = _tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=4,
        initializer_range=0.2,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=image_id)
    images = LlavaImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=4,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    with seeded():
        return LMM(LlavaForConditionalGeneration(config), processor, "toy")


def clip() -> Clip:
    """A CLIP with one layer in each tower, random weights, and bytes for tokens."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, set_model_preprocess_cfg

    vision = CLIPVisionCfg(layers=1, width=32, head_width=16, patch_size=8, image_size=16)
    text = CLIPTextCfg(context_length=TEXT_CONTEXT, vocab_size=258, width=32, heads=2, layers=1)
    with seeded():
        model = CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text)
    set_model_preprocess_cfg(model, {"size": 16, "mean": (0.5,) * 3, "std": (0.5,) * 3})
    return Clip(model, _bytes, "toy")


def sam() -> Sam:
    """A SAM with one block on either side and random weights; 16x16 pixels are 4x4 cells."""
    sizes = sam_sizes()
    with seeded():
        return Sam(build_sam(sizes), sizes, "toy")


def sam_sizes() -> SamSettings:
    """The sizes of the toy SAM."""
    return SamSettings(
        image_size=16,
        patch=4,
        width=16,
        depth=1,
        heads=2,
        global_blocks=(),
        window=0,
        prompt_width=16,
        mask_channels=16,
        decoder_depth=1,
        decoder_heads=2,
        decoder_inner=16,
        quality_depth=2,
        quality_width=8,
    )


def _bytes(texts: Sequence[str]) -> Int[Tensor, "b context"]:
    """Bytes from 1 on, the end marked by the highest id, the rest 0."""
    ids = torch.zeros(len(texts), TEXT_CONTEXT, dtype=torch.long)
    for row, text in zip(ids, texts, strict=True):
        values = [byte + 1 for byte in text.encode()[: TEXT_CONTEXT - 1]]
        row[: len(values) + 1] = torch.tensor([*values, 257])
    return ids


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        clean_up_tokenization_spaces=False,
    )
