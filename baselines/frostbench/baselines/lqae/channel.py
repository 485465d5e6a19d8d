"""A frozen masked language model between LQAE's encoder and decoder.

Its word embeddings are the codebook; its guesses are what the decoder reads.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.parts.autoencoder.quantizer import nearest, nearest_several

LMOutput: TypeAlias = Literal["hidden", "argmax_ste"]

FILLER = re.compile(r"madeupword\d+|\[unused\d+\]")  # unused entries of RoBERTa and BERT
UNREADABLE = "\ufffd"  # what bytes that are no text by themselves are decoded to


def codes(mlm: MaskedLM, *, ban_special: bool = True, ban_unreadable: bool = False) -> list[int]:
    """The tokens that may stand for a cell, in rising order.

    Args:
        mlm: The masked language model.
        ban_special: Leave out special tokens and unused entries, which no prompt can show. The
            published code keeps them as codes.
        ban_unreadable: Leave out tokens that are no text by themselves, such as single bytes of a
            character. The published code keeps them as codes.
    """
    found = []
    for i in range(mlm.vocabulary_size):
        special = i in mlm.special_ids or i >= len(mlm.tokenizer)
        text = "" if special else mlm.decode([i])
        if ban_special and (special or FILLER.fullmatch(text.strip())):
            continue
        if ban_unreadable and not special and (UNREADABLE in text or not text.strip()):
            continue
        found.append(i)
    return found


@dataclass(frozen=True, eq=False)
class Guessed:
    """The language model's output for a grid of codes.

    `loss` is its cross-entropy on masked codes, the mean over each image's and then over
    images; `right` is the share of them that it guesses.
    """

    features: Float[Tensor, "b gh gw d"]
    loss: Float[Tensor, ""]
    right: Float[Tensor, ""]


class Channel:
    """The codebook and the pass through the language model; nothing in it is trained.

    Code i is the token `tokens[i]`. `output` is what the decoder reads: "hidden", the states of the
    last layer, as in the published command; or "argmax_ste", the embedding of the token that is
    most likely at each place, with the gradient of the probabilities, as the paper's abstract has
    it.
    """

    def __init__(self, mlm: MaskedLM, tokens: Sequence[int], output: LMOutput = "hidden") -> None:
        self.mlm, self.output = mlm, output
        self.tokens = torch.tensor(list(tokens), device=mlm.device)
        self.rows = mlm.word_embeddings.detach()[self.tokens].float()
        self._directions = functional.normalize(self.rows, dim=1, eps=1e-12)

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.tokens)

    def nearest(self, features: Float[Tensor, "b gh gw d"]) -> Int[Tensor, "b gh gw"]:
        """The code in the direction nearest to that of each feature; of equals, the lowest."""
        return nearest(_directions(features), self._directions)

    def cosines(self, features: Float[Tensor, "b gh gw d"]) -> Float[Tensor, "b gh gw codes"]:
        """Cosines of the angles between features and codes; the nearest code has the largest."""
        return functional.normalize(features.float(), dim=-1, eps=1e-12) @ self._directions.T

    def nearest_several(
        self, features: Float[Tensor, "b gh gw d"], count: int
    ) -> Int[Tensor, "b gh gw {count}"]:
        """The `count` nearest codes of each feature, the nearest first."""
        return nearest_several(_directions(features), self._directions, count)

    def read(self, ids: Int[Tensor, "b gh gw"]) -> Float[Tensor, "b gh gw d"]:
        """What the decoder reads for codes, without masking."""
        return self._through(self.rows[ids], ids)[0]

    def guess(
        self,
        embeddings: Float[Tensor, "b gh gw d"],
        ids: Int[Tensor, "b gh gw"],
        masked: Bool[Tensor, "b gh gw"],
    ) -> Guessed:
        """The same with some codes masked, and how well those are guessed.

        `embeddings` are the codes' rows, or tensors that pass gradients on. Positions
        are counted from all codes, as if none were masked.
        """
        mask = self.mlm.word_embeddings[self.mlm.mask_id].to(embeddings.dtype)
        shown = torch.where(masked[..., None], mask, embeddings)
        features, hidden = self._through(shown, ids)
        scores = self.mlm.logits(hidden[masked].to(self.mlm.dtype)).float()
        wanted = self.tokens[ids][masked]
        losses = functional.cross_entropy(scores, wanted, reduction="none")
        owner = masked.nonzero()[:, 0]
        sums = losses.new_zeros(len(ids)).index_add(0, owner, losses)
        counts = masked.flatten(1).sum(1).clamp(min=1)
        right = (scores.argmax(1) == wanted).sum() / masked.sum().clamp(min=1)
        return Guessed(features, (sums / counts).mean(), right)

    def _through(
        self, embeddings: Float[Tensor, "b gh gw d"], ids: Int[Tensor, "b gh gw"]
    ) -> tuple[Float[Tensor, "b gh gw d"], Float[Tensor, "b gh gw d"]]:
        """What the decoder reads, and the last layer's states, row by row of the batch."""
        positions = self.mlm.position_ids(self.tokens[ids].flatten(1))
        line = embeddings.flatten(1, 2).to(self.mlm.dtype)
        hidden = self.mlm.hidden(line, positions).view(embeddings.shape).to(embeddings.dtype)
        if self.output == "hidden":
            return hidden, hidden
        table = self.mlm.word_embeddings
        likely = self.mlm.logits(hidden.to(table.dtype)).float().softmax(-1)
        soft = likely @ table.float()
        hard = table[likely.argmax(-1)].float()
        return soft + (hard - soft).detach(), hidden


def drawn(
    shape: Sequence[int], ratio: tuple[float, float], device: torch.device
) -> Bool[Tensor, "b gh gw"]:
    """Which codes are masked: each with its own probability, drawn between two ratios."""
    low, high = ratio
    share = low + (high - low) * torch.rand(*shape, device=device)
    return torch.rand(*shape, device=device) < share


def _directions(features: Float[Tensor, "b gh gw d"]) -> Float[Tensor, "b gh gw d"]:
    return functional.normalize(features.detach().float(), dim=-1, eps=1e-12)
