import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from frostbench.bench.statistics import Bounds, Inference, Sums
from frostbench.eval_suites.metrics import yes_no
from frostbench.eval_suites.metrics.anls import anls, edits
from frostbench.eval_suites.metrics.boxes import box_iou, box_precision
from frostbench.eval_suites.metrics.yes_no import says_yes
from frostbench.plugins.contract.predictions import Reasoned, TextPrediction
from frostbench.plugins.contract.task import TrueAnswer

METRICS = {
    "accuracy[pope]": (yes_no.accuracy, accuracy_score),
    "f1[pope]": (yes_no.f1, f1_score),
    "precision[pope]": (yes_no.precision, precision_score),
    "recall[pope]": (yes_no.recall, recall_score),
    "yes[pope]": (yes_no.share_of_yes, lambda true, said: sum(said) / len(said)),
}
BOX = (0.0, 0.0, 4.0, 4.0)


def estimate(metric, pairs):
    entries = [
        (str(number), str(number // 2), metric(TextPrediction(said), true))
        for number, (said, true) in enumerate(pairs)
    ]
    return Sums.of(entries, "ratio", Bounds(0.0, 1.0)).estimate(Inference())


@pytest.mark.parametrize(
    ("answer", "yes"),
    [
        ("Yes, there is no doubt", False),
        ("Yes. There is no doubt.", True),
        ("", True),
        ("NO", True),
        ("none", True),
        ("No, there is not", False),
        ("There is not a kite", False),
        ("maybe", True),
        ("I see no,kite", True),  # the comma goes first, and glues the two words
        ("no\nyes", True),  # POPE splits on blanks alone
    ],
)
def test_answers_are_read_as_pope_reads_them(answer, yes):
    assert says_yes(answer) is yes


@settings(max_examples=40)
@given(
    answers=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30),
    name=st.sampled_from(sorted(METRICS)),
)
def test_counts_pool_to_what_scikit_learn_says(answers, name):
    metric, theirs = METRICS[name]
    said, true = [one for one, _ in answers], [one for _, one in answers]
    # Where nothing is there to divide by, scikit-learn warns and says 0, and we say nothing.
    assume(any(said) or name not in ("precision[pope]", "f1[pope]"))
    assume(any(true) or name != "recall[pope]")
    texts = [("Yes" if one else "No", "yes" if other else "no") for one, other in answers]
    found = estimate(metric, texts)
    assert found.value == pytest.approx(theirs(true, said))
    assert found.low is None or 0 <= found.low <= found.value <= found.high <= 1


def test_f1_is_nothing_where_yes_is_never_said_and_should_have_been():
    assert estimate(yes_no.f1, [("no", "yes"), ("no", "no")]).value == 0


def test_what_has_no_value_has_none():
    assert estimate(yes_no.precision, [("no", "yes"), ("no", "no")]) is None
    assert estimate(yes_no.recall, [("yes", "no")]) is None


def test_a_target_is_yes_or_no():
    with pytest.raises(ValueError, match="the target is \\('maybe',\\)"):
        yes_no.f1(TextPrediction("yes"), "maybe")


def test_a_box_counts_from_half_and_no_box_counts_for_nothing():
    metric, true = box_precision, TrueAnswer(("cat",), BOX)
    assert metric(Reasoned("cat", (0.0, 0.0, 4.0, 2.0)), true) == (1, 1)
    assert metric(Reasoned("cat", (0.0, 0.0, 4.0, 1.9)), true) == (0, 1)
    assert metric(Reasoned("cat"), true) == (0, 0)
    with pytest.raises(ValueError, match="a TextPrediction and a TrueAnswer"):
        metric(TextPrediction("cat"), true)


@given(one=st.tuples(*[st.integers(0, 6)] * 4), two=st.tuples(*[st.integers(0, 6)] * 4))
def test_the_iou_of_boxes_is_that_of_their_pixels(one, two):
    def box(numbers):
        left, top, wide, high = numbers
        return float(left), float(top), float(left + wide + 1), float(top + high + 1)

    def pixels(numbers):
        left, top, wide, high = numbers
        return {(x, y) for x in range(left, left + wide + 1) for y in range(top, top + high + 1)}

    both, either = pixels(one) & pixels(two), pixels(one) | pixels(two)
    assert box_iou(box(one), box(two)) == pytest.approx(len(both) / len(either))


def _edits(one: str, two: str) -> int:
    """As Levenshtein's distance is defined."""
    if not one or not two:
        return len(one) + len(two)
    return min(
        _edits(one[1:], two) + 1,
        _edits(one, two[1:]) + 1,
        _edits(one[1:], two[1:]) + (one[0] != two[0]),
    )


@given(one=st.text("abc", max_size=5), two=st.text("abc", max_size=5))
def test_edits_are_the_fewest(one, two):
    assert edits(one, two) == _edits(one, two)


def test_anls_takes_the_nearest_accepted_answer_and_nothing_from_half_on():
    assert anls(TextPrediction("cats"), TrueAnswer(("dog", "cat"), BOX)) == 0.75
    assert anls(Reasoned("  A CAT"), ("a cat",)) == 1
    assert anls(TextPrediction("at"), "cat") == pytest.approx(2 / 3)
    assert anls(TextPrediction("ab"), "ac") == 0
