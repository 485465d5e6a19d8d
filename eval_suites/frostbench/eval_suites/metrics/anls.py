"""ANLS: the similarity of an answer to the nearest accepted one, letter by letter.

Biten et al., "Scene Text Visual Question Answering", ICCV 2019, section 4.
"""

from frostbench.eval_suites.metrics.texts import text_pair
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target

THRESHOLD = 0.5  # normalised distances from here on score 0


def edits(one: str, two: str) -> int:
    """Levenshtein's distance: the fewest letters to insert, delete or replace.

    >>> edits("kitten", "sitting")
    3
    """
    row = list(range(len(two) + 1))
    for number, letter in enumerate(one, start=1):
        before, row[0] = row[0], number
        for column, other in enumerate(two, start=1):
            best = min(row[column] + 1, row[column - 1] + 1, before + (letter != other))
            before, row[column] = row[column], best
    return row[-1]


def similarity(answer: str, accepted: str) -> float:
    """1 minus edits divided by the longer length, in [0, 1]; 0 where that ratio is half or more.

    Case, blanks at the ends and the number of blanks between words do not count.

    >>> similarity("A  Cat", "a cat"), similarity("cats", "cat"), similarity("dog", "cat")
    (1.0, 0.75, 0.0)
    """
    said, true = (" ".join(text.lower().split()) for text in (answer, accepted))
    distance = edits(said, true) / max(len(said), len(true), 1)
    return 1 - distance if distance < THRESHOLD else 0.0


def anls(prediction: Prediction, target: Target) -> float:
    """`anls[0.5]`: the similarity to the nearest accepted answer, in [0, 1]; higher is better.

    Raises:
        ValueError: prediction or target is no text, or there is no answer.
    """
    text, accepted = text_pair(prediction, target)
    return max(similarity(text, answer) for answer in accepted)
