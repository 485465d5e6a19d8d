import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.bench.statistics import (
    Bounds,
    Frechet,
    Inference,
    Jackknife,
    Rank,
    Sums,
    clusters_for,
    compare,
    difference,
    fewest_clusters,
    frechet_distance,
    holm,
    ranking,
    skewed_logit,
    student,
)

ANYTHING = Bounds()
SHARE = Bounds(0.0, 1.0)
INFERENCE = Inference()


def column(scores, bounds=ANYTHING, clusters=None):
    names = [f"{i:04}" for i in range(len(scores))]
    values = [float(score) for score in scores]
    return Sums.of_means(zip(names, clusters or names, values, strict=True), bounds)


def features(generator, n, d, noise):
    targets = generator.normal(size=(n, d))
    predictions = targets + noise * generator.normal(size=(n, d))
    return [(f"{i:04}", f"{i:04}", predictions[i], targets[i]) for i in range(n)]


def ranks(columns, higher_is_better=True):
    return ranking(columns, higher_is_better=higher_is_better, inference=INFERENCE).ranks


def apart(one, two):
    (found,) = compare([(one, two)], INFERENCE)
    return found


@given(scores=st.lists(st.floats(-50, 50), min_size=2, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_the_order_of_the_records_does_not_matter(scores, seed):
    entries = [(f"{i:02}", f"{i % 3}", score) for i, score in enumerate(scores)]
    shuffled = [entries[i] for i in np.random.default_rng(seed).permutation(len(entries))]
    one, two = (Sums.of_means(some).estimate(INFERENCE) for some in (entries, shuffled))
    assert one == two


@given(scores=st.lists(st.floats(-50, 50), min_size=2, max_size=12))
@settings(max_examples=50)
def test_an_interval_contains_its_value(scores):
    estimate = column(scores).estimate(INFERENCE)
    if estimate.low is not None:
        assert estimate.low < estimate.value < estimate.high


@given(scores=st.lists(st.sampled_from((0.0, 0.5, 1.0)), min_size=2, max_size=12))
@settings(max_examples=50)
def test_an_interval_stays_within_the_bounds_of_its_metric(scores):
    estimate = column(scores, SHARE).estimate(INFERENCE)
    if estimate.low is not None:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_the_interval_of_scores_without_skew_is_students():
    scores = np.concatenate([np.arange(1.0, 9.0), -np.arange(1.0, 9.0)])
    estimate = column(scores).estimate(INFERENCE)
    theirs = scipy.stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_a_skewed_interval_reaches_further_towards_the_tail_and_never_less_than_students():
    scores = np.random.default_rng(0).exponential(size=12)
    estimate = column(scores).estimate(INFERENCE)
    theirs = scipy.stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert estimate.low == pytest.approx(theirs.low)
    assert estimate.high > theirs.high


def test_samples_that_share_a_cluster_widen_the_interval():
    scores = np.repeat(np.random.default_rng(0).normal(size=20), 5)
    alone = column(scores).estimate(INFERENCE)
    together = column(scores, clusters=[f"{i // 5:02}" for i in range(100)]).estimate(INFERENCE)
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (1, 1), (0, 3), (4, 10), (7, 8)])
def test_a_share_of_samples_of_their_own_has_the_exact_binomial_interval(right, n):
    estimate = column([1.0] * right + [0.0] * (n - right), SHARE).estimate(INFERENCE)
    exact = scipy.stats.binomtest(right, n).proportion_ci(0.95, method="exact")
    assert (estimate.low, estimate.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_answers_that_repeat_within_a_cluster_count_as_one():
    right = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    repeated = column(np.repeat(right, 4), SHARE, [f"{i // 4}" for i in range(24)])
    (one, two) = (some.estimate(INFERENCE) for some in (column(right, SHARE), repeated))
    assert (one.low, one.high) == pytest.approx((two.low, two.high))


@pytest.mark.parametrize("scores", [[21.5], [1.0, 2.0]])
def test_one_cluster_has_a_value_and_no_interval_and_says_why(scores):
    estimate = column(scores, clusters=["a"] * len(scores)).estimate(INFERENCE)
    assert (estimate.value, estimate.low, estimate.high) == (np.mean(scores), None, None)
    assert estimate.interval.how == "none: one cluster says nothing about the spread"


def test_equal_scores_have_no_interval_and_say_why():
    estimate = column([0.1] * 7).estimate(INFERENCE)
    assert (estimate.low, estimate.high) == (None, None)
    assert estimate.interval.how == "none: equal scores say nothing about the spread"


def test_no_sample_has_no_value():
    assert Sums.of_means([]).estimate(INFERENCE) is None


def test_two_rows_that_always_agree_may_yet_differ():
    right = column([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], SHARE)
    found = difference(right, right, INFERENCE)
    assert found.value == 0
    assert found.low < -0.3
    assert found.high > 0.3


def test_two_equal_rows_tie_and_share_the_place_of_one():
    worse = np.random.default_rng(0).uniform(0, 1, 60)
    found = ranks({"a": column(worse + 1), "b": column(worse + 1), "c": column(worse)})
    assert found == {"a": Rank(1, 2), "b": Rank(1, 2), "c": Rank(3, 3)}


def test_where_lower_is_better_the_ranks_turn_round():
    scores = np.random.default_rng(0).uniform(0, 1, 60)
    found = ranks({"high": column(scores + 1), "low": column(scores)}, higher_is_better=False)
    assert found == {"high": Rank(2, 2), "low": Rank(1, 1)}


@pytest.mark.parametrize("clusters", [6, 9, 13])
def test_few_clusters_have_the_p_value_of_every_sign_flip(clusters):
    scores = np.random.default_rng(clusters).normal(0.5, size=clusters)
    theirs = scipy.stats.permutation_test(
        (scores,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert apart(column(scores), column(0 * scores)).p == pytest.approx(theirs.pvalue)


def test_many_clusters_have_nearly_the_p_value_of_a_t_test_and_the_same_each_time():
    scores = np.random.default_rng(0).normal(0.3, size=60)
    one, two = column(scores), column(0 * scores)
    assert apart(one, two).p == pytest.approx(scipy.stats.ttest_1samp(scores, 0).pvalue, abs=0.01)
    assert apart(one, two).p == apart(two, one).p


@pytest.mark.parametrize(("n", "sign"), [(5, 0), (6, 1)])
def test_all_right_against_all_wrong_is_told_apart_where_a_sign_test_would(n, sign):
    right, wrong = column([1.0] * n, SHARE), column([0.0] * n, SHARE)
    assert (apart(right, wrong).sign, apart(wrong, right).sign) == (sign, -sign)
    assert (scipy.stats.binomtest(n, n).pvalue < 0.05) == bool(sign)
    assert (fewest_clusters(1, INFERENCE) <= n) == bool(sign)


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrected_p_values_keep_their_order_and_are_never_below_the_plain_ones(p):
    corrected = holm(p)
    assert all(one <= two <= 1 for one, two in zip(p, corrected, strict=True))
    assert min(corrected) == pytest.approx(min(1.0, min(p) * len(p)))
    order = sorted(range(len(p)), key=p.__getitem__)
    assert [corrected[i] for i in order] == sorted(corrected)


def test_what_is_apart_alone_may_not_be_among_many():
    scores = np.array([0.3, 0.1, 0.5, 0.2, 0.6, 0.4])
    rows = {name: column(scores * factor) for name, factor in (("a", 1), ("b", 2))}
    assert ranks(rows) == {"a": Rank(2, 2), "b": Rank(1, 1)}
    rows |= {name: column(scores * factor) for name, factor in (("c", 3), ("d", 4))}
    assert set(ranks(rows).values()) == {Rank(1, 4)}


def test_a_ranking_that_tells_nothing_apart_says_how_many_clusters_would():
    generator = np.random.default_rng(2)
    hard = generator.normal(size=7)
    rows = {name: column(hard + generator.normal(i / 4, size=7)) for i, name in enumerate("abc")}
    found = ranking(rows, higher_is_better=True, inference=INFERENCE)
    assert not found.tells_apart
    assert (found.samples, found.clusters, found.fewest) == (7, 7, 7)
    one, two, needed = found.easiest
    effect = rows[one].counts[:, 0] - rows[two].counts[:, 0]
    assert needed == clusters_for(effect.std(ddof=1) / abs(effect.mean()), 3, INFERENCE) >= 7


@pytest.mark.parametrize("spread", [0.2, 0.6, 0.8, 1.0, 1.5])
def test_as_many_clusters_as_are_needed_tell_rows_apart_in_four_cases_of_five(spread):
    clusters, draw = clusters_for(spread, 1, INFERENCE), np.random.default_rng(3)
    null = Sums.of_means([(f"{i:02}", f"{i:02}", 0.0) for i in range(clusters)])
    told = 0
    for _ in range(200):
        scores = draw.normal(1, spread, clusters)
        row = Sums.of_means([(f"{i:02}", f"{i:02}", s) for i, s in enumerate(scores)])
        told += apart(row, null).sign
    # Of 200 cases, 3 standard deviations are 17.
    assert told >= 160 - 17


def test_rows_are_compared_only_on_samples_that_both_scored():
    one = Sums.of_means([(f"{i:02}", f"{i:02}", float(i)) for i in range(20)])
    two = Sums.of_means([(f"{i:02}", f"{i:02}", float(i) + 1) for i in range(10, 30)])
    found = apart(two, one)
    assert (found.difference.samples, found.difference.value, found.sign) == (10, 1.0, 1)


def test_rows_without_a_common_sample_are_not_told_apart():
    one = Sums.of_means([(f"a{i}", f"a{i}", 0.0) for i in range(9)])
    two = Sums.of_means([(f"b{i}", f"b{i}", 1.0) for i in range(9)])
    assert ranks({"1": one, "2": two}) == {"1": Rank(1, 2), "2": Rank(1, 2)}


def test_pairing_tells_apart_what_separate_intervals_cannot():
    generator = np.random.default_rng(5)
    hard = 10 * generator.normal(size=50)
    one, two = column(hard), column(hard + 0.5 + 0.1 * generator.normal(size=50))
    assert one.estimate(INFERENCE).high > two.estimate(INFERENCE).low
    assert apart(two, one).sign == 1
    assert difference(two, one, INFERENCE).low > 0


def test_a_sample_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="'a' is scored twice"):
        Sums.of_means([("a", "a", 1.0), ("a", "a", 2.0)])


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_refused(score):
    with pytest.raises(ValueError, match="sample 'b'"):
        Sums.of_means([("a", "a", 1.0), ("b", "b", score)])


def test_a_jackknife_of_ones_own_has_an_interval_on_either_scale():
    influences = np.array([0.02, -0.03, 0.01, 0.0, -0.01, 0.01])
    mine = Jackknife(0.8, influences, np.ones(6))
    for found in (student(mine, SHARE, 0.95), skewed_logit(mine, 0.95)):
        assert 0.6 < found.low < 0.8 < found.high < 1


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


def test_a_frechet_distance_has_no_interval_and_is_not_ranked_apart():
    little = Frechet.of(features(np.random.default_rng(0), 40, 16, 0.2))
    much = Frechet.of(features(np.random.default_rng(0), 40, 16, 1.0))
    estimate = little.estimate()
    assert (estimate.low, estimate.high) == (None, None)
    assert "no honest interval" in estimate.interval.how
    assert ranks({"little": little, "much": much}) == {"little": Rank(1, 2), "much": Rank(1, 2)}


def test_a_frechet_distance_needs_two_samples():
    one = features(np.random.default_rng(0), 1, 4, 0.5)
    assert Frechet.of(one).estimate() is None
    assert Frechet.of([]).estimate() is None


def test_frechet_columns_are_compared_on_common_samples():
    entries = features(np.random.default_rng(0), 20, 4, 0.5)
    one, two = Frechet.of(entries[:15]), Frechet.of(entries[5:])
    found = apart(one, two)
    assert (found.difference.samples, found.difference.value, found.sign) == (10, 0.0, 0)


def test_a_mean_and_a_frechet_distance_have_no_difference():
    distance = Frechet.of(features(np.random.default_rng(0), 20, 4, 0.5))
    with pytest.raises(TypeError, match="of different metrics"):
        difference(column([1.0, 2.0]), distance, INFERENCE)


def test_a_sample_of_two_clusters_is_refused_before_anything_is_compared():
    one = Sums.of_means([("a", "x", 0.5), ("b", "y", 0.7), ("c", "y", 0.1)])
    two = Sums.of_means([("a", "x", 0.5), ("b", "z", 0.7), ("d", "z", 0.1)])
    with pytest.raises(ValueError, match="'b' lies in cluster 'y' in one row and in 'z'"):
        compare([(one, two)], Inference())
    assert compare([(one, one.on({"a", "b"}))], Inference())[0].sign == 0
