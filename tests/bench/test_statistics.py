import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.bench.statistics import (
    Bootstrap,
    Bounds,
    Frechet,
    Means,
    Rank,
    difference,
    frechet_distance,
    rank_ranges,
)

ANYTHING = Bounds()
SHARE = Bounds(0.0, 1.0)
BOOTSTRAP = Bootstrap()


def column(scores, bounds=ANYTHING, clusters=None):
    names = [f"{i:04}" for i in range(len(scores))]
    values = [float(score) for score in scores]
    return Means.of(zip(names, clusters or names, values, strict=True), bounds)


def features(generator, n, d, noise):
    targets = generator.normal(size=(n, d))
    predictions = targets + noise * generator.normal(size=(n, d))
    return [(f"{i:04}", f"{i:04}", predictions[i], targets[i]) for i in range(n)]


@given(scores=st.lists(st.floats(-50, 50), min_size=2, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_records_does_not_matter(scores, seed):
    entries = [(f"{i:02}", f"{i % 3}", score) for i, score in enumerate(scores)]
    shuffled = [entries[i] for i in np.random.default_rng(seed).permutation(len(entries))]
    assert Means.of(shuffled).estimate(BOOTSTRAP) == Means.of(entries).estimate(BOOTSTRAP)


@given(scores=st.lists(st.floats(-50, 50), min_size=2, max_size=12))
@settings(max_examples=25, deadline=None)
def test_an_interval_contains_its_value(scores):
    estimate = column(scores).estimate(BOOTSTRAP)
    assert estimate.low <= estimate.value <= estimate.high


def test_two_equal_rows_tie_and_share_the_place_of_one():
    generator = np.random.default_rng(0)
    worse = generator.uniform(0, 1, 60)
    ranks = rank_ranges(
        {"a": column(worse + 1), "b": column(worse + 1), "c": column(worse)},
        higher_is_better=True,
        bootstrap=BOOTSTRAP,
    )
    assert ranks == {"a": Rank(1, 2), "b": Rank(1, 2), "c": Rank(3, 3)}


def test_where_lower_is_better_the_ranks_turn_round():
    scores = np.random.default_rng(0).uniform(0, 1, 60)
    ranks = rank_ranges(
        {"high": column(scores + 1), "low": column(scores)},
        higher_is_better=False,
        bootstrap=BOOTSTRAP,
    )
    assert ranks == {"high": Rank(2, 2), "low": Rank(1, 1)}


def test_the_interval_agrees_with_that_of_scipy():
    scores = np.random.default_rng(3).gamma(2.0, size=80)
    ours = column(scores).estimate(Bootstrap(replicates=20_000))
    theirs = scipy.stats.bootstrap(
        (scores,), np.mean, n_resamples=20_000, method="percentile", rng=7
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.high, abs=0.01)


def test_nineteen_of_twenty_intervals_cover_the_truth():
    generator = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        shared = np.repeat(generator.normal(size=30), 3)
        scores = shared + 0.5 * generator.normal(size=90)
        clusters = [f"{i // 3:02}" for i in range(90)]
        estimate = column(scores, clusters=clusters).estimate(Bootstrap(replicates=400))
        covered += estimate.low <= 0 <= estimate.high
    assert 0.90 <= covered / 400 <= 0.98


def test_samples_that_share_a_cluster_widen_the_interval():
    scores = np.repeat(np.random.default_rng(0).normal(size=20), 5)
    alone = column(scores).estimate(BOOTSTRAP)
    together = column(scores, clusters=[f"{i // 5:02}" for i in range(100)]).estimate(BOOTSTRAP)
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (1, 1), (0, 3)])
def test_none_or_all_right_has_the_exact_binomial_interval(right, n):
    estimate = column([1.0] * right + [0.0] * (n - right), SHARE).estimate(BOOTSTRAP)
    exact = scipy.stats.binomtest(right, n).proportion_ci(0.95, method="exact")
    assert (estimate.low, estimate.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_one_sample_has_a_value_and_no_interval():
    estimate = column([21.5]).estimate(BOOTSTRAP)
    assert (estimate.value, estimate.low, estimate.high) == (21.5, None, None)


def test_one_cluster_has_a_value_and_no_interval():
    estimate = column([1.0, 2.0], clusters=["a", "a"]).estimate(BOOTSTRAP)
    assert (estimate.value, estimate.low, estimate.sign) == (1.5, None, 0)


def test_no_sample_has_no_value():
    assert Means.of([]).estimate(BOOTSTRAP) is None


def test_equal_scores_have_an_interval_without_width():
    estimate = column([0.1] * 7).estimate(BOOTSTRAP)
    assert estimate.low == pytest.approx(0.1)
    assert estimate.high == pytest.approx(0.1)


@pytest.mark.parametrize(("n", "sign"), [(5, 0), (6, 1)])
def test_all_right_against_all_wrong_is_told_apart_where_a_sign_test_would(n, sign):
    right, wrong = column([1.0] * n, SHARE), column([0.0] * n, SHARE)
    assert right.difference(wrong, BOOTSTRAP).sign == sign
    assert wrong.difference(right, BOOTSTRAP).sign == -sign
    assert (scipy.stats.binomtest(n, n).pvalue < 0.05) == bool(sign)


def test_five_clusters_never_tell_two_rows_apart():
    better = column([30.0, 31.0, 32.0, 33.0, 34.0])
    worse = column([10.0, 11.0, 12.0, 13.0, 15.0])
    apart = better.difference(worse, BOOTSTRAP)
    assert apart.low > 0
    assert apart.sign == 0


def test_rows_are_compared_only_on_samples_that_both_scored():
    one = Means.of([(f"{i:02}", f"{i:02}", float(i)) for i in range(20)])
    two = Means.of([(f"{i:02}", f"{i:02}", float(i) + 1) for i in range(10, 30)])
    apart = two.difference(one, BOOTSTRAP)
    assert (apart.samples, apart.value, apart.sign) == (10, 1.0, 1)


def test_rows_without_a_common_sample_are_not_told_apart():
    one = Means.of([(f"a{i}", f"a{i}", 0.0) for i in range(9)])
    two = Means.of([(f"b{i}", f"b{i}", 1.0) for i in range(9)])
    ranks = rank_ranges({"1": one, "2": two}, higher_is_better=True, bootstrap=BOOTSTRAP)
    assert ranks == {"1": Rank(1, 2), "2": Rank(1, 2)}


def test_pairing_tells_apart_what_separate_intervals_cannot():
    generator = np.random.default_rng(5)
    hard = 10 * generator.normal(size=50)
    one, two = column(hard), column(hard + 0.5 + 0.1 * generator.normal(size=50))
    assert one.estimate(BOOTSTRAP).high > two.estimate(BOOTSTRAP).low
    assert two.difference(one, BOOTSTRAP).sign == 1


def test_a_sample_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="'a' is scored twice"):
        Means.of([("a", "a", 1.0), ("a", "a", 2.0)])


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_refused(score):
    with pytest.raises(ValueError, match="'b' is infinite or not a number"):
        Means.of([("a", "a", 1.0), ("b", "b", score)])


