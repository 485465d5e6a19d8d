"""The end of a model's last layer, computed for the last tokens of a prompt alone.

A prompt is read for the output after its last token. What the last layer computes after its
attention, above all its feed-forward network, is of use at that token only, and is left out at all
others. In a model of few layers that is a large part of the work.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.linears import FEWEST_ROWS, OneDnnLinear
from frostbench.plugins.engine.reader import CachedReader

FEWEST_TOKENS = 512  # tokens of a batch; below, there is little to save
LENGTH = 6  # of the rows of a trial


class UncutError(Exception):
    """A module is not called on one tensor of rows and tokens."""


class Tail:
    """The parts of a model's last layer that must be computed for the last tokens only.

    Nothing is assumed of a class: a part is cut if, in a trial, that changed no bit of the output
    after the last token, nor of what is read after it. Only float32 models on a CPU are tried:
    there a product through oneDNN has the same bits whatever rows are beside it.
    """

    def __init__(self, lm: CausalLM) -> None:
        self._lm = lm

    @contextlib.contextmanager
    def alone(self, rows: int, length: int) -> Iterator[None]:
        """Leave out what nobody reads in a forward pass of so many rows and tokens."""
        # As many tokens as keep a product on the path that the whole batch would take.
        last = -(-FEWEST_ROWS // rows)
        parts = self.parts if rows * length >= FEWEST_TOKENS and last < length else ()
        with _cut(parts, last):
            yield

    @cached_property
    def parts(self) -> Sequence[nn.Module]:
        """What is cut; found when it is first asked for."""
        room, lm = self._lm.context_length, self._lm
        decoder = lm.model.get_decoder() if hasattr(lm.model, "get_decoder") else None
        layers: Any = getattr(decoder, "layers", ())
        if not len(layers) or lm.device.type != "cpu" or (room is not None and room <= LENGTH):
            return ()
        if not any(isinstance(part, OneDnnLinear) for part in layers[-1].modules()):
            return ()
        wanted = self._read(())
        if wanted is None:
            return ()
        found = self._found(layers[-1], wanted)
        read = self._read(found)
        return found if read is not None and torch.equal(read, wanted) else ()

    def _found(self, parent: nn.Module, wanted: Tensor) -> list[nn.Module]:
        """Of a module's parts, the largest that may be cut."""
        found: list[nn.Module] = []
        for part in parent.children():
            if not any(weight.dim() > 1 for weight in part.parameters()):
                continue  # norms and activations are not worth a trial
            read = self._read([part])
            if read is not None and torch.equal(read, wanted):
                found.append(part)
            else:
                found += self._found(part, wanted)
        return found

    @torch.inference_mode()
    def _read(self, parts: Sequence[nn.Module]) -> Tensor | None:
        """Logits after a few rows, and after one token more; None where a part cannot be cut."""
        draw = torch.Generator().manual_seed(0)
        ids = torch.randint(self._lm.vocabulary_size, (FEWEST_ROWS, LENGTH + 1), generator=draw)
        reader = CachedReader(self._lm, continues=False)
        try:
            with _cut(parts, 1) as called:
                reading = reader.read(list(ids[:, :-1]))
            if len(called) < len(parts):
                return None
            first = reading.last
            return torch.cat([first, reader.extend(reading, ids[:, -1:])[:, 0]])
        except (UncutError, NotImplementedError, RuntimeError, ValueError, TypeError):
            return None


@contextlib.contextmanager
def _cut(parts: Sequence[nn.Module], last: int) -> Iterator[set[nn.Module]]:
    """Compute parts for the last tokens alone; zeros stand at the others. Yields those called."""
    lengths: dict[nn.Module, int] = {}

    def before(part: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        x = given[0] if given else None
        if named or len(given) != 1 or not isinstance(x, Tensor) or x.dim() < 3:
            raise UncutError
        lengths[part] = x.shape[1]
        return (x[:, -last:],), {}

    def after(part: nn.Module, _: object, out: Any) -> Tensor:
        if not isinstance(out, Tensor):
            raise UncutError
        whole = out.new_zeros(len(out), lengths[part], *out.shape[2:])
        whole[:, -last:] = out
        return whole

    hooks = [part.register_forward_pre_hook(before, with_kwargs=True) for part in parts]
    hooks += [part.register_forward_hook(after) for part in parts]
    try:
        yield lengths.keys()  # type: ignore[misc]
    finally:
        for hook in hooks:
            hook.remove()
