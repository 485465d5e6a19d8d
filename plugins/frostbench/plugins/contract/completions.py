"""Completions: the engine's answers to prompts."""

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Cost:
    """What one prompt, or one sample, cost.

    Seconds: its share, by tokens, of the time of its batches; tokens read and written; the
    largest device memory in bytes seen while it ran (None where the device does not tell);
    joules where the device tells.
    """

    seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    peak_bytes: int | None = None
    joules: float | None = None

    def __add__(self, other: "Cost") -> "Cost":
        peaks = [peak for peak in (self.peak_bytes, other.peak_bytes) if peak is not None]
        joules = [energy for energy in (self.joules, other.joules) if energy is not None]
        return Cost(
            self.seconds + other.seconds,
            self.prompt_tokens + other.prompt_tokens,
            self.generated_tokens + other.generated_tokens,
            max(peaks) if peaks else None,
            sum(joules) if joules else None,
        )

    def part(self, share: float) -> "Cost":
        """The cost of one of several prompts that ran together: time and energy are shared."""
        joules = None if self.joules is None else self.joules * share
        return replace(self, seconds=self.seconds * share, joules=joules)


@dataclass(frozen=True)
class Generated:
    """The answer to `Generate`: ids and their text, with each id's log-probability.

    Log-probabilities are those of the unconstrained model, at temperature 1. `others` are the
    further samples, where several were asked for; what they cost is in the first one's `cost`.
    """

    ids: tuple[int, ...]
    text: str
    logprobs: tuple[float, ...] = ()
    cost: Cost = field(default_factory=Cost)
    others: tuple["Generated", ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of all samples, in order."""
        return (self.text, *(other.text for other in self.others))


@dataclass(frozen=True)
class Chosen:
    """The answer to `Choose`: the index of the option, and every option's log-probability."""

    index: int
    logprobs: tuple[float, ...]
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, eq=False)
class Regressed:
    """The answer to `Regress`: the last hidden state of each step, before `feed`.

    Float32, on the model's device.
    """

    features: Float[Tensor, "steps d"]
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, eq=False)
class Attended:
    """The answer to `Attend`: rows of attention, and hidden states at the queries.

    Both are float32, on the model's device. Layers are those that attend, in order (all of them,
    except in hybrids such as LFM2). Weights are those of the softmax over all that a query sees, so
    that a row over some keys does not sum to 1. Hidden states are those after each layer, the last
    layer's after the model's final norm.
    """

    attention: Float[Tensor, "layers heads queries keys"]
    hidden: Float[Tensor, "layers queries d"]
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, eq=False)
class Filled:
    """The answer to `Fill`: the hidden state at each placeholder, after the model's final norm.

    Float32, on the model's device.
    """

    states: Float[Tensor, "g n d"]
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class Scored:
    """The answer to `Score`: the cosine of the image with each text, in [-1, 1], in order.

    A text or an image that was encoded before in the same run costs what it cost then, so that no
    method's cost depends on which came first.
    """

    scores: tuple[float, ...]
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class Failed:
    """The engine could not answer this prompt, and says why in one sentence."""

    reason: str
    cost: Cost = field(default_factory=Cost)


Completion: TypeAlias = Generated | Chosen | Regressed | Attended | Filled | Scored | Failed
"""What the engine answers to a prompt: one type for each kind of ask, or that it failed."""
