"""Initial weights from which matching by content is quickly learned.

With random weights a small model spends millions of tokens before it finds that a token seen
before is likely followed by what followed it then. So attention starts near what it has to become,
as in "Mimetic Initialization of Self-Attention Layers" (Trockman and Kolter, 2023,
https://arxiv.org/abs/2305.09828): queries and keys start as projections of the same content, values
and outputs as a rotation. In addition, convolutions start as a shift by one token (a Llama has
none: there every other layer's attention does), and the output table as a rotation of the input
table, so that "what is here" and "what comes next" do not collide. Nothing is fixed: every weight
is trained.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_PREVIOUS = 8.0  # a rotary frequency's share of the score by which the previous token wins
_PACES = 4  # fastest rotary frequencies that tell the previous token from the others
_SHIFT = 0.7  # length of the previous token's trace beside the token's own
_COPY = 1.5  # length of what attention copies beside the token's own
_FEED_FORWARD = 0.2  # size of feed-forward weights, relative to the usual
_SHARPNESS = 1.5  # of queries and of keys
_TURNING = 0.2  # size of the dimensions that rotary positions turn fast


@torch.no_grad()
def wire(model: Any) -> None:
    """Set a new LFM2 model's weights; it needs untied tables and biases in its convolutions."""
    config = model.config
    width, heads = config.hidden_size, config.num_attention_heads
    spread = config.initializer_range
    back, out = _rotation(width), _rotation(width)  # to the traces of previous and of next tokens
    for layer in model.model.layers:
        layer.feed_forward.w2.weight.mul_(_FEED_FORWARD)
        if layer.is_attention_layer:
            _wire_attention(layer.self_attn, heads, back, out, spread)
        else:
            _wire_shift(layer.conv, back, spread)
    model.lm_head.weight.copy_(model.model.embed_tokens.weight @ out.T)


@torch.no_grad()
def wire_llama(model: Any) -> None:
    """Set a new Llama's weights; it needs untied tables and biases in its attention.

    Attention in the layers 0, 2, ... starts as a shift by one token, in the others as matching.
    """
    config = model.config
    width, heads = config.hidden_size, config.num_attention_heads
    spread = config.initializer_range
    turns = model.model.rotary_emb.inv_freq
    back, out = _rotation(width), _rotation(width)
    for place, layer in enumerate(model.model.layers):
        layer.mlp.down_proj.weight.mul_(_FEED_FORWARD)
        attention = layer.self_attn
        if place % 2:
            _wire_matching(attention, heads, back)
            _wire_copy(attention.v_proj, attention.o_proj, _COPY * spread * out)
        else:
            _wire_previous(attention, heads, turns)
            _wire_copy(attention.v_proj, attention.o_proj, _SHIFT * spread * back)
    model.lm_head.weight.copy_(model.model.embed_tokens.weight @ out.T)


def _wire_previous(attention: Any, heads: int, turns: Float[Tensor, " half"]) -> None:
    """Every head looks at the previous token, by rotary phase: biases alone make the score.

    A key's bias points one way in the plane of a frequency, a query's is turned back by one
    position, so that the two meet where the distance is one.
    """
    half = len(turns)
    paces = turns[:_PACES]
    size = (_PREVIOUS * (2 * half) ** 0.5) ** 0.5
    query, key = torch.zeros(2 * half), torch.zeros(2 * half)
    key[: len(paces)] = size
    query[: len(paces)] = size * paces.cos()
    query[half : half + len(paces)] = -size * paces.sin()
    for projection, bias in ((attention.q_proj, query), (attention.k_proj, key)):
        projection.weight.mul_(0.2)
        projection.bias.copy_(bias.repeat(heads))


def _wire_matching(attention: Any, heads: int, back: Float[Tensor, "d d"]) -> None:
    """The first half of the heads looks for what followed this token, the rest for this token."""
    width = len(back)
    size = width // heads
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        content = _SHARPNESS * _content(width, size)
        attention.q_proj.weight[rows] = content
        attention.k_proj.weight[rows] = content @ back.T if head < heads // 2 else content


def _wire_copy(values: Any, output: Any, trace: Float[Tensor, "d d"]) -> None:
    """Write what attention finds as its `trace`."""
    inward = _rotation(len(trace))
    values.weight.copy_(inward)
    output.weight.copy_(trace @ inward.T)


def _content(width: int, size: int) -> Float[Tensor, "size d"]:
    """A random projection, small where rotary positions turn fast."""
    frequency = torch.arange(size // 2) / (size // 2)
    slow = torch.where(frequency < 0.4, _TURNING, 1.0).repeat(2)
    return _rotation(width)[:size] * slow[:, None]


def _wire_shift(conv: Any, back: Float[Tensor, "d d"], spread: float) -> None:
    """Open all gates, and let each channel carry the previous token."""
    width = len(back)
    inward = _rotation(width)
    before, after, carried = conv.in_proj.weight.chunk(3)
    for gate in (before, after):
        gate.mul_(0.2)
    carried.copy_(inward)
    opened = torch.ones(width)
    conv.in_proj.bias.copy_(torch.cat((opened, opened, torch.zeros(width))))
    conv.conv.weight.mul_(0.2)
    conv.conv.weight[:, 0, -2] += 1.0
    conv.conv.bias.zero_()
    conv.out_proj.weight.copy_(_SHIFT * spread * back @ inward.T)
    conv.out_proj.bias.zero_()


def _wire_attention(
    attention: Any,
    heads: int,
    back: Float[Tensor, "d d"],
    out: Float[Tensor, "d d"],
    spread: float,
) -> None:
    """The first half of the heads looks for what followed this token, the rest for this token."""
    width = len(back)
    size = width // heads
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        content = _content(width, size)
        attention.q_proj.weight[rows] = content
        attention.k_proj.weight[rows] = content @ back.T if head < heads // 2 else content
    attention.q_layernorm.weight.fill_(_SHARPNESS)
    attention.k_layernorm.weight.fill_(_SHARPNESS)
    inward = _rotation(width)
    attention.v_proj.weight.copy_(inward)
    attention.out_proj.weight.copy_(_COPY * spread * out @ inward.T)


def _rotation(width: int) -> Float[Tensor, "d d"]:
    """A random orthogonal matrix."""
    return torch.nn.init.orthogonal_(torch.empty(width, width))
