"""One prompt's answer while it is written, token by token."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Failed, Generated
from frostbench.plugins.contract.prompts import Generate, TokenSets, Trie
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.engine.resolve import ReadyPrompt
from frostbench.plugins.engine.trie import grow


class Writer:
    """Knows what may come next, and when the answer is complete.

    Where an allowed string is complete and also begins a longer one, the answer goes on only if
    the model's most likely token of all (of a sample: the one drawn of all) belongs to a longer
    one. Any other token that the model prefers, such as its end-of-sequence token or the beginning
    of a next line, ends it; so the rule needs no end-of-sequence token.
    """

    def __init__(self, item: ReadyPrompt, lm: CausalLM, sample: int = 0) -> None:
        assert isinstance(item.ask, Generate)
        self._ask = item.ask
        self._random: torch.Generator | None = None
        if item.ask.temperature:
            seed = seed_of("Generate", item.ask.seed, sample)
            self._random = torch.Generator().manual_seed(seed)
        self._failed = ""
        self._lm = lm
        self._most = item.new
        self._node = grow(item.strings) if isinstance(item.ask.allowed, Trie) else None
        self._text: str | None = None
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self.done = self._most == 0

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn, and not the most likely ones."""
        return self._random is not None

    def noise(self, size: int) -> Float[Tensor, " size"]:
        """Noise that makes the next token a draw when it is added to `size` logits.

        Made on the host, so that it is the same for every device.
        """
        even = torch.rand(size, generator=self._random, dtype=torch.float64)
        gumbel = -(-even.clamp(min=2.0**-60).log()).log()
        return (self._ask.temperature * gumbel).float()

    def choices(self, top: int) -> frozenset[int] | None:
        """The ids that may come next (none: the answer ends here), or None where all may.

        `top` is the token that would come without a constraint.
        """
        if self._node is not None:
            children = self._node.children
            ends = self._node.string is not None and top not in children
            return frozenset() if ends else frozenset(children)
        if isinstance(self._ask.allowed, TokenSets):
            return self._ask.allowed.sets[len(self.ids)]
        return None

    def end(self) -> None:
        """End the answer here."""
        self.done = True

    def fail(self, reason: str) -> None:
        """Give up the answer, for this reason."""
        self._failed, self.done = reason, True

    def take(self, token: int, logprob: float) -> None:
        """Write a token, or end at it where it ends the text."""
        if self._node is None and token in self._lm.eos_ids:
            self.done = True
            return
        self.ids.append(token)
        self.logprobs.append(logprob)
        if self._node is not None:
            self._node = self._node.children[token]
            self.done = not self._node.children
        self.done = self.done or len(self.ids) >= self._most
        if self._ask.stop:
            self._cut_at_stop()

    def finish(self) -> Generated | Failed:
        """The answer as it stands."""
        if self._failed:
            return Failed(self._failed)
        if self._node is not None and self._node.string is not None:
            text = self._node.string
        else:
            text = self._lm.decode(self.ids) if self.ids else ""
        if self._text is not None:
            text = self._text
        return Generated(tuple(self.ids), text, tuple(self.logprobs))

    def _cut_at_stop(self) -> None:
        text = self._lm.decode(self.ids)
        places = [place for stop in self._ask.stop if stop and (place := text.find(stop)) >= 0]
        if not places:
            return
        self._text = text[: min(places)]
        self.done = True
        # Ids whose text lies before the stop string stay, those that reach into it go.
        while self.ids and len(self._lm.decode(self.ids)) > len(self._text):
            self.ids.pop()
            self.logprobs.pop()


def joined(samples: Sequence[Generated | Failed]) -> Generated | Failed:
    """The samples of one prompt as its answer; if one failed, that failure is the answer."""
    written = [sample for sample in samples if isinstance(sample, Generated)]
    failed = next((sample for sample in samples if isinstance(sample, Failed)), None)
    return failed or replace(written[0], others=tuple(written[1:]))
