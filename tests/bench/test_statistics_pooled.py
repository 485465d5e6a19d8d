import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.bench.statistics import (
    Bootstrap,
    Bounds,
    Means,
    Pooled,
    Rank,
    checked_counts,
    difference,
    rank_ranges,
)

SHARE = Bounds(0.0, 1.0)
BOOTSTRAP = Bootstrap()


def column(counts: Sequence[Sequence[float]], pooling="ratio", clusters=None):
    names = [f"{i:04}" for i in range(len(counts))]
    return Pooled.of(zip(names, clusters or names, counts, strict=True), pooling, SHARE)


def shares(generator, n, rate, of=20):
    return [(float(generator.binomial(of, rate)), float(of)) for _ in range(n)]


def sentences(generator, n, rate):
    """Counts of captions of eight words, of which so many are right, n-grams fewer."""
    rows = []
    for _ in range(n):
        right = [generator.binomial(9 - order, rate**order) for order in (1, 2, 3, 4)]
        orders = [float(x) for order, one in enumerate(right, 1) for x in (one, 9 - order)]
        rows.append((*orders, 8.0, 8.0))
    return rows


PAIRS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 9)).map(lambda p: (float(min(p)), float(p[1]))),
    min_size=2,
    max_size=12,
)


@given(counts=PAIRS, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_records_does_not_matter(counts, seed):
    entries = [(f"{i:02}", f"{i % 3}", pair) for i, pair in enumerate(counts)]
    shuffled = [entries[i] for i in np.random.default_rng(seed).permutation(len(entries))]
    one, two = (Pooled.of(some, "ratio", SHARE) for some in (entries, shuffled))
    assert one.estimate(BOOTSTRAP) == two.estimate(BOOTSTRAP)


@given(counts=PAIRS)
@settings(max_examples=25, deadline=None)
def test_a_ratio_is_that_of_the_sums_and_lies_in_its_interval(counts):
    estimate = column(counts).estimate(BOOTSTRAP)
    assert estimate.value == pytest.approx(sum(a for a, _ in counts) / sum(b for _, b in counts))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.7, 1.0])
def test_a_bleu_is_that_of_its_equation_and_lies_in_its_interval(rate):
    counts = sentences(np.random.default_rng(3), 30, rate)
    estimate = column(counts, "bleu").estimate(BOOTSTRAP)
    sums = np.sum(counts, axis=0)
    orders = [(sums[2 * k] + 1e-15) / (sums[2 * k + 1] + 1e-9) for k in range(4)]
    assert estimate.value == pytest.approx(math.prod(orders) ** 0.25)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_captions_that_are_too_short_are_punished():
    full = [(3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 3.0, 6.0)] * 8
    assert column(full, "bleu").estimate(BOOTSTRAP).value == pytest.approx(math.exp(1 - 6 / 3))


def test_equal_weights_give_the_mean_and_its_interval():
    counts = shares(np.random.default_rng(0), 60, 0.4)
    means = Means.of(
        [(f"{i:04}", f"{i:04}", a / b) for i, (a, b) in enumerate(counts)], SHARE
    ).estimate(BOOTSTRAP)
    pooled = column(counts).estimate(BOOTSTRAP)
    assert (pooled.value, pooled.low, pooled.high) == pytest.approx(
        (means.value, means.low, means.high)
    )


def test_nineteen_of_twenty_intervals_cover_the_truth():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        sizes = generator.integers(1, 30, 50)
        counts = [(float(generator.binomial(of, 0.3)), float(of)) for of in sizes]
        estimate = column(counts).estimate(Bootstrap(replicates=400))
        covered += estimate.low <= 0.3 <= estimate.high
    assert 180 <= covered <= 199


@pytest.mark.parametrize("n", [1, 5, 40])
def test_none_or_all_matching_has_the_exact_binomial_interval(n):
    reach = 1 - 0.025 ** (1 / n)
    none = column([(0.0, 3.0)] * n).estimate(BOOTSTRAP)
    assert (none.value, none.low, none.high) == pytest.approx((0, 0, reach))
    every = column([(3.0, 3.0)] * n).estimate(BOOTSTRAP)
    assert (every.value, every.low, every.high) == pytest.approx((1, 1 - reach, 1))


