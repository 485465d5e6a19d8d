"""One forward pass of a causal language model, and what it gives after each token."""

import inspect
from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM

CACHES = ("cache", "cache_params", "past_key_values")


class Forward(ABC):
    """Calls a network of transformers with the arguments that it understands."""

    def __init__(self, network: Any) -> None:
        self._network = network
        parameters = inspect.signature(network.forward).parameters
        self._knows = set(parameters)
        self._knows_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        # transformers calls it `cache` since 5.24; before, recurrent classes had their own name.
        self._cache = next((n for n in CACHES if n in parameters), CACHES[-1])

    @abstractmethod
    def after(self, out: Any) -> Float[Tensor, "b t v"]:
        """The output after each token that was read, or after the last alone."""

    def __call__(
        self,
        inputs: Tensor,
        mask: Int[Tensor, "b n"] | None = None,
        cache: Any = None,
        *,
        last: bool = False,
        use_cache: bool = True,
    ) -> Any:
        """Read ids `[b t]` or embeddings `[b t d]` after what `cache` holds.

        `mask` is 0 where a row was padded; with `last`, only the output after the last token is
        wanted.
        """
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
        return self._network(**given)

    def cache_of(self, out: Any) -> Any:
        """What a forward pass keeps for the next one.

        Raises:
            NotImplementedError: the class keeps nothing, or something that has no rows.
        """
        cache = getattr(out, self._cache, None)
        if not hasattr(cache, "reorder_cache"):
            raise NotImplementedError(f"{type(self._network).__name__} returns no cache of rows.")
        return cache


class Logits(Forward):
    """The whole model: the logits of the next token."""

    def __init__(self, lm: CausalLM) -> None:
        super().__init__(lm.model)

    def after(self, out: Any) -> Float[Tensor, "b t v"]:
        """Logits."""
        logits: Tensor = out.logits
        return logits


class States(Forward):
    """The model without its head: the last hidden states, which the head would read.

    They come after the model's final norm, as LM4LV's code takes them; the product with the
    vocabulary is never computed.
    """

    def __init__(self, lm: CausalLM) -> None:
        super().__init__(lm.model.base_model)
        self._home = lm.device

    def after(self, out: Any) -> Float[Tensor, "b t v"]:
        """Hidden states."""
        states: Tensor = out.last_hidden_state
        return states.to(self._home)