def test_draws_do_not_depend_on_how_they_are_blocked(monkeypatch):
    whole = np.concatenate(list(Bootstrap(replicates=50).draws(7)))
    monkeypatch.setattr("frostbench.bench.statistics.bootstrap.CELLS_AT_ONCE", 21)
    blocks = list(Bootstrap(replicates=50).draws(7))
    assert len(blocks) == 17
    assert (np.concatenate(blocks) == whole).all()


@pytest.mark.parametrize(("n", "d"), [(12, 32), (100, 16)])
def test_the_frechet_distance_is_that_of_its_equation(n, d):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(n, d)), 1.3 * generator.normal(size=(n, d)) + 0.2
    one, two = np.cov(x.T), np.cov(y.T)
    # A ridge that is small against everything keeps sqrtm off the singular case.
    ridge = 1e-9 * np.eye(d)
    root = scipy.linalg.sqrtm((one + ridge) @ (two + ridge)).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(one + two - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-3)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8)


def test_a_frechet_interval_lies_around_its_value_whatever_the_order():
    entries = features(np.random.default_rng(0), 40, 16, 0.5)
    estimate = Frechet.of(entries).estimate(BOOTSTRAP)
    assert estimate.low < estimate.value < estimate.high
    assert Frechet.of(reversed(entries)).estimate(BOOTSTRAP) == estimate


def test_paired_frechet_distances_tell_little_noise_from_much():
    little = Frechet.of(features(np.random.default_rng(0), 40, 16, 0.2))
    much = Frechet.of(features(np.random.default_rng(0), 40, 16, 1.0))
    ranks = rank_ranges(
        {"little": little, "much": much, "same": much}, higher_is_better=False, bootstrap=BOOTSTRAP
    )
    assert ranks == {"little": Rank(1, 1), "much": Rank(2, 3), "same": Rank(2, 3)}


def test_a_frechet_distance_needs_two_samples():
    one = features(np.random.default_rng(0), 1, 4, 0.5)
    assert Frechet.of(one).estimate(BOOTSTRAP) is None
    assert Frechet.of([]).estimate(BOOTSTRAP) is None


def test_frechet_columns_are_compared_on_common_samples():
    entries = features(np.random.default_rng(0), 20, 4, 0.5)
    one, two = Frechet.of(entries[:15]), Frechet.of(entries[5:])
    apart = one.difference(two, BOOTSTRAP)
    assert (apart.samples, apart.value, apart.sign) == (10, 0.0, 0)


def test_a_mean_and_a_frechet_distance_have_no_difference():
    distance = Frechet.of(features(np.random.default_rng(0), 20, 4, 0.5))
    with pytest.raises(TypeError, match="of different metrics"):
        difference(column([1.0, 2.0]), distance, BOOTSTRAP)
