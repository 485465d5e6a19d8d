"""Placeholders: hidden states at groups of embeddings after a prompt that do not see one another.

Two ways, with the same answers. Packed: prompt and groups in one sequence, under a mask
(`packed_states`). Branched: the prompt is read once, and each group goes on from a branch of its
cache. Groups are packed where a trial found that this leaves the model's answers unchanged
(`packing_halo`); recurrent models are branched.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Failed, Filled
from frostbench.plugins.contract.prompts import Fill
from frostbench.plugins.engine.packed import packed_states
from frostbench.plugins.engine.reader import Reader, padded
from frostbench.plugins.engine.resolve import ReadyPrompt

MASK_ENTRIES = 1 << 28  # of the mask of a packed batch, a byte each


def groups_of(item: ReadyPrompt) -> Float[Tensor, "g n d"]:
    """The groups that a prompt asks to be filled."""
    assert isinstance(item.ask, Fill)
    return item.ask.groups


def most_groups(items: Sequence[ReadyPrompt], budget: int) -> int:
    """How many groups of a batch, over all its prompts, fit in a budget of tokens at once."""
    n = groups_of(items[0]).shape[1]
    longest = max(item.length for item in items)
    if items[0].halo is None:
        return max(1, budget // (longest + n))  # each branch keeps the prompt
    each = n + items[0].halo
    row = min(budget // len(items), int((MASK_ENTRIES / len(items)) ** 0.5))
    return len(items) * max(1, (row - longest) // each)


def fill(
    items: Sequence[ReadyPrompt], reader: Reader, lm: CausalLM, role: str, most: int
) -> list[Filled | Failed]:
    """Fill a batch of prompts with equal numbers of groups, of one length, at most `most` at once.

    `reader` gives last hidden states. States are float32, on the model's device.
    """
    states: dict[int, Tensor] = {}
    packs = [i for i, item in enumerate(items) if item.halo is not None]
    packs = [i for i in packs if items[i].length >= (items[i].halo or 0)]
    for start in range(0, len(packs), most):
        rows = packs[start : start + most]
        states |= zip(rows, _packed([items[i] for i in rows], lm, most // len(rows)), strict=True)
    rest = [i for i in range(len(items)) if i not in states]
    for start in range(0, len(rest), most):
        rows = rest[start : start + most]
        branched = _branched([items[i] for i in rows], reader, lm, most)
        states |= zip(rows, branched, strict=True)
    return [_filled(states[i], role) for i in range(len(items))]


def _packed(items: Sequence[ReadyPrompt], lm: CausalLM, most: int) -> list[Tensor]:
    """All groups of a batch of prompts; `most` of each prompt at once."""
    inputs, mask = padded([item.inputs(lm) for item in items])
    embeddings = lm.model.get_input_embeddings()(inputs) if inputs.dim() == 2 else inputs
    groups = torch.stack([_inputs(item, lm) for item in items])
    parts = [
        packed_states(lm.model, embeddings, groups[:, at : at + most], items[0].halo, mask).groups
        for at in range(0, groups.shape[1], most)
    ]
    return list(torch.cat(parts, dim=1))


def _branched(
    items: Sequence[ReadyPrompt], reader: Reader, lm: CausalLM, most: int
) -> list[Tensor]:
    """All groups of a batch of prompts; `most` over all prompts at once."""
    reading = reader.read([item.inputs(lm) for item in items])
    groups = torch.stack([_inputs(item, lm) for item in items])
    b, g, n, d = groups.shape
    owners = [row for row in range(b) for _ in range(g)]
    flat = groups.view(b * g, n, d)
    parts = []
    for at in range(0, b * g, most):
        branch = reader.branch(reading, owners[at : at + most])
        parts.append(reader.extend(branch, flat[at : at + most]))
    return list(torch.cat(parts).view(b, g, n, -1))


def _inputs(item: ReadyPrompt, lm: CausalLM) -> Float[Tensor, "g n d"]:
    return groups_of(item).detach().to(lm.device, lm.dtype)


def _filled(states: Float[Tensor, "g n d"], role: str) -> Filled | Failed:
    """One prompt's states by themselves, as a tensor that may be used in training too."""
    if not bool(torch.isfinite(states).all()):
        return Failed(f"backbone {role!r} gave hidden states that are not finite numbers.")
    with torch.inference_mode(False):
        return Filled(states.float().clone())
