"""Autoregression on continuous features: each last hidden state makes the next input."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.devices import is_out_of_memory
from frostbench.plugins.contract.completions import Failed, Regressed
from frostbench.plugins.contract.prompts import Regress
from frostbench.plugins.engine.reader import Reader
from frostbench.plugins.engine.resolve import Feed, ReadyPrompt, feed_identity
from frostbench.plugins.host.containment import contain
from frostbench.plugins.host.errors import describe


class FeedError(Exception):
    """What a feed returned cannot be an input; the message is one sentence."""


def regress(
    items: Sequence[ReadyPrompt], reader: Reader, lm: CausalLM, role: str
) -> list[Regressed | Failed]:
    """Take the steps of a batch of prompts, which all ask for the same number.

    `reader` gives last hidden states. The first feature is the one after the prompt; the last is
    not fed. Features, and a feed's input, are float32 on the model's device; a feed's output is
    rounded to the model's dtype. A batch row whose feature or feed fails reads zeros from there on,
    which no other row sees.
    """
    steps = items[0].new
    feeder = _Feeder(items, lm)
    reading = reader.read([item.inputs(lm) for item in items])
    rows, width = reading.last.shape
    features = reading.last.new_empty(rows, steps, width, dtype=torch.float32)
    for step in range(steps):
        if step:
            reader.extend(reading, feeder.feed(features[:, step - 1], step)[:, None])
        features[:, step] = reading.last
        finite = torch.isfinite(reading.last).all(-1).tolist()
        for row in (row for row in range(rows) if not finite[row]):
            feeder.fail(
                row, f"backbone {role!r} gave features that are not finite numbers, step {step + 1}"
            )
        if len(feeder.failures) == rows:
            break
    return [feeder.failures.get(row) or Regressed(_kept(features[row])) for row in range(rows)]


def _kept(features: Float[Tensor, "steps d"]) -> Float[Tensor, "steps d"]:
    """One row's features by themselves, as a tensor that may be used in training too."""
    with torch.inference_mode(False):
        return features.clone()


class _Feeder:
    """Turns the features of a batch into its next inputs, each by the feed of its own prompt.

    Rows of one feed are fed together, and one by one where that fails, so that each failure is its
    own row's.
    """

    def __init__(self, items: Sequence[ReadyPrompt], lm: CausalLM) -> None:
        self._width, self._dtype = lm.width, lm.dtype
        self._groups: dict[object, tuple[Feed, list[int]]] = {}
        self.failures: dict[int, Failed] = {}
        for row, item in enumerate(items):
            assert isinstance(item.ask, Regress)
            feed = item.ask.feed
            self._groups.setdefault(feed_identity(feed), (feed, []))[1].append(row)

    def fail(self, row: int, reason: str) -> None:
        """Remember why a row has no answer; the first reason counts."""
        self.failures.setdefault(row, Failed(f"{reason}."))

    def feed(self, features: Float[Tensor, "b c"], step: int) -> Float[Tensor, "b d"]:
        """The next inputs; a row that has failed gets zeros."""
        inputs = features.new_zeros(len(features), self._width, dtype=self._dtype)
        for feed, members in self._groups.values():
            rows = [row for row in members if row not in self.failures]
            if not rows:
                continue
            try:
                inputs[rows] = self._through(feed, features[rows])
            except Exception as error:  # an author's code: its failure fails its own prompts alone
                if is_out_of_memory(error):
                    raise
                self._feed_alone(feed, rows, features, inputs, step)
        return inputs

    def _feed_alone(
        self,
        feed: Feed,
        rows: Sequence[int],
        features: Float[Tensor, "b c"],
        inputs: Float[Tensor, "b d"],
        step: int,
    ) -> None:
        for row in rows:
            try:
                inputs[row] = self._through(feed, features[[row]])[0]
            except FeedError as error:
                self.fail(row, f"the feed of the prompt {error}, step {step}")
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                self.fail(row, f"the feed of the prompt failed, step {step}: {describe(error)}")

    def _through(self, feed: Feed, features: Float[Tensor, "b c"]) -> Float[Tensor, "b d"]:
        """The feed's output for copies of features, in the model's dtype.

        Raises:
            FeedError: it is of another shape, or holds what is no finite number.
        """
        shape = tuple(features.shape)
        given: Any = contain(None, feed, features)  # whatever an author's code returns
        wanted = (len(features), self._width)
        if not isinstance(given, Tensor) or given.shape != wanted:
            what = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
            raise FeedError(f"gave {what} for features of shape {shape}; {wanted} is wanted")
        inputs = given.to(features.device, self._dtype)
        if not bool(torch.isfinite(inputs).all()):
            raise FeedError("gave numbers that are not finite")
        return inputs
