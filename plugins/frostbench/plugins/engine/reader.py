"""Reading with a causal language model: prompts, then more tokens, with what was read kept.

Two readers, one interface. `CachedReader` keeps keys, values and states in the cache of
transformers, whatever kinds of layers the model mixes. `WholeReader` keeps the inputs and reads
everything again: slow, and right for any causal model.
"""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM


@dataclass(eq=False)
class Reading:
    """What a model has read of a batch of rows.

    `logits` are those behind the last token; `memory` is the reader's own (a cache, or the
    inputs); `mask` is 0 where a row was padded at its left, None where no row was.
    """

    logits: Float[Tensor, "b v"]
    memory: Any
    mask: Int[Tensor, "b n"] | None


@runtime_checkable
class Reader(Protocol):
    """Reads rows of token ids `[n]` or of embeddings `[n d]`."""

    def read(self, rows: Sequence[Tensor]) -> Reading:
        """Read each row from its beginning."""
        ...

    def extend(self, reading: Reading, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t v"]:
        """Read on, the same number of tokens in each row; `reading` moves along."""
        ...

    def branch(self, reading: Reading, rows: Sequence[int]) -> Reading:
        """A reading of these rows of another, any of them several times; that one stays."""
        ...


class CachedReader:
    """Keeps what was read in a cache of transformers.

    With `continues`, several tokens are read on at once, otherwise one by one. From
    `shared_prefix` tokens on, what all rows begin with is read once; that needs `continues`.
    """

    def __init__(self, lm: CausalLM, *, continues: bool, shared_prefix: int = 0) -> None:
        self._call = _Call(lm)
        self._continues = continues
        self._shared_prefix = shared_prefix if continues else 0

    def read(self, rows: Sequence[Tensor]) -> Reading:
        """Read each row; rows of unequal length are padded at the left."""
        length = max(len(row) for row in rows)
        if any(len(row) != length for row in rows):
            return self._read_padded(rows, length)
        shared = _common_prefix(rows) if self._shared_prefix and len(rows) > 1 else 0
        if shared < self._shared_prefix or not shared:
            return self._first(torch.stack(list(rows)), None)
        prefix = self._first(rows[0][None, :shared], None)
        reading = self.branch(prefix, [0] * len(rows))
        out = self._call(
            torch.stack([row[shared:] for row in rows]), cache=reading.memory, last=True
        )
        return Reading(_logits(out)[:, -1], self._call.cache_of(out), None)

    def extend(self, reading: Reading, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t v"]:
        """Read on."""
        if self._continues or ids.shape[1] == 1:
            return self._extend(reading, ids)
        return torch.cat(
            [self._extend(reading, ids[:, at : at + 1]) for at in range(ids.shape[1])], dim=1
        )

    def _extend(self, reading: Reading, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t v"]:
        if reading.mask is not None:
            reading.mask = torch.cat([reading.mask, torch.ones_like(ids)], dim=1)
        out = self._call(ids, reading.mask, reading.memory)
        logits = _logits(out)
        reading.memory, reading.logits = self._call.cache_of(out), logits[:, -1]
        return logits

    def branch(self, reading: Reading, rows: Sequence[int]) -> Reading:
        """A reading of these rows of another."""
        index = torch.tensor(list(rows), device=reading.logits.device)
        cache = _copied(reading.memory)
        cache.reorder_cache(index)
        mask = None if reading.mask is None else reading.mask[index]
        return Reading(reading.logits[index], cache, mask)

    def _first(self, inputs: Tensor, mask: Int[Tensor, "b n"] | None) -> Reading:
        out = self._call(inputs, mask, last=True)
        return Reading(_logits(out)[:, -1], self._call.cache_of(out), mask)

    def _read_padded(self, rows: Sequence[Tensor], length: int) -> Reading:
        mask = torch.zeros(len(rows), length, dtype=torch.long, device=rows[0].device)
        inputs = rows[0].new_zeros(len(rows), length, *rows[0].shape[1:])
        for i, row in enumerate(rows):
            mask[i, length - len(row) :] = 1
            inputs[i, length - len(row) :] = row
        return self._first(inputs, mask)


class WholeReader:
    """Keeps the inputs, and reads all of them again for every new token."""

    def __init__(self, lm: CausalLM) -> None:
        self._call = _Call(lm)
        self._lm = lm

    def read(self, rows: Sequence[Tensor]) -> Reading:
        """Read each row; all have the same length."""
        inputs = torch.stack(list(rows))
        out = self._call(inputs, last=True, use_cache=False)
        return Reading(_logits(out)[:, -1], inputs, None)

    def extend(self, reading: Reading, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t v"]:
        """Read everything again, and what is new."""
        new = ids if reading.memory.dim() == 2 else self._lm.model.get_input_embeddings()(ids)
        reading.memory = torch.cat([reading.memory, new], dim=1)
        logits = _logits(self._call(reading.memory, use_cache=False))[:, -ids.shape[1] :]
        reading.logits = logits[:, -1]
        return logits

    def branch(self, reading: Reading, rows: Sequence[int]) -> Reading:
        """A reading of these rows of another."""
        index = torch.tensor(list(rows), device=reading.logits.device)
        return Reading(reading.logits[index], reading.memory[index], None)


class _Call:
    """One forward of the model, told no more than it understands."""

    def __init__(self, lm: CausalLM) -> None:
        self._model = lm.model
        parameters = inspect.signature(lm.model.forward).parameters
        self._knows = set(parameters)
        self._knows_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        # Purely recurrent classes have their own name for the same thing.
        self._cache = "cache_params" if "cache_params" in parameters else "past_key_values"

    def __call__(
        self,
        inputs: Tensor,
        mask: Int[Tensor, "b n"] | None = None,
        cache: Any = None,
        *,
        last: bool = False,
        use_cache: bool = True,
    ) -> Any:
        given: dict[str, Any] = {"use_cache": use_cache}
        given["input_ids" if inputs.dim() == 2 else "inputs_embeds"] = inputs
        if cache is not None:
            given[self._cache] = cache
        if mask is not None:
            given["attention_mask"] = mask
            if "position_ids" in self._knows:
                positions = (mask.cumsum(-1) - 1).clamp(min=0)
                given["position_ids"] = positions[:, -inputs.shape[1] :]
        if last and "logits_to_keep" in self._knows:
            given["logits_to_keep"] = 1
        if not self._knows_all:
            given = {name: value for name, value in given.items() if name in self._knows}
        return self._model(**given)

    def cache_of(self, out: Any) -> Any:
        """What a forward leaves for the next one.

        Raises:
            NotImplementedError: the class keeps nothing, or something that has no rows.
        """
        cache = getattr(out, self._cache, None)
        if not hasattr(cache, "reorder_cache"):
            raise NotImplementedError(f"{type(self._model).__name__} returns no cache of rows.")
        return cache


def _logits(out: Any) -> Float[Tensor, "b t v"]:
    logits: Tensor = out.logits
    return logits


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
