"""Prompts that restore hidden codes of one image, without in-context examples.

V2L-Tokenizer (Zhu et al., CVPR 2024, https://arxiv.org/abs/2403.07874) shows images that a language
model with a LoRA adapter restored so; neither prompt nor training is published: both are ours. The
frozen model alone answers the same prompt, as a control.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.prompts import (
    Adapter,
    Generate,
    Ids,
    Prompt,
    Text,
    TokenSets,
    Wave,
)
from frostbench.plugins.contract.requests import Restore
from frostbench.plugins.parts.prompting.classification import INPUT, OUTPUT
from frostbench.plugins.parts.prompting.restoration import Layers, whole_answers
from frostbench.plugins.parts.prompting.token_map import TokenMap


@dataclass(frozen=True)
class MaskedSettings:
    r"""The prompt; nothing of it is published, so that all settings are unverified.

    Attributes:
        opening: What the prompt begins with.
        mask: The id shown in place of a hidden code. None is the lowest id that stands for no code,
            or 0 where all ids do (`<unk>` in LLaMA-2's vocabulary, `<pad>` in the mini pack's). It
            is never an answer.
        hidden_share: Share of hidden pixels from which a cell counts as hidden. Coarse cells of a
            pyramid with about a third hidden keep their codes.
    """

    opening: str = "Restore the masked tokens.\n"
    mask: int | None = None
    hidden_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.hidden_share <= 1:
            raise ValueError(f"hidden_share is above 0 and at most 1, not {self.hidden_share}.")


def masked_restoration(
    request: Restore,
    layers: Layers,
    token_map: TokenMap,
    settings: MaskedSettings,
    *,
    adapter: Adapter | None = None,
    eos_id: int | None = None,
) -> Generator[Wave, list[Completion], Layers]:
    """The grids of codes with their hidden cells filled in, from coarse to fine.

    A grid without hidden cells is left as it is and costs no prompt.

    Args:
        request: What to restore; its image has hidden pixels.
        layers: The grids of codes of its image.
        token_map: Which ids stand for the codes.
        settings: The prompt.
        adapter: What the language model answers under, if the method has one for this.
        eos_id: The id at which generation ends; where it comes early, it was the answer at its
            position, and the rest is asked for in a further wave.

    Raises:
        ValueError: nothing is hidden, the mask is no id of the model, or an answer is no code.
    """
    if request.hidden is None:
        raise ValueError(f"request {request.id!r} hides nothing that could be filled in.")
    restored = []
    above: Sequence[int] = ()
    for grid in layers:
        rows, columns = grid.shape
        covered = covered_cells(request.hidden.cpu(), rows, columns, settings.hidden_share)
        hidden: list[bool] = covered.flatten().tolist()
        ids = token_map.ids_of(grid)
        if any(hidden):
            prompt = masked_prompt(ids, hidden, token_map, settings, above=above, adapter=adapter)
            (ids,) = yield from whole_answers([prompt], [len(ids)], eos_id)
        restored.append(torch.tensor(token_map.codes_of(ids)).view(rows, columns))
        above = ids
    return tuple(restored)


def masked_prompt(
    ids: Sequence[int],
    hidden: Sequence[bool],
    token_map: TokenMap,
    settings: MaskedSettings,
    *,
    above: Sequence[int] = (),
    adapter: Adapter | None = None,
) -> Prompt:
    """Show a grid's ids, the mask in place of hidden ones, and ask for all of them again.

    Output position i belongs to input position i: a visible cell allows its own id alone, a hidden
    one any mapped id but the mask. The ids of the layer `above`, already restored, stand in front.
    """
    mask = mask_id(token_map, settings)
    answers = _answers(token_map, mask)
    shown = [mask if gone else own for own, gone in zip(ids, hidden, strict=True)]
    sets = [answers if gone else _only(own) for own, gone in zip(ids, hidden, strict=True)]
    return Prompt(
        opening=(Text(settings.opening),),
        query=(INPUT, Ids((*above, *shown)), OUTPUT),
        ask=Generate(len(ids), TokenSets(tuple(sets))),
        adapter=adapter,
    )


def mask_id(token_map: TokenMap, settings: MaskedSettings) -> int:
    """The id shown in place of a hidden code.

    Raises:
        ValueError: the language model has no such id.
    """
    if settings.mask is None:
        return _first_free(token_map)
    if not 0 <= settings.mask < token_map.vocabulary:
        raise ValueError(
            f"mask is id {settings.mask}, and the language model has {token_map.vocabulary}, "
            "counted from 0."
        )
    return settings.mask


def covered_cells(
    hidden: Bool[Tensor, "h w"], rows: int, columns: int, share: float
) -> Bool[Tensor, "{rows} {columns}"]:
    """The cells with at least this share of their pixels hidden."""
    shares = functional.adaptive_avg_pool2d(hidden[None].double(), (rows, columns))[0]
    return shares >= share


@lru_cache(maxsize=16)
def _answers(token_map: TokenMap, mask: int) -> frozenset[int]:
    """The ids that a hidden cell may become; always the same object, which the engine can share."""
    return frozenset(token_map.ids) - {mask}


@lru_cache(maxsize=1 << 16)
def _only(own: int) -> frozenset[int]:
    return frozenset({own})


@lru_cache(maxsize=16)
def _first_free(token_map: TokenMap) -> int:
    mapped = frozenset(token_map.ids)
    return next((i for i in range(token_map.vocabulary) if i not in mapped), 0)
