from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbench.bench.statistics import (
    AveragePrecision,
    Frechet,
    Inference,
    Sums,
    check_matches,
    compare,
    difference,
    ranking,
)
from frostbench.bench.statistics.apart import clusters_needed
from frostbench.bench.statistics.average_precision import FEWEST
from frostbench.bench.statistics.inference import GROUPS
from frostbench.bench.statistics.swaps import swapped_rows
from frostbench.plugins import ClassMatches

INFERENCE = Inference()
MARKS = st.text("+-.", min_size=2, max_size=2)
FOUND = st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), MARKS), max_size=4)


def one(name, things, found):
    return ClassMatches(name, things, tuple(x for x, _ in found), tuple(m for _, m in found))


@st.composite
def a_class(draw, name):
    found = draw(FOUND)
    # No threshold has more right ones than things.
    right = max((sum(mark[t] == "+" for _, mark in found) for t in range(2)), default=0)
    return one(name, right + draw(st.integers(0, 2)), found)


IMAGES = st.lists(st.tuples(a_class("cat"), a_class("dog")), min_size=1, max_size=6)


def column(images, cluster=lambda index: index):
    return AveragePrecision.of(
        [(f"{i:04}", f"{cluster(i):04}", matches) for i, matches in enumerate(images)]
    )


def value(images):
    found = column(images).jackknife
    return None if found is None else found.value


@given(images=IMAGES, clusters=st.integers(1, 4))
def test_the_value_without_a_cluster_is_that_of_the_other_images(images, clusters):
    found = column(images, lambda i: i % clusters).jackknife
    if found is None:
        assert not any(x.things for matches in images for x in matches)
        return
    for cluster, influence in enumerate(found.influences):
        rest = [x for i, x in enumerate(images) if i % clusters != cluster]
        left = value(rest) if rest else None
        assert found.value - influence == pytest.approx(left or 0.0, abs=1e-12)


@given(images=IMAGES, others=IMAGES, data=st.data())
def test_rows_after_swaps_are_ranked_anew(images, others, data):
    count = min(len(images), len(others))
    # Both rows are asked for the same things.
    mine = [tuple(replace(x, things=x.things + 4) for x in matches) for matches in images[:count]]
    yours = [
        tuple(replace(y, things=x.things) for x, y in zip(a, b, strict=True))
        for a, b in zip(mine, others[:count], strict=True)
    ]
    swap = swapped_rows(column(mine), column(yours))
    differing = [i for i, (a, b) in enumerate(zip(mine, yours, strict=True)) if a != b]
    assert swap.clusters == len(differing)
    signs = [data.draw(st.sampled_from([1.0, -1.0])) for _ in differing]
    turned = {i for i, sign in zip(differing, signs, strict=True) if sign < 0}
    pairs = [
        (b, a) if i in turned else (a, b) for i, (a, b) in enumerate(zip(mine, yours, strict=True))
    ]
    apart = value([a for a, _ in pairs]) - value([b for _, b in pairs])
    assert swap.after(np.array([signs]))[0] == pytest.approx(abs(apart), abs=1e-12)


def right(score, name="cat"):
    return ClassMatches(name, 1, (score,), ("+",))


def missed(name="cat"):
    return ClassMatches(name, 1)


def test_a_better_row_is_told_from_a_worse_one_and_an_equal_one_is_not():
    good = column([(right(0.9),)] * 20)
    half = column([(right(0.9),) if i % 2 else (missed(),) for i in range(20)])
    found, same = compare([(good, half), (half, half)], INFERENCE)
    assert found.sign == 1
    assert found.difference.value == pytest.approx(1 - value(list(half.matches)))
    assert found.difference.low > 0
    assert same.sign == 0
    assert same.p == 1
    ranks = ranking({"good": good, "half": half}, higher_is_better=True, inference=INFERENCE)
    assert (str(ranks.ranks["good"]), str(ranks.ranks["half"])) == ("1", "2")


