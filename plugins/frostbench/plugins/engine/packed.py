"""Groups of placeholders after one prompt, read in one sequence, with gradients where wanted.

The sequence is the prompt, then for each group a halo and the group: [prompt] [halo, group 1]
[halo, group 2] ... A mask hides the groups from one another, and each group has the positions that
it would have if it alone followed the prompt. The halo is a copy of the prompt's last tokens: the
short convolutions of hybrids such as LFM2 look a few tokens back, whatever a mask says, and at a
group's first placeholder they must see the end of the prompt.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

NAME = "frostbench_packed"
FAST = "sdpa"


@dataclass(frozen=True, eq=False)
class Packed:
    """Hidden states after the model's final norm, of a prompt and of the groups after it."""

    prompt: Float[Tensor, "b p d"]
    groups: Float[Tensor, "b g n d"]


def packed_states(
    model: Any,
    prompt: Float[Tensor, "b p d"],
    groups: Float[Tensor, "b g n d"],
    halo: int | None = None,
    mask: Int[Tensor, "b p"] | None = None,
) -> Packed:
    """Hidden states of a causal language model, at a prompt and at each group alone after it.

    Each placeholder sees the whole prompt and those before it in its own group. Gradients reach
    both inputs, and whatever of the model is trained. The output head is not applied; it may be, to
    the prompt's states, where the prompt's own next tokens are learnt.

    Args:
        model: A causal language model of transformers that runs with PyTorch's fused attention, by
            itself or inside a `PeftModel`.
        prompt: Embeddings of the prompt.
        groups: Embeddings of the placeholders.
        halo: How many of the prompt's last tokens are read again before each group; None is
            `halo_of(model)`.
        mask: 0 where a row of `prompt` was padded at its left; None where none was.

    Raises:
        ValueError: a prompt is shorter than the halo, or the model runs with another attention.
    """
    text = decoder_of(model)
    halo = halo_of(model) if halo is None else halo
    b, p, d = prompt.shape
    _, g, n, _ = groups.shape
    real = torch.ones(b, p, dtype=torch.long, device=prompt.device) if mask is None else mask
    if int(real.sum(1).min()) < halo:
        raise ValueError(
            f"a prompt of {int(real.sum(1).min())} tokens is shorter than the {halo} that are read "
            "again before each group for the model's convolutions; lengthen it."
        )
    again = prompt[:, None, p - halo :].expand(b, g, halo, d)
    segments = torch.cat([again, groups], dim=2).view(b, g * (halo + n), d)
    layout = _layout(p, g, n, halo, real)
    with _masked(text, layout):
        out = text(
            inputs_embeds=torch.cat([prompt, segments], dim=1),
            attention_mask=layout.real,
            position_ids=layout.positions,
            use_cache=False,
        )
    states: Tensor = out.last_hidden_state.to(prompt.device)
    rest = states[:, p:].reshape(b, g, halo + n, -1)
    return Packed(states[:, :p], rest[:, :, halo:])


def halo_of(model: Any) -> int:
    """How many tokens back a model's convolutions look, summed over its layers."""
    layers = decoder_of(model).modules()
    return sum(int(part.kernel_size[0]) - 1 for part in layers if isinstance(part, nn.Conv1d))


def decoder_of(model: Any) -> Any:
    """The network under the output head, of a model by itself or inside a `PeftModel`."""
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    return bare.get_decoder()


@dataclass(frozen=True, eq=False)
class _Layout:
    """What each of the `s` tokens of a packed sequence belongs to.

    Attributes:
        places: Where a token would stand if the prompt and its own group were alone.
        segments: The number of a placeholder's group from 1, 0 in the prompt, -1 in a halo.
        real: 0 where the prompt is padded.
    """

    places: Int[Tensor, " s"]
    segments: Int[Tensor, " s"]
    real: Int[Tensor, "b s"]

    @property
    def positions(self) -> Int[Tensor, "b s"]:
        """Positions, counted from each batch row's first token that is no pad."""
        pads = (1 - self.real).sum(1, keepdim=True)
        return (self.places - pads).clamp(min=0)

    def visible(self, seen: Any) -> Bool[Tensor, "b 1 s s"]:
        """Which token sees which; `seen(batch, head, query, key)` is the model's own rule."""
        batch = torch.arange(len(self.real), device=self.real.device)[:, None, None, None]
        query, key = self.places[:, None], self.places[None, :]
        own = (self.segments == 0) | (
            (self.segments > 0) & (self.segments == self.segments[:, None])
        )
        real = self.real.bool()
        allowed = seen(batch, torch.zeros_like(batch), query, key) & own & real[:, None, None]
        # A pad sees itself, so that no row of the softmax is empty.
        pads = torch.diag_embed(~real)[:, None]
        visible: Tensor = allowed | pads
        return visible


def _layout(p: int, g: int, n: int, halo: int, real: Int[Tensor, "b p"]) -> _Layout:
    device = real.device
    places = torch.cat(
        [torch.arange(p, device=device), torch.arange(p - halo, p + n, device=device).repeat(g)]
    )
    group = torch.arange(1, g + 1, device=device)[:, None].repeat(1, halo + n)
    group[:, :halo] = -1
    segments = torch.cat([places.new_zeros(p), group.flatten()])
    return _Layout(places, segments, torch.nn.functional.pad(real, (0, g * (halo + n)), value=1))


_current: ContextVar[_Layout | None] = ContextVar("frostbench_layout", default=None)


@cache
def _register() -> None:
    """Register the mask with transformers, for its own fused attention."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    def packed_mask(*, mask_function: Any, **_: Any) -> Bool[Tensor, "b 1 s s"]:
        # Windows and chunks of a model's own are in `mask_function`, which counts places.
        layout = _current.get()
        assert layout is not None
        return layout.visible(mask_function)

    AttentionInterface.register(NAME, sdpa_attention_forward)
    AttentionMaskInterface.register(NAME, packed_mask)


@contextlib.contextmanager
def _masked(text: Any, layout: _Layout) -> Iterator[None]:
    """Mask the language model's attention by the layout."""
    runs_with = text.config._attn_implementation
    if runs_with != FAST:
        raise ValueError(
            f"groups are packed for PyTorch's fused attention ({FAST!r}), and a "
            f"{type(text).__name__} runs with {runs_with!r}; load it with {FAST!r}."
        )
    _register()
    token = _current.set(layout)
    text.set_attn_implementation(NAME)
    try:
        yield
    finally:
        text.set_attn_implementation(FAST)
        _current.reset(token)
