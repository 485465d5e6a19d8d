"""Scores predictions as they come back from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, assert_never

import numpy as np
import numpy.typing as npt
import torch

from frostbench.bench.statistics import check_matches, checked_counts
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.records import StoredMatches
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.matches import ClassMatches
from frostbench.plugins.contract.metric import (
    ImageFeatures,
    Metric,
    SampleCounts,
    SampleMatches,
    SampleScore,
    WholeSet,
)
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.task import Target
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe
from frostbench.plugins.host.recent import Recent


@dataclass(frozen=True)
class SampleScores:
    """A sample's values by metric: scores, features for set metrics, counts for pooled ones.

    `matches` is what it adds to average precisions.

    `error` says why there is nothing.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    counts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    matches: Mapping[str, tuple[StoredMatches, ...]] = field(default_factory=dict)
    error: str | None = None


# Pairs of images whose scores stay in memory, and images whose features do.
_RECENT = 4096


class Scoring:
    """The metrics of a task.

    Equal images are scored once: many rows predict the same image (ceilings, copies, the same image
    in several protocols), and all rows share targets.

    Metrics that learn from a corpus are bound to `corpus` once, here.

    Attributes:
        blobs: where features are kept.

    Raises:
        ValueError: a metric needs a corpus, and this is none.
    """

    def __init__(
        self, metrics: Mapping[str, Metric], blobs: Blobs, corpus: Sequence[Target] = ()
    ) -> None:
        self._singles: dict[str, SampleScore] = {}
        self._pooled: dict[str, tuple[Literal["ratio", "bleu"], SampleCounts]] = {}
        self._ranked: dict[str, SampleMatches] = {}
        self._sets: dict[str, ImageFeatures] = {}
        self._wholes: dict[str, WholeSet] = {}
        self._facts = {name: metric.facts for name, metric in metrics.items()}
        for name, metric in metrics.items():
            learns = metric.facts.corpus
            function = metric.function(corpus) if learns else metric.function
            match metric.facts.pooling:
                case "mean":
                    self._singles[name] = function
                case "ratio" | "bleu" as pooling:
                    self._pooled[name] = pooling, function
                case "average_precision":
                    self._ranked[name] = function
                case "features":
                    self._sets[name] = function
                case "whole":
                    self._wholes[name] = metric.whole
                case other:
                    assert_never(other)
        self.blobs = blobs
        self._known: Recent[tuple[str, str], str] = Recent(_RECENT)
        self._scored: Recent[tuple[str, str, str], SampleScores] = Recent(_RECENT)

    def __call__(
        self, predictions: Sequence[Prediction], targets: Sequence[Target]
    ) -> list[SampleScores]:
        """One result a pair. A pair that one metric cannot score is scored by none.

        Raises:
            StoreFullError: features cannot be kept for want of room.
        """
        results = [
            self._once(prediction, target)
            for prediction, target in zip(predictions, targets, strict=True)
        ]
        for name in self._sets:
            results = self._with_features(name, results, predictions, targets)
        return results

    def forget(self) -> None:
        """Release features, at the end of a chunk.

        A network's last digits may depend on the other images in a batch, so batches must not
        depend on the chunks that this worker did before.
        """
        self._known = Recent(_RECENT)

    def _once(self, prediction: Prediction, target: Target) -> SampleScores:
        if not isinstance(prediction, ImagePrediction) or not isinstance(target, Image):
            return self._score(prediction, target)
        key = Image(prediction.pixels).digest, target.digest, target.name
        known = self._scored.get(key)
        if known is None:
            known = self._score(prediction, target)
            if known.error is None:
                self._scored.keep(key, known)
        return known

    def _score(self, prediction: Prediction, target: Target) -> SampleScores:
        scores: dict[str, float] = {}
        for name, score in self._singles.items():
            try:
                with torch.no_grad():
                    value = contain(
                        Call("metric", name, "score"), _value, score, prediction, target
                    )
            except Exception as error:
                return SampleScores(error=f"metric {name!r}: {describe(error)}")
            if value is None:
                continue
            wrong = self._facts[name].misfit(value)
            if wrong:
                return SampleScores(error=f"metric {name!r} {wrong}")
            scores[name] = value
        counts: dict[str, tuple[float, ...]] = {}
        for name, (pooling, count) in self._pooled.items():
            try:
                counted = contain(Call("metric", name, "count"), count, prediction, target)
                counts[name] = checked_counts(pooling, counted)
            except Exception as error:
                return SampleScores(error=f"metric {name!r}: {describe(error)}")
        matches: dict[str, tuple[StoredMatches, ...]] = {}
        for name, match in self._ranked.items():
            try:
                found = contain(Call("metric", name, "match"), match, prediction, target)
                matches[name] = _as_matches(found)
            except Exception as error:
                return SampleScores(error=f"metric {name!r}: {describe(error)}")
        for name, whole in self._wholes.items():
            # It is computed again, from all samples, when the task is complete.
            try:
                contain(Call("metric", name, "read"), whole.read, prediction, target)
            except Exception as error:
                return SampleScores(error=f"metric {name!r}: {describe(error)}")
        return SampleScores(scores, counts=counts, matches=matches)

    def _with_features(
        self,
        name: str,
        results: Sequence[SampleScores],
        predictions: Sequence[Prediction],
        targets: Sequence[Target],
    ) -> list[SampleScores]:
        pairs: list[tuple[int, Image, Image]] = []
        updated = list(results)
        for index, (result, prediction, target) in enumerate(
            zip(results, predictions, targets, strict=True)
        ):
            if result.error is not None:
                continue
            if isinstance(prediction, ImagePrediction) and isinstance(target, Image):
                pairs.append((index, Image(prediction.pixels), target))
            else:
                updated[index] = SampleScores(error=f"metric {name!r} compares images only")
        features = self._features_once(name, [image for pair in pairs for image in pair[1:]])
        for index, image, target in pairs:
            feature, theirs = features[image], features[target]
            broken = next((x for x in (feature, theirs) if isinstance(x, ValueError)), None)
            if broken is not None:
                updated[index] = SampleScores(error=f"metric {name!r}: {broken}")
            else:
                assert isinstance(feature, str)
                assert isinstance(theirs, str)
                done = updated[index]
                both = {**done.features, name: (feature, theirs)}
                updated[index] = replace(done, features=both)
        return updated

    def _features_once(self, name: str, images: Sequence[Image]) -> dict[Image, str | ValueError]:
        """Blobs of the features of images, or why there are none."""
        found: dict[Image, str | ValueError] = {}
        unknown: list[Image] = []
        for image in dict.fromkeys(images):
            known = self._known.get((name, image.digest))
            if known is None:
                unknown.append(image)
            else:
                found[image] = known
        for image, made in zip(unknown, self._features(name, unknown), strict=True):
            found[image] = made
            if isinstance(made, str):
                self._known.keep((name, image.digest), made)
        return found

    def _features(self, name: str, images: Sequence[Image]) -> list[str | ValueError]:
        """Blobs of the features of images; of those that have none, the reason."""
        if not images:
            return []
        try:
            with torch.no_grad():
                call = Call("metric", name, "features")
                rows = _as_rows(contain(call, self._sets[name], images), len(images))
        except Exception as error:
            if len(images) > 1:
                return [kept for image in images for kept in self._features(name, [image])]
            return [ValueError(describe(error))]
        return [self.blobs.put_array(row) for row in rows]


def _value(score: SampleScore, prediction: Prediction, target: Target) -> float | None:
    value = score(prediction, target)
    return None if value is None else float(value)


def _as_matches(found: Any) -> tuple[StoredMatches, ...]:
    """A sample's contribution by a metric, as it is stored."""
    matches = tuple(found)
    if not all(isinstance(one, ClassMatches) for one in matches):
        raise TypeError("average precision is made of ClassMatches, one a class.")
    check_matches(matches)
    return tuple(
        StoredMatches(one.name, one.things, tuple(map(float, one.scores)), tuple(one.marks))
        for one in matches
    )


def _as_rows(features: Any, count: int) -> npt.NDArray[np.float32]:
    array = np.asarray(
        features.detach().cpu() if isinstance(features, torch.Tensor) else features,
        dtype=np.float32,
    )
    if array.ndim != 2 or len(array) != count or not np.isfinite(array).all():
        raise ValueError(f"features of {count} images came as an array {array.shape}")
    return array
