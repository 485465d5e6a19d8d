"""Chosen rows of attention, layer by layer, read without leaving the fast attention path.

`output_attentions=True` makes transformers compute and keep every row of every head. Here the model
runs through PyTorch's fused attention, as it does otherwise, and a registered attention function
also computes the few rows that were asked for, from the same queries and keys (with rotary
positions applied and the cache included). The product with the vocabulary is never computed.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Attended, Failed
from frostbench.plugins.contract.prompts import Attend
from frostbench.plugins.engine.forward import States
from frostbench.plugins.engine.reader import padded
from frostbench.plugins.engine.resolve import ReadyPrompt

NAME = "frostbench_rows"
FAST = "sdpa"


def attend(items: Sequence[ReadyPrompt], lm: CausalLM, role: str) -> list[Attended | Failed]:
    """Read a batch of prompts once, and keep of each what its queries see of its keys.

    Weights are those of the softmax over all that a query sees, so that a row over some keys does
    not sum to 1. They and the hidden states are float32, on the model's device.
    """
    text = lm.model.get_decoder()
    runs_with = text.config._attn_implementation
    if runs_with != FAST:
        reason = (
            f"rows of attention are read beside PyTorch's fused attention ({FAST!r}), and backbone "
            f"{role!r}, a {type(lm.model).__name__}, runs with {runs_with!r}."
        )
        return [Failed(reason) for _ in items]
    inputs, mask = padded([item.inputs(lm) for item in items])
    recorder = _Recorder(items, _asked(items, inputs.shape[1], lm.device), _layers(text))
    with _beside(text), recorder.recording():
        forward = States(lm)
        last = forward.after(forward(inputs, mask, use_cache=False))
    if not recorder.attended:
        reason = f"backbone {role!r}, a {type(lm.model).__name__}, has no layer that attends."
        return [Failed(reason) for _ in items]
    return recorder.answers(last, role)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Positions of a batch in its padded rows; each list is filled up with its first entry."""

    queries: Int[Tensor, "b q"]
    keys: Int[Tensor, "b k"]


def _asked(items: Sequence[ReadyPrompt], length: int, device: torch.device) -> _Asked:
    queries, keys = [], []
    for item in items:
        assert isinstance(item.ask, Attend)
        left = length - item.length
        queries.append([at + left for at in item.ask.queries])
        keys.append([at + left for at in item.ask.keys])
    return _Asked(_filled(queries).to(device), _filled(keys).to(device))


def _filled(rows: Sequence[Sequence[int]]) -> Int[Tensor, "b n"]:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[row[0]] * (longest - len(row))] for row in rows])


