"""VQA accuracy: VQAv2's rule for ten answers, and its normalisation of texts.

Goyal et al., "Making the V in VQA Matter", CVPR 2017, https://arxiv.org/abs/1612.00837. The
reference is the official evaluation (GT-Vision-Lab/VQA at a013f00), its slips included.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from frostbench.eval_suites.metrics.texts import text_pair
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

ANSWERS = 10
ENOUGH = 3  # matching answers of other people that make an answer fully right

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_THOUSANDS = re.compile(r"\d,\d")
# Meant to keep decimal points; its look-behind is mistyped, so only what follows counts.
_FULL_STOP = re.compile(r"\.(?!\d)")
_MOST_STOPS = 32  # the flag UNICODE, passed where the number of replacements belongs
_ARTICLES = frozenset({"a", "an", "the"})
_TO_TEN = "zero one two three four five six seven eight nine ten"
_NUMBERS = {word: str(number) for number, word in enumerate(_TO_TEN.split())} | {"none": "0"}

# Words that get missing apostrophes back: the only one, or the second of two.
_ONE_APOSTROPHE = (
    "ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's "
    "how'd how'll how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've "
    "o'clock oughtn't shan't should've shouldn't somebody'll somebody's someone'd someone'll "
    "someone's something'd something'll that's there'd there're there's they'd they'll they're "
    "they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's "
    "where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd "
    "you'll you're you've"
)
_MORE_APOSTROPHES = (
    "couldn't've hadn't've he'd've it'd've mightn't've 'ow's'at she'd've shouldn't've "
    "somebody'd've someone'd've something'd've there'd've they'd've we'd've who'd've wouldn't've "
    "y'all'll y'all'd've you'd've"
)


def _without_one(word: str) -> list[str]:
    """The word without one of its apostrophes, for each of them."""
    return [word[:at] + word[at + 1 :] for at, mark in enumerate(word) if mark == "'"]


_APOSTROPHES = {
    short: word
    for word in (*_ONE_APOSTROPHE.split(), *_MORE_APOSTROPHES.split())
    for short in _without_one(word)
} | {"somebody'd": "somebodyd"}


def without_marks(answer: str) -> str:
    """An answer without punctuation.

    A mark is removed where the answer has it beside a blank anywhere, or has a comma between
    digits; otherwise it becomes a blank. Full stops go unless a digit follows.

    >>> without_marks("red/blue"), without_marks("red , blue"), without_marks("$3,000.50.")
    ('red blue', 'red  blue', '$3000.50')
    """
    removed = _THOUSANDS.search(answer) is not None
    bare = answer
    for mark in _MARKS:
        beside = f"{mark} " in answer or f" {mark}" in answer
        bare = bare.replace(mark, "" if removed or beside else " ")
    return _FULL_STOP.sub("", bare, count=_MOST_STOPS)


def without_articles(answer: str) -> str:
    """An answer in lower case, numbers up to ten in digits, no articles, apostrophes restored.

    >>> without_articles("The two dogs dont bark")
    "2 dogs don't bark"
    """
    words = (_NUMBERS.get(word, word) for word in answer.lower().split())
    return " ".join(_APOSTROPHES.get(word, word) for word in words if word not in _ARTICLES)


def normalised(answer: str) -> str:
    """An answer as the official evaluation compares it."""
    return without_articles(without_marks(_trimmed(answer)))


def vqa_accuracy(matches: int, answers: int = ANSWERS) -> float:
    """The score of an answer that `matches` of ten people gave: 0, 0.3, 0.6, 0.9, and 1 from 4 on.

    The mean over the people of min(1, matches among the other nine / 3).
    """
    among = matches * min(1.0, (matches - 1) / ENOUGH) if matches else 0.0
    beside = (answers - matches) * min(1.0, matches / ENOUGH)
    return (among + beside) / answers


Comparison: TypeAlias = Callable[[str, Sequence[str]], tuple[str, Sequence[str]]]
"""Turns a prediction and accepted answers, already trimmed, into what is compared for equality."""


def official(prediction: str, answers: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Normalise both sides, but neither where all people agree: the official evaluation.

    >>> official("A dog.", ("dog", "dog")), official("A dog.", ("dog", "puppy"))
    (('A dog.', ('dog', 'dog')), ('dog', ['dog', 'puppy']))
    """
    if len(set(answers)) == 1:
        return prediction, answers
    return always(prediction, answers)


def always(prediction: str, answers: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Normalise both sides, whether people agree or not."""
    return normalised(prediction), [normalised(answer) for answer in answers]


def legacy(prediction: str, answers: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Normalise the prediction always; of answers, remove punctuation where people disagree.

    So do copies of older versions, which many model repositories hold.
    """
    agreed = len(set(answers)) == 1
    kept = answers if agreed else [without_marks(answer) for answer in answers]
    return normalised(prediction), kept


def answer_accuracy(prediction: Prediction, target: Target, *, comparison: Comparison) -> float:
    """VQA accuracy of one answer, in [0, 1]; higher is better.

    The target holds what ten people answered, equal answers as often as they were given. Fewer than
    ten are alternatives instead of votes: matching any of them scores 1.

    Raises:
        ValueError: prediction or target is no text, or there is no answer.
    """
    text, accepted = text_pair(prediction, target)
    said, answers = comparison(_trimmed(text), tuple(map(_trimmed, accepted)))
    matches = sum(said == answer for answer in answers)
    if len(answers) < ANSWERS:
        return float(matches > 0)
    return vqa_accuracy(matches, len(answers))


vqa = partial(answer_accuracy, comparison=official)
"""`accuracy[vqa]`: the official evaluation."""

vqa_always = partial(answer_accuracy, comparison=always)
"""`accuracy[vqa-always]`: unanimous answers are normalised too (lmms-eval)."""

vqa_legacy = partial(answer_accuracy, comparison=legacy)
"""`accuracy[vqa-legacy]`: older copies of the official evaluation."""


def vqa_exact(prediction: Prediction, target: Target) -> float:
    """`accuracy[vqa-exact]`: 1 for any accepted answer, both sides always normalised, else 0.

    Raises:
        ValueError: prediction or target is no text, or there is no answer.
    """
    text, accepted = text_pair(prediction, target)
    return float(normalised(text) in map(normalised, accepted))


def _trimmed(answer: str) -> str:
    return answer.replace("\n", " ").replace("\t", " ").strip()
