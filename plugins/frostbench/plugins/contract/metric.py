"""Metrics, as plugins give them: a pure function with a frozen record of facts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from frostbench.plugins.contract.cards import MetricFacts
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.matches import ClassMatches
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

SampleScore: TypeAlias = Callable[[Prediction, Target], float | None]
"""The score of one sample, None where the metric asks nothing of it; raises ValueError on what
cannot be scored."""

SampleCounts: TypeAlias = Callable[[Prediction, Target], Sequence[float]]
"""What one sample adds to a set's sums; raises ValueError on what cannot be scored."""

SampleMatches: TypeAlias = Callable[[Prediction, Target], Sequence[ClassMatches]]
"""What one sample adds to a set's average precision; raises ValueError on what has none."""

ImageFeatures: TypeAlias = Callable[[Sequence[Image]], Any]
"""Features of images, a float array `[n, d]`. They are stored: scoring again needs no network."""


@dataclass(frozen=True)
class WholeSet:
    """A number of a whole set that is no sum over its samples.

    Attributes:
        read: what a sample gives, of any kind; None where the metric asks nothing of it. It raises
            ValueError on what cannot be scored.
        value: the number, of what the samples give, in any order. It is also asked for the set
            without a part of its clusters, from which the interval is found.
    """

    read: Callable[[Prediction, Target], Any]
    value: Callable[[Sequence[Any]], float]


@dataclass(frozen=True)
class MetricContext:
    """What a metric may be built from: networks of the pack, and local weight files.

    `networks` are the roles of the pack's backbones that the metric's facts name.
    """

    backbones: Any
    weights: Mapping[str, Path] = field(default_factory=dict)
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A metric: its facts and the function that computes it.

    `pooling` tells which kind of function it is: "mean" asks for a `SampleScore`, "ratio" and
    "bleu" for `SampleCounts`, "features" for `ImageFeatures`, "average_precision" for
    `SampleMatches`, and "whole" for a `WholeSet`. A metric that learns from a `corpus` has a
    function that takes a sequence of targets and returns that function; it raises ValueError where
    they teach nothing.
    """

    facts: MetricFacts
    function: Any

    @staticmethod
    def made(facts: MetricFacts, target: Any, context: MetricContext) -> "Metric":
        """The metric of an offer.

        Its target is the function itself. Where the facts name networks or a weight file, the
        target makes the function from a `MetricContext`.
        """
        if not facts.networks and not facts.weights:
            return Metric(facts, target)
        return Metric(facts, target(replace(context, networks=facts.networks)))

    @property
    def whole(self) -> WholeSet:
        """The function of a metric that is a number of the whole set.

        Raises:
            TypeError: it is none.
        """
        if not isinstance(self.function, WholeSet):
            raise TypeError(f"metric {self.facts.id!r}: what is pooled as whole is a WholeSet")
        return self.function
