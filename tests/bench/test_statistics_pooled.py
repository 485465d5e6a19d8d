import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.bench.statistics import (
    Bounds,
    Inference,
    Rank,
    Sums,
    checked_counts,
    compare,
    difference,
    ranking,
)

SHARE = Bounds(0.0, 1.0)
INFERENCE = Inference()


def column(counts: Sequence[Sequence[float]], pooling="ratio", clusters=None):
    names = [f"{i:04}" for i in range(len(counts))]
    return Sums.of(zip(names, clusters or names, counts, strict=True), pooling, SHARE)


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
@settings(max_examples=25)
def test_the_order_of_the_records_does_not_matter(counts, seed):
    entries = [(f"{i:02}", f"{i % 3}", pair) for i, pair in enumerate(counts)]
    shuffled = [entries[i] for i in np.random.default_rng(seed).permutation(len(entries))]
    one, two = (Sums.of(some, "ratio", SHARE) for some in (entries, shuffled))
    assert one.estimate(INFERENCE) == two.estimate(INFERENCE)


@given(counts=PAIRS)
@settings(max_examples=25)
def test_a_ratio_is_that_of_the_sums_and_lies_in_its_interval(counts):
    estimate = column(counts).estimate(INFERENCE)
    assert estimate.value == pytest.approx(sum(a for a, _ in counts) / sum(b for _, b in counts))
    if estimate.low is not None:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.7, 1.0])
def test_a_bleu_is_that_of_its_equation_and_lies_in_its_interval(rate):
    counts = sentences(np.random.default_rng(3), 30, rate)
    estimate = column(counts, "bleu").estimate(INFERENCE)
    sums = np.sum(counts, axis=0)
    orders = [(sums[2 * k] + 1e-15) / (sums[2 * k + 1] + 1e-9) for k in range(4)]
    assert estimate.value == pytest.approx(math.prod(orders) ** 0.25)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_captions_that_are_too_short_are_punished():
    full = [(3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 3.0, 6.0)] * 8
    assert column(full, "bleu").estimate(INFERENCE).value == pytest.approx(math.exp(1 - 6 / 3))


@pytest.mark.parametrize("n", [1, 5, 40])
def test_none_or_all_matching_has_the_exact_binomial_interval(n):
    reach = 1 - 0.025 ** (1 / n)
    none = column([(0.0, 3.0)] * n).estimate(INFERENCE)
    assert (none.value, none.low, none.high) == pytest.approx((0, 0, reach))
    every = column([(3.0, 3.0)] * n).estimate(INFERENCE)
    assert (every.value, every.low, every.high) == pytest.approx((1, 1 - reach, 1))
    assert none.interval.how == every.interval.how == "exact binomial, clusters for trials"


def test_a_bleu_without_a_matching_4_gram_is_near_0_and_may_yet_be_more():
    counts = [(4.0, 8.0, 2.0, 7.0, 1.0, 6.0, 0.0, 5.0, 8.0, 8.0)] * 20
    estimate = column(counts, "bleu").estimate(INFERENCE)
    reach = 1 - 0.025 ** (1 / 20)
    assert estimate.value < 1e-3
    assert estimate.high == pytest.approx((4 / 8 * 2 / 7 * 1 / 6 * reach) ** 0.25)


def test_one_cluster_has_a_value_and_no_interval():
    counts = shares(np.random.default_rng(0), 9, 0.4)
    estimate = column(counts, clusters=["episode"] * 9).estimate(INFERENCE)
    assert (estimate.low, estimate.high, estimate.clusters) == (None, None, 1)
    assert estimate.interval.how == "none: one cluster says nothing about the spread"


def test_a_share_of_one_answer_a_sample_has_the_exact_interval_however_it_is_pooled():
    right = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    pooled = column([(one, 1.0) for one in right]).estimate(INFERENCE)
    means = Sums.of_means([(f"{i:04}", f"{i:04}", one) for i, one in enumerate(right)], SHARE)
    assert pooled == means.estimate(INFERENCE)


def test_sums_that_hang_on_one_cluster_have_no_interval_and_say_why():
    estimate = column([(0.0, 0.0), (1.0, 2.0)]).estimate(INFERENCE)
    assert (estimate.value, estimate.low) == (0.5, None)
    assert estimate.interval.how == "none: nearly all weight lies in one cluster"


def test_sums_that_have_no_value_have_no_estimate():
    nothing = column([(0.0, 0.0)] * 8)
    assert nothing.estimate(INFERENCE) is None
    assert nothing.difference(column([(1.0, 2.0)] * 8), INFERENCE) is None
    assert column([]).estimate(INFERENCE) is None


@pytest.mark.parametrize("pooling", ["ratio", "bleu"])
def test_pooled_rows_are_ranked_by_paired_differences(pooling):
    make = shares if pooling == "ratio" else sentences
    rows = {
        name: column(make(np.random.default_rng(seed), 60, rate), pooling)
        for seed, (name, rate) in enumerate({"a": 0.8, "b": 0.8, "c": 0.5}.items())
    }
    ranks = ranking(rows, higher_is_better=True, inference=INFERENCE).ranks
    assert ranks["c"] == Rank(3, 3)
    assert ranks["a"] == ranks["b"] == Rank(1, 2)
    (same,) = compare([(rows["a"], rows["a"])], INFERENCE)
    assert (same.difference.value, same.difference.low, same.p, same.sign) == (0, None, 1, 0)


def test_pairing_tells_apart_what_separate_intervals_cannot():
    generator = np.random.default_rng(2)
    hardness = generator.uniform(0, 15, 60)
    one = column([(float(round(h)), 20.0) for h in hardness])
    two = column([(float(round(h)) + 1, 20.0) for h in hardness])
    apart, a, b = difference(two, one, INFERENCE), one.estimate(INFERENCE), two.estimate(INFERENCE)
    assert a.high > b.low
    (found,) = compare([(two, one)], INFERENCE)
    assert found.sign == 1
    assert apart.value == pytest.approx(0.05)


def test_pooled_rows_are_compared_on_common_samples():
    entries = [(f"{i}", f"{i}", (float(i % 3), 3.0)) for i in range(20)]
    one, two = Sums.of(entries[:15], "ratio"), Sums.of(entries[5:], "ratio")
    both = difference(one, two, INFERENCE)
    assert (both.samples, both.value, both.low) == (10, 0, None)
    assert difference(one.on({"1"}), two.on({"19"}), INFERENCE) is None


def test_columns_of_different_formulas_have_no_difference():
    counts = sentences(np.random.default_rng(0), 8, 0.5)
    with pytest.raises(ValueError, match="pooled by 'bleu' has no difference"):
        difference(column(counts, "bleu"), column([(1.0, 2.0)] * 8), INFERENCE)


@pytest.mark.parametrize("counts", [(1.0,), (1.0, 2.0, 3.0), (1.0, math.nan), (math.inf, 1.0)])
def test_counts_that_a_formula_cannot_sum_are_refused(counts):
    with pytest.raises(ValueError, match="sums 2 finite counts"):
        checked_counts("ratio", counts)
    with pytest.raises(ValueError, match="sample '0000': pooling 'ratio'"):
        column([counts])
    with pytest.raises(ValueError, match="no pooling 'sum'; there are bleu, mean, ratio"):
        checked_counts("sum", (1.0, 2.0))


def test_a_sample_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="'7' is scored twice"):
        Sums.of([("7", "a", (1.0, 2.0))] * 2, "ratio")