@dataclass(eq=False)
class _Recorder:
    """Keeps what a forward shows at the positions asked for.

    Attributes:
        attended: The layers that attend, in the order in which they did.
        rows: For each prompt, attention `[layers heads queries keys]`, filled layer by layer.
        hidden: Hidden states `[b q d]` by layer, before the final norm.
    """

    items: Sequence[ReadyPrompt]
    asked: _Asked
    layers: nn.ModuleList
    attended: list[int] = field(default_factory=list)
    rows: list[Tensor] = field(default_factory=list)
    hidden: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._layer = {
            id(part): at for at, layer in enumerate(self.layers) for part in layer.modules()
        }

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record what runs inside."""
        hooks = [
            layer.register_forward_hook(lambda _, __, out, at=at: self._keep_hidden(at, out))
            for at, layer in enumerate(self.layers)
        ]
        token = _recorder.set(self)
        try:
            yield
        finally:
            _recorder.reset(token)
            for hook in hooks:
                hook.remove()

    def keep(
        self,
        module: nn.Module,
        query: Float[Tensor, "b h s d"],
        key: Float[Tensor, "b g t d"],
        seen: Tensor | None,
        scaling: float | None,
        causal: bool,
    ) -> None:
        """Keep the rows of one layer's attention that were asked for.

        `seen` is the mask of the fused attention: true, or 0, where a query sees a key.

        Raises:
            NotImplementedError: the layer attends twice.
        """
        layer = self._layer[id(module)]
        if layer in self.attended:
            raise NotImplementedError(f"layer {layer} attends twice; which rows are meant?")
        b, heads, _, d = query.shape
        groups, length = key.shape[1], key.shape[2]
        wanted = self.asked.queries.to(query.device)
        count = wanted.shape[1]
        some = query.gather(2, wanted[:, None, :, None].expand(b, heads, count, d))
        # Heads that share keys stand together, so that no key is copied.
        together = some.reshape(b, groups, heads // groups * count, d)
        scores = (together @ key.transpose(2, 3)).view(b, heads, count, length).float()
        scores *= d**-0.5 if scaling is None else scaling
        if seen is not None:
            mask = seen.expand(b, -1, -1, length)
            rows = wanted[:, None, :, None].expand(b, mask.shape[1], count, length)
            mask = mask.gather(2, rows)
            if mask.dtype == torch.bool:
                scores.masked_fill_(~mask, -torch.inf)
            else:
                scores += mask
        elif causal:
            places = torch.arange(length, device=scores.device)
            hidden: Bool[Tensor, "b q t"] = places > wanted[:, :, None]
            scores.masked_fill_(hidden[:, None], -torch.inf)
        weights = scores.softmax(-1)
        keys = self.asked.keys.to(query.device)
        index = keys[:, None, None].expand(b, heads, count, keys.shape[1])
        self._keep_rows(layer, weights.gather(3, index))

    def _keep_rows(self, layer: int, weights: Float[Tensor, "b h q k"]) -> None:
        """Copy each prompt's own rows into memory that is allocated once."""
        sizes = [_sizes(item) for item in self.items]
        if not self.rows:
            shape = len(self.layers), weights.shape[1]
            # Not in inference mode, so that the result can be used in training too.
            with torch.inference_mode(False):
                home = self.asked.keys.device
                self.rows = [weights.new_empty(*shape, q, k, device=home) for q, k in sizes]
        for rows, own, (q, k) in zip(self.rows, weights, sizes, strict=True):
            rows[len(self.attended)] = own[:, :q, :k]
        self.attended.append(layer)

    def _keep_hidden(self, layer: int, out: Any) -> None:
        states: Tensor = out[0] if isinstance(out, tuple) else out
        self.hidden[layer] = _at(states, self.asked.queries)

    def answers(self, last: Float[Tensor, "b s d"], role: str) -> list[Attended | Failed]:
        """What was recorded, prompt by prompt; `last` are the states after the final norm."""
        self.hidden[len(self.layers) - 1] = _at(last, self.asked.queries)
        answers: list[Attended | Failed] = []
        for row, (item, rows) in enumerate(zip(self.items, self.rows, strict=True)):
            with torch.inference_mode(False):
                attention = rows[: len(self.attended)]
                q, _ = _sizes(item)
                hidden = torch.stack([self.hidden[at][row, :q] for at in self.attended])
            if bool(torch.isfinite(attention).all() and torch.isfinite(hidden).all()):
                answers.append(Attended(attention, hidden))
            else:
                answers.append(
                    Failed(f"backbone {role!r} gave attention that is not finite numbers.")
                )
        return answers


def _sizes(item: ReadyPrompt) -> tuple[int, int]:
    """How many queries and keys a prompt names."""
    assert isinstance(item.ask, Attend)
    return len(item.ask.queries), len(item.ask.keys)


_recorder: ContextVar[_Recorder | None] = ContextVar("frostbench_rows", default=None)


def _at(states: Float[Tensor, "b s d"], places: Int[Tensor, "b q"]) -> Float[Tensor, "b q d"]:
    index = places.to(states.device)[:, :, None].expand(-1, -1, states.shape[2])
    return states.gather(1, index).float().to(places.device)


@cache
def _register() -> None:
    """Register the attention with transformers, masks included."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    def rows_beside(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **more: Any,
    ) -> Any:
        recorder = _recorder.get()
        if recorder is not None:
            unknown = [name for name in ("position_bias", "s_aux") if more.get(name) is not None]
            if unknown:
                raise NotImplementedError(f"attention with {unknown[0]} is not read row by row.")
            causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
            recorder.keep(module, query, key, attention_mask, scaling, causal)
        return sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            scaling=scaling,
            is_causal=is_causal,
            **more,
        )

    AttentionInterface.register(NAME, rows_beside)
    # Without masks of that name transformers would make none, and pads would be seen.
    AttentionMaskInterface.register(NAME, sdpa_mask)


@contextlib.contextmanager
def _beside(text: Any) -> Iterator[None]:
    """Read the attention of the language model, and not that of a vision tower."""
    _register()
    text.set_attn_implementation(NAME)
    try:
        yield
    finally:
        text.set_attn_implementation(FAST)


def _layers(text: Any) -> nn.ModuleList:
    """The language model's layers, by their number.

    Raises:
        NotImplementedError: it has no list of as many.
    """
    count = text.config.num_hidden_layers
    for part in text.modules():
        if isinstance(part, nn.ModuleList) and len(part) == count:
            return part
    raise NotImplementedError(f"a {type(text).__name__} has no list of its {count} layers.")