def drawn(seed, count, things=2):
    draw = np.random.default_rng(seed)
    return [
        tuple(
            ClassMatches(name, things, (draw.random(),), ("+" if draw.random() < 0.6 else "-",))
            for name in ("cat", "dog")
        )
        for _ in range(count)
    ]


def test_rows_are_compared_on_the_samples_that_both_have():
    images = drawn(0, 30)
    found = difference(column(images[:20]), column(images), INFERENCE)
    assert (found.value, found.samples, found.clusters) == (0.0, 20, 20)
    with pytest.raises(TypeError, match="AveragePrecision has no difference to one of Sums"):
        difference(column(images), Sums.of_means([("a", "a", 1.0)]), INFERENCE)
    array = np.zeros(2)
    distance = Frechet.of([("a", "a", array, array), ("b", "b", array, array)])
    assert swapped_rows(column(images), distance) is None


def test_an_interval_holds_the_value_and_more_below_it_than_above():
    found = column(drawn(1, 40)).estimate(INFERENCE)
    assert 0 < found.low < found.value < found.high < 1
    assert found.value - found.low > found.high - found.value
    assert (found.samples, found.clusters) == (40, 40)


def test_few_things_a_class_have_a_value_and_no_interval():
    enough = column(drawn(2, FEWEST, things=1))
    few = column(drawn(2, FEWEST - 1, things=1))
    assert enough.estimate(INFERENCE).low is not None
    assert few.estimate(INFERENCE).value > 0
    assert few.estimate(INFERENCE).low is None
    assert "fewer than 10 things a class" in few.estimate(INFERENCE).interval.how


def test_one_cluster_has_no_interval_and_nothing_to_find_no_value():
    images = drawn(3, 20)
    assert column(images, lambda _: 0).estimate(INFERENCE).interval.how.startswith("none: one")
    assert column([(ClassMatches("cat", 0, (0.5,), ("-",)),)]).estimate(INFERENCE) is None
    assert AveragePrecision.of([]).estimate(INFERENCE) is None


def test_more_clusters_than_some_are_left_out_in_groups():
    images = drawn(4, GROUPS + 50)
    found = column(images)
    assert len(found.jackknife.influences) == GROUPS
    estimate = found.estimate(INFERENCE)
    assert estimate.clusters == GROUPS + 50
    assert estimate.high - estimate.low < 0.2
    better = column(
        [
            tuple(replace(x, marks=("+",)) if i % 3 == 0 else x for x in matches)
            for i, matches in enumerate(images)
        ]
    )
    (test,) = compare([(better, found)], INFERENCE)
    assert test.sign == 1
    assert clusters_needed(better, found, test, 1, INFERENCE) is not None


@pytest.mark.parametrize(
    ("matches", "wrong"),
    [
        ([right(0.5), right(0.4)], "comes twice"),
        ([right(0.5), ClassMatches("dog", 1, (0.5,), ("+-",))], "different numbers of marks"),
    ],
)
def test_what_a_column_cannot_read_is_refused_sample_by_sample(matches, wrong):
    with pytest.raises(ValueError, match=wrong):
        check_matches(matches)


def test_samples_of_different_thresholds_are_no_column():
    with pytest.raises(ValueError, match=r"have \[1, 2\] marks each"):
        column([(right(0.5),), (ClassMatches("cat", 1, (0.5,), ("+-",)),)])
    with pytest.raises(ValueError, match="'0000' is scored twice"):
        AveragePrecision.of([("0000", "a", ()), ("0000", "b", ())])


@pytest.mark.parametrize(
    ("scores", "marks", "wrong"),
    [
        ((0.5,), (), "1 scores and 0 rows of marks"),
        ((0.5, 0.5), ("+", "+-"), "one for each threshold"),
        ((0.5,), ("x",), "marks are"),
        ((0.5,), ("",), "marks are"),
        ((float("nan"),), ("+",), "not a number"),
        ((0.5, 0.4), ("+-", "+-"), "2 detections are right, and there are 1 things"),
    ],
)
def test_matches_that_fit_nothing_are_refused(scores, marks, wrong):
    with pytest.raises(ValueError, match=wrong):
        ClassMatches("cat", 1, scores, marks)
