"""Beyond many clusters the limit of all sign flips stands for drawn ones."""

import numpy as np
import pytest

from frostbench.bench.statistics import Inference, compare, estimators
from frostbench.bench.statistics import swaps as swapping
from frostbench.bench.statistics.sums import Sums
from frostbench.bench.statistics.swaps import swapped_rows

CLUSTERS = 300


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """So few clusters are many that flips of them can be drawn in a test."""
    monkeypatch.setattr(swapping, "DRAWN_CLUSTERS", 100)


def rows(added, weights=None, pooling="mean"):
    """Two columns whose clusters differ by so much."""
    names = tuple(f"{place:04}" for place in range(len(added)))
    ones = np.ones(len(added)) if weights is None else weights
    columns = [np.stack([side, ones], -1) for side in (0.4 * ones + added, 0.4 * ones)]
    return [Sums(names, names, column, pooling) for column in columns]


def added(kind, far):
    """What clusters add, turned until the sum is so many standard deviations from 0."""
    generator = np.random.default_rng(3)
    sizes = {
        "right and wrong": np.ones(CLUSTERS),
        "a few answers each": generator.integers(1, 4, CLUSTERS).astype(float),
        "scores": np.abs(generator.normal(size=CLUSTERS)),
    }[kind]
    sizes /= 10 * CLUSTERS
    spread, total = np.sqrt(np.square(sizes).sum()), sizes.sum()
    for place in generator.permutation(CLUSTERS):
        if total <= far * spread:
            break
        sizes[place] *= -1
        total += 2 * sizes[place]
    return sizes


@pytest.mark.parametrize("kind", ["right and wrong", "a few answers each", "scores"])
@pytest.mark.parametrize("far", [0.5, 2.0, 2.8])
@pytest.mark.parametrize("weighed", [False, True])
def test_it_is_what_very_many_drawn_flips_say(kind, far, weighed):
    weights = np.random.default_rng(5).integers(1, 5, CLUSTERS).astype(float) if weighed else None
    swap = swapped_rows(*rows(added(kind, far), weights, "ratio"))
    flips, reached = 100_000, 0
    generator = np.random.default_rng(7)
    distance = swap.after(np.ones((1, swap.clusters)))[0]
    for _ in range(flips // 10_000):
        signs = 2.0 * generator.integers(2, size=(10_000, swap.clusters)) - 1.0
        reached += int((swap.after(signs) >= distance * (1 - 1e-9)).sum())
    share = reached / flips
    assert swap.beyond() == pytest.approx(share, abs=4 * np.sqrt(share / flips) + 0.0005)


def test_with_few_clusters_or_a_few_that_outweigh_the_others_flips_are_drawn():
    assert swapped_rows(*rows(np.full(100, 0.01))).beyond() is None
    assert swapped_rows(*rows(np.full(101, 0.001))).beyond() is not None
    heavy = np.full(CLUSTERS, 1e-5)
    heavy[:3] = 0.1
    assert swapped_rows(*rows(heavy)).beyond() is None


def test_it_never_says_more_than_drawn_flips_could():
    (found,) = compare([tuple(rows(np.full(CLUSTERS, 0.01)))], Inference())
    assert not found.drawn
    assert found.p == 1 / 10_000
    assert found.sign == 1
    (same,) = compare([tuple(rows(np.zeros(CLUSTERS)))], Inference())
    assert (same.drawn, same.p, same.sign) == (True, 1.0, 0)


def test_equal_rows_are_apart_no_more_often_than_the_level_says():
    generator = np.random.default_rng(11)
    draws = generator.normal(size=(400, CLUSTERS)) / 1000
    told = [compare([tuple(rows(one))], Inference())[0].sign != 0 for one in draws]
    assert 0.02 < np.mean(told) < 0.085


def test_a_board_says_how_many_comparisons_it_made_so():
    assert "drawn ones." in estimators(Inference())
    assert "drawn ones, as 45 here are." in estimators(Inference(), 45)
