"""Accuracy of labels and answers."""

from collections.abc import Callable

from frostbench.eval_suites.metrics.texts import text_pair
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target


def exact(text: str, label: str) -> bool:
    """Whether the whole text is the label: case counts, blanks around it do not.

    >>> exact(" lion ", "lion"), exact("lionfish", "lion"), exact("Lion", "lion")
    (True, False, False)
    """
    return text.strip() == label.strip()


def prefix(text: str, label: str) -> bool:
    """Whether the text begins with the label, ignoring blanks before it: V2L's published scorer.

    Looser than `exact`: "lionfish" passes for "lion".

    >>> prefix("lionfish", "lion"), prefix("a lion", "lion")
    (True, False)
    """
    return text.lstrip().startswith(label.strip())


def accuracy_exact(prediction: Prediction, target: Target) -> float:
    """`accuracy[exact]`: 1 where the text is the label, or one of several accepted, else 0.

    Raises:
        ValueError: prediction or target is no text, or no text is accepted.
    """
    return _any(exact, prediction, target)


def accuracy_prefix(prediction: Prediction, target: Target) -> float:
    """`accuracy[prefix]`: 1 where the text begins with the label, or an accepted text, else 0.

    Raises:
        ValueError: prediction or target is no text, or no text is accepted.
    """
    return _any(prefix, prediction, target)


def _any(matches: Callable[[str, str], bool], prediction: Prediction, target: Target) -> float:
    text, accepted = text_pair(prediction, target)
    return float(any(matches(text, label) for label in accepted))
