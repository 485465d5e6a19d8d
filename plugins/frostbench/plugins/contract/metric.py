"""Metrics, as plugins give them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target


@runtime_checkable
class Metric(Protocol):
    """A score of one sample. The id carries the protocol: "psnr[rgb]", "accuracy[exact]"."""

    id: str
    higher_is_better: bool
    unit: str
    lower: float | None
    upper: float | None

    def __call__(self, prediction: Prediction, target: Target) -> float:
        """The score; raises ValueError on what cannot be scored."""
        ...


@runtime_checkable
class CorpusMetric(Protocol):
    """A score of one sample that weighs by what is rare in a corpus of references (CIDEr-D)."""

    id: str
    higher_is_better: bool
    unit: str
    lower: float | None
    upper: float | None

    def on(self, corpus: Sequence[Target]) -> Metric:
        """The metric on a corpus; raises ValueError where there is none."""
        ...


@runtime_checkable
class PooledMetric(Protocol):
    """A score of a whole set, from counts of each sample that are summed (BLEU, cIoU, F1).

    `pooling` names the formula over the sums, which statistics know: "ratio" is the first sum by
    the second; "bleu" reads, for each order of n-grams, matches and totals, and then the lengths of
    candidates and of references.
    """

    id: str
    higher_is_better: bool
    unit: str
    lower: float | None
    upper: float | None
    pooling: Literal["ratio", "bleu"]

    def counts(self, prediction: Prediction, target: Target) -> Sequence[float]:
        """The counts of one sample; raises ValueError on what cannot be scored."""
        ...


@runtime_checkable
class SetMetric(Protocol):
    """A score of a whole set, from one feature vector a sample (a Fréchet distance).

    Features are stored with the samples, so that a run can be scored again without a network.
    """

    id: str
    higher_is_better: bool
    unit: str
    lower: float | None
    upper: float | None

    def features(self, images: Sequence[Image]) -> Any:
        """Features of images, a float array `[n, d]`."""
        ...

    def __call__(self, predictions: Any, targets: Any) -> float:
        """The score, from two float arrays `[n, d]`."""
        ...


@dataclass(frozen=True)
class MetricContext:
    """What a metric may be built from: networks of the pack, and local weight files."""

    backbones: Any
    weights: Mapping[str, Path] = field(default_factory=dict)


MetricFactory: TypeAlias = Callable[
    [MetricContext], Metric | CorpusMetric | PooledMetric | SetMetric
]