def test_a_bleu_without_a_matching_4_gram_is_near_0_and_may_yet_be_more():
    counts = [(4.0, 8.0, 2.0, 7.0, 1.0, 6.0, 0.0, 5.0, 8.0, 8.0)] * 20
    estimate = column(counts, "bleu").estimate(BOOTSTRAP)
    reach = 1 - 0.025 ** (1 / 20)
    assert estimate.value < 1e-3
    assert estimate.high == pytest.approx((4 / 8 * 2 / 7 * 1 / 6 * reach) ** 0.25)


def test_one_cluster_has_a_value_and_no_interval():
    counts = shares(np.random.default_rng(0), 9, 0.4)
    estimate = column(counts, clusters=["episode"] * 9).estimate(BOOTSTRAP)
    assert (estimate.low, estimate.high, estimate.clusters) == (None, None, 1)
    assert (
        difference(
            column(counts, clusters=["e"] * 9), column(counts, clusters=["e"] * 9), BOOTSTRAP
        ).sign
        == 0
    )


def test_sums_that_have_no_value_have_no_estimate():
    nothing = column([(0.0, 0.0)] * 8)
    assert nothing.estimate(BOOTSTRAP) is None
    assert nothing.difference(column([(1.0, 2.0)] * 8), BOOTSTRAP) is None
    assert column([]).estimate(BOOTSTRAP) is None


def test_resampled_sums_without_a_value_are_left_out():
    estimate = column([(0.0, 0.0), (1.0, 2.0)]).estimate(BOOTSTRAP)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("pooling", ["ratio", "bleu"])
def test_pooled_rows_are_ranked_by_paired_differences(pooling):
    make = shares if pooling == "ratio" else sentences
    rows = {
        name: column(make(np.random.default_rng(seed), 60, rate), pooling)
        for seed, (name, rate) in enumerate({"a": 0.8, "b": 0.8, "c": 0.5}.items())
    }
    ranks = rank_ranges(rows, higher_is_better=True, bootstrap=BOOTSTRAP)
    assert ranks["c"] == Rank(3, 3)
    assert ranks["a"] == ranks["b"] == Rank(1, 2)
    same = difference(rows["a"], rows["a"], BOOTSTRAP)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_pairing_tells_apart_what_separate_intervals_cannot():
    generator = np.random.default_rng(2)
    hardness = generator.uniform(0, 15, 60)
    one = column([(float(round(h)), 20.0) for h in hardness])
    two = column([(float(round(h)) + 1, 20.0) for h in hardness])
    apart, a, b = difference(two, one, BOOTSTRAP), one.estimate(BOOTSTRAP), two.estimate(BOOTSTRAP)
    assert a.high > b.low
    assert apart.sign == 1
    assert apart.value == pytest.approx(0.05)


def test_pooled_rows_are_compared_on_common_samples():
    entries = [(f"{i}", f"{i}", (float(i % 3), 3.0)) for i in range(20)]
    one, two = Pooled.of(entries[:15], "ratio"), Pooled.of(entries[5:], "ratio")
    both = difference(one, two, BOOTSTRAP)
    assert (both.samples, both.value, both.low, both.high) == (10, 0, 0, 0)
    assert difference(one.on({"1"}), two.on({"19"}), BOOTSTRAP) is None


def test_columns_of_different_kinds_or_formulas_have_no_difference():
    counts = sentences(np.random.default_rng(0), 8, 0.5)
    with pytest.raises(TypeError, match="a column of Pooled has no difference to one of Means"):
        difference(column(counts, "bleu"), Means.of([("0", "0", 1.0)]), BOOTSTRAP)
    with pytest.raises(ValueError, match="pooled by 'bleu' has no difference"):
        difference(column(counts, "bleu"), column([(1.0, 2.0)] * 8), BOOTSTRAP)


@pytest.mark.parametrize("counts", [(1.0,), (1.0, 2.0, 3.0), (1.0, math.nan), (math.inf, 1.0)])
def test_counts_that_a_formula_cannot_sum_are_refused(counts):
    with pytest.raises(ValueError, match="sums 2 finite counts"):
        checked_counts("ratio", counts)
    with pytest.raises(ValueError, match="sample '0000': pooling 'ratio'"):
        column([counts])
    with pytest.raises(ValueError, match="no pooling 'sum'; there are bleu, ratio"):
        checked_counts("sum", (1.0, 2.0))


def test_a_sample_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="'7' is scored twice"):
        Pooled.of([("7", "a", (1.0, 2.0))] * 2, "ratio")
