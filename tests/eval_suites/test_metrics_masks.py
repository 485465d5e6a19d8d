import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from frostbench.bench.statistics import Inference, Sums
from frostbench.bench.store.masks import run_lengths
from frostbench.eval_suites.metrics import masks as metrics
from frostbench.eval_suites.metrics.masks import Overlap, overlaps, recall_area
from frostbench.plugins.contract.predictions import Masks, TextPrediction
from frostbench.plugins.contract.task import TrueMasks

GROUPED = {
    "average_recall[things]": metrics.average_recall_things,
    "average_recall[stuff]": metrics.average_recall_stuff,
    "average_recall[singulars]": metrics.average_recall_singulars,
    "average_recall[plurals]": metrics.average_recall_plurals,
}


def drawn(seed: int, count: int, density: float = 0.4) -> torch.Tensor:
    return torch.rand(count, 9, 7, generator=torch.Generator().manual_seed(seed)) < density


def value(metric, pairs) -> float | None:
    """The metric over a set of (predicted, true) samples, as the leaderboard computes it."""
    entries = [
        (str(number), str(number), metric(said, true)) for number, (said, true) in enumerate(pairs)
    ]
    found = Sums.of(entries, "ratio").estimate(Inference())
    return None if found is None else found.value


def pairs(seed: int, sizes: list[int]) -> list[tuple[Masks, TrueMasks]]:
    made = []
    for number, count in enumerate(sizes):
        true = drawn(seed + 2 * number, count)
        noise = drawn(seed + 2 * number + 1, count, 0.5)
        made.append((Masks(torch.where(noise, true, ~true & noise)), TrueMasks(true)))
    return made


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 4))
def test_iou_is_that_of_cocos_own_tools(seed, count):
    said, true = drawn(seed, count), drawn(seed + 1, count)
    found = [one.iou for one in overlaps(Masks(said), TrueMasks(true))]
    theirs = coco.iou(list(run_lengths(said)), list(run_lengths(true)), [0] * count)
    assert found == pytest.approx(np.diag(theirs).tolist())


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_cumulative_and_mean_iou_are_those_of_all_phrases_in_one_row(seed, sizes):
    """As loops over every phrase compute them, however phrases share samples."""
    made = pairs(seed, sizes)
    said = torch.cat([one.masks for one, _ in made])
    true = torch.cat([one.masks for _, one in made])
    both = [int((a & b).sum()) for a, b in zip(said, true, strict=True)]
    either = [int((a | b).sum()) for a, b in zip(said, true, strict=True)]
    ious = [a / b for a, b in zip(both, either, strict=True)]
    assert value(metrics.ciou, made) == pytest.approx(sum(both) / sum(either))
    assert value(metrics.miou, made) == pytest.approx(np.mean(ious))
    right = np.mean([iou >= 0.5 for iou in ious])
    assert value(metrics.precision_at_half, made) == pytest.approx(right)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_average_recall_is_the_published_integral_and_so_the_mean_iou(seed, sizes):
    """Against the integral as it is published: shares of phrases, threshold by threshold."""
    made = pairs(seed, sizes)
    ious = [one.iou for said, true in made for one in overlaps(said, true)]
    recalls = [np.mean(np.array(ious) >= t) for t in np.arange(0, 1, 1e-3)]
    coarse = float(np.sum(recalls) * 1e-3)
    found = value(metrics.average_recall, made)
    assert found == pytest.approx(coarse, abs=1e-3)
    assert 0 <= found - np.mean(ious) <= 1e-5 + 1e-12


def test_one_phrases_area_is_the_integral_at_the_published_step():
    # arange's own k * 1e-5 is off by a last bit for some k: no IoU here lies that near to one.
    thresholds = np.arange(0, 1, 1e-5)
    for intersection, union in ((0, 7), (1, 3), (2, 7), (5, 11), (123, 457), (7, 7)):
        area = float(np.sum(intersection / union >= thresholds) * 1e-5)
        assert recall_area(Overlap(intersection, union)) == pytest.approx(area, abs=1e-9)


def test_two_empty_masks_score_one_and_an_empty_prediction_nothing():
    empty, full = torch.zeros(1, 4, 4, dtype=torch.bool), torch.ones(1, 4, 4, dtype=torch.bool)
    both = [(Masks(empty), TrueMasks(empty))]
    missed = [(Masks(empty), TrueMasks(full))]
    for metric in (metrics.miou, metrics.precision_at_half, metrics.average_recall):
        assert value(metric, both) == 1
        assert value(metric, missed) == pytest.approx(0, abs=1e-5)
    assert value(metrics.ciou, missed) == 0
    # Nothing to find and nothing found adds no pixel to either sum.
    assert metrics.ciou(*both[0]) == (0, 0)
    assert value(metrics.ciou, both) is None


@pytest.mark.parametrize("name", GROUPED)
def test_groups_score_their_own_phrases_alone(name):
    true = drawn(3, 3, 0.5)
    said = Masks(torch.stack([true[0], ~true[1], true[2]]))
    kinds = (("thing", "singular"), ("stuff", "singular"), ("thing", "plural"))
    expected = {"things": (2, 2), "stuff": (0, 1), "singulars": (1, 2), "plurals": (1, 1)}
    right, count = expected[name.partition("[")[2].rstrip("]")]
    metric = GROUPED[name]
    assert metric(said, TrueMasks(true, kinds)) == pytest.approx((right, count), abs=2e-5)
    assert metric(said, TrueMasks(true)) == (0, 0)
    assert value(metric, [(said, TrueMasks(true))]) is None


@pytest.mark.parametrize(
    ("said", "true", "reason"),
    [
        (TextPrediction("a"), TrueMasks(drawn(0, 1)), "the prediction is a TextPrediction"),
        (Masks(drawn(0, 1)), "a", "the target is a str"),
        (Masks(drawn(0, 2)), TrueMasks(drawn(0, 1)), r"predicted masks are \[2, 9, 7\]"),
    ],
)
def test_what_cannot_be_compared_is_said(said, true, reason):
    for metric in (metrics.ciou, metrics.miou):
        with pytest.raises(ValueError, match=reason):
            metric(said, true)
