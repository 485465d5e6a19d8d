"""The prompt: the degraded picture, the task tokens, and the beginning of the answer.

Zheng et al., LM4LV, https://arxiv.org/abs/2405.15734; texts and order are those of the published
code (template `default`), whose turns are tokenised one by one, without special tokens but BOS.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.prompts import Segment, Text, Vectors


@dataclass(frozen=True)
class Wording:
    r"""The texts around pictures and task tokens.

    The language model's own chat template is not used, as published.

    Attributes:
        opening: Before the degraded picture.
        middle: Between it and the task tokens.
        answer: Between them and the restored picture.
        closing: Behind it; read in training alone.
    """

    opening: str = "### Human: <Img>"
    middle: str = "</Img> "
    answer: str = "\n### Assistant: <Img>"
    closing: str = "</Img>\n###"


def segments(
    wording: Wording, picture: Float[Tensor, "n d"], task: Float[Tensor, "t d"]
) -> tuple[Segment, ...]:
    """The prompt's segments, from the embeddings of the degraded picture and of the task."""
    return (
        Text(wording.opening),
        Vectors(picture),
        Text(wording.middle),
        Vectors(task),
        Text(wording.answer),
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """The texts as embeddings, for training; `opening` begins with BOS where the model has one.

    `answer_ids` and `closing_ids` are what the language model is to say itself.
    """

    opening: Float[Tensor, "_opening d"]
    middle: Float[Tensor, "_middle d"]
    answer: Float[Tensor, "_answer d"]
    closing: Float[Tensor, "_closing d"]
    answer_ids: tuple[int, ...]
    closing_ids: tuple[int, ...]


def frame(wording: Wording, lm: CausalLM) -> Frame:
    """The texts as a language model embeds them."""
    bos = [] if lm.bos_id is None else [lm.bos_id]
    answer, closing = lm.encode(wording.answer), lm.encode(wording.closing)
    with torch.no_grad():
        return Frame(
            lm.embed([*bos, *lm.encode(wording.opening)]),
            lm.embed(lm.encode(wording.middle)),
            lm.embed(answer),
            lm.embed(closing),
            tuple(answer),
            tuple(closing),
        )
