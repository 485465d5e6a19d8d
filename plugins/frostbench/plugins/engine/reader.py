"""Reading with a causal language model: prompts, then more tokens, with what was read kept.

Two readers, one interface. `CachedReader` keeps keys, values and states in the cache of
transformers, whatever kinds of layers the model mixes. `WholeReader` keeps the inputs and reads
everything again: slow, and right for any causal model.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.engine.forward import Forward, Logits

# Tokens that come after what was read: their ids, or embeddings in their place.
More: TypeAlias = Int[Tensor, "b t"] | Float[Tensor, "b t d"]

_NOTHING = nullcontext()


@dataclass(eq=False)
class Context:
    """What a model has read of a batch of rows.

    `last` is what the reader's forward pass gives after the last token: logits, or hidden states.
    `memory` is the reader's own (a cache, or the inputs); `mask` is 0 where a row was padded at its
    left, None where no row was.
    """

    last: Float[Tensor, "b v"]
    memory: Any
    mask: Int[Tensor, "b n"] | None


@runtime_checkable
class Reader(Protocol):
    """Reads rows of token ids `[n]` or of embeddings `[n d]`."""

    def read(self, rows: Sequence[Tensor]) -> Context:
        """Read each row from its beginning."""
        ...

    def extend(self, reading: Context, new: More) -> Float[Tensor, "b t v"]:
        """Read on, the same number of tokens in each row; `reading` moves along."""
        ...

    def branch(self, reading: Context, rows: Sequence[int]) -> Context:
        """A new reading of these rows of `reading`, which stays; a row may be named twice."""
        ...


class CachedReader:
    """Keeps what was read in a cache of transformers.

    `forward` says what is read off after each token. With `continues`, several tokens are read on
    at once, otherwise one by one. From `shared_prefix` tokens on, what all rows begin with is read
    once; that needs `continues`. `alone` is entered, with the number of rows and of tokens, around
    every forward pass whose last token alone matters.
    """

    def __init__(
        self,
        lm: CausalLM,
        forward: type[Forward] = Logits,
        *,
        continues: bool,
        shared_prefix: int = 0,
        alone: Callable[[int, int], AbstractContextManager[None]] = lambda rows, length: _NOTHING,
    ) -> None:
        self._call = forward(lm)
        self._alone = alone
        self._continues = continues
        self._shared_prefix = shared_prefix if continues else 0

    def read(self, rows: Sequence[Tensor]) -> Context:
        """Read each row; rows of unequal length are padded at the left."""
        inputs, mask = padded(rows)
        if mask is not None:
            return self._first(inputs, mask)
        shared = _common_prefix(rows) if self._shared_prefix and len(rows) > 1 else 0
        if shared < self._shared_prefix or not shared:
            return self._first(inputs, None)
        prefix = self._first(rows[0][None, :shared], None)
        reading = self.branch(prefix, [0] * len(rows))
        return self._first(torch.stack([row[shared:] for row in rows]), None, reading.memory)

    def extend(self, reading: Context, new: More) -> Float[Tensor, "b t v"]:
        """Read on."""
        if self._continues or new.shape[1] == 1:
            return self._extend(reading, new)
        return torch.cat(
            [self._extend(reading, new[:, at : at + 1]) for at in range(new.shape[1])], dim=1
        )

    def _extend(self, reading: Context, new: More) -> Float[Tensor, "b t v"]:
        if reading.mask is not None:
            seen = reading.mask.new_ones(new.shape[:2])
            reading.mask = torch.cat([reading.mask, seen], dim=1)
        out = self._call(new, reading.mask, reading.memory)
        states = self._call.after(out)
        reading.memory, reading.last = self._call.cache_of(out), states[:, -1]
        return states

    def branch(self, reading: Context, rows: Sequence[int]) -> Context:
        """A reading of these rows of another."""
        index = torch.tensor(list(rows), device=reading.last.device)
        cache = _copied(reading.memory)
        cache.reorder_cache(index)
        mask = None if reading.mask is None else reading.mask[index]
        return Context(reading.last[index], cache, mask)

    def _first(
        self, inputs: Tensor, mask: Int[Tensor, "b n"] | None, memory: Any = None
    ) -> Context:
        with self._alone(*inputs.shape[:2]):
            out = self._call(inputs, mask, memory, last=True)
        return Context(self._call.after(out)[:, -1], self._call.cache_of(out), mask)


class WholeReader:
    """Keeps the inputs, and reads all of them again for every new token."""

    def __init__(self, lm: CausalLM, forward: type[Forward] = Logits) -> None:
        self._call = forward(lm)
        self._lm = lm

    def read(self, rows: Sequence[Tensor]) -> Context:
        """Read each row; all have the same length."""
        inputs = torch.stack(list(rows))
        out = self._call(inputs, last=True, use_cache=False)
        return Context(self._call.after(out)[:, -1], inputs, None)

    def extend(self, reading: Context, new: More) -> Float[Tensor, "b t v"]:
        """Read everything again, and what is new."""
        parts = [reading.memory, new]
        if any(part.dim() == 3 for part in parts):
            embed = self._lm.model.get_input_embeddings()
            parts = [embed(part) if part.dim() == 2 else part for part in parts]
        reading.memory = torch.cat(parts, dim=1)
        out = self._call(reading.memory, use_cache=False)
        states = self._call.after(out)[:, -new.shape[1] :]
        reading.last = states[:, -1]
        return states

    def branch(self, reading: Context, rows: Sequence[int]) -> Context:
        """A reading of these rows of another."""
        index = torch.tensor(list(rows), device=reading.last.device)
        return Context(reading.last[index], reading.memory[index], None)


def padded(rows: Sequence[Tensor]) -> tuple[Tensor, Int[Tensor, "b n"] | None]:
    """Rows of ids or embeddings as one batch, padded at the left, and its mask if one is needed."""
    length = max(len(row) for row in rows)
    if all(len(row) == length for row in rows):
        return torch.stack(list(rows)), None
    mask = torch.zeros(len(rows), length, dtype=torch.long, device=rows[0].device)
    inputs = rows[0].new_zeros(len(rows), length, *rows[0].shape[1:])
    for i, row in enumerate(rows):
        mask[i, length - len(row) :] = 1
        inputs[i, length - len(row) :] = row
    return inputs, mask


def _common_prefix(rows: Sequence[Tensor]) -> int:
    """How many ids all rows begin with, leaving each at least one of its own."""
    if rows[0].dim() != 1:
        return 0
    stacked = torch.stack(list(rows))
    differs = (stacked != stacked[0]).any(dim=0).nonzero()
    shared = int(differs[0]) if len(differs) else stacked.shape[1]
    return min(shared, stacked.shape[1] - 1)


def _copied(cache: Any) -> Any:
    """A cache whose layers can be given other tensors without a change to the original.

    No tensor is copied here: `reorder_cache` makes new ones.
    """
    layers = getattr(cache, "layers", None)
    if layers is None:
        return copy.deepcopy(cache)
    new = copy.copy(cache)
    new.layers = [copy.copy(layer) for layer in layers]
    for layer in new.layers:
        for name, value in vars(layer).items():
            if isinstance(value, dict | list):
                setattr(layer, name, copy.copy(value))
    return new
