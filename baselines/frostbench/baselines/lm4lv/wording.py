"""LM4LV's prompt: the degraded image, the task tokens, and the beginning of the answer.

Zheng et al., LM4LV, https://arxiv.org/abs/2405.15734; texts and order are those of the published
code (template `default`), which tokenises them one by one, without special tokens but BOS. With
LLaMA-2's tokenizer some pieces differ: the published code puts place-holders for images and task
tokens into the text, and the slow tokenizer reads what follows a place-holder without the blank
that it adds before a separate text. No published adapters depend on it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.prompts import Piece, Text, Vectors


@dataclass(frozen=True)
class Wording:
    r"""The texts around images and task tokens; the defaults are the published ones.

    The language model's own chat template is not used, as published.

    Attributes:
        human: Before the degraded image.
        begin: Directly before an image; the language model itself writes it before the restored
            one.
        end: Between the degraded image and the task tokens.
        assistant: After them.
        closing: After the restored image; read only in training.
    """

    human: str = "### Human: "
    begin: str = "<Img>"
    end: str = "</Img> "
    assistant: str = "\n### Assistant: "
    closing: str = "</Img>\n###"


def pieces(
    wording: Wording, image: Float[Tensor, "n d"], task: Float[Tensor, "t d"]
) -> tuple[Piece, ...]:
    """The prompt's pieces, from the embeddings of the degraded image and of the task."""
    return (
        Text(wording.human),
        Text(wording.begin),
        Vectors(image),
        Text(wording.end),
        Vectors(task),
        Text(wording.assistant),
        Text(wording.begin),
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """The texts as embeddings, for training; `opening` begins with BOS where the model has one.

    `begin_ids` and `closing_ids` are the texts of the language model's turn, which it writes
    itself.
    """

    opening: Float[Tensor, "_opening d"]
    end: Float[Tensor, "_end d"]
    assistant: Float[Tensor, "_assistant d"]
    begin: Float[Tensor, "_begin d"]
    closing: Float[Tensor, "_closing d"]
    begin_ids: tuple[int, ...]
    closing_ids: tuple[int, ...]


def frame(wording: Wording, lm: CausalLM) -> Frame:
    """The texts as a language model embeds them."""
    begin, closing = lm.encode(wording.begin), lm.encode(wording.closing)
    with torch.no_grad():
        return Frame(
            lm.embed([*lm.opening_ids, *lm.encode(wording.human), *begin]),
            lm.embed(lm.encode(wording.end)),
            lm.embed(lm.encode(wording.assistant)),
            lm.embed(begin),
            lm.embed(closing),
            tuple(begin),
            tuple(closing),
        )
