"""Accuracy of labels and answers."""

from collections.abc import Callable
from dataclasses import dataclass

from frostbench.eval_suites.metrics.texts import text_pair
from frostbench.plugins.contract.metric import MetricContext
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.task import Target


def exact(text: str, label: str) -> bool:
    """Whether the whole text is the label: case counts, blanks around it do not.

    >>> exact(" lion ", "lion"), exact("lionfish", "lion"), exact("Lion", "lion")
    (True, False, False)
    """
    return text.strip() == label.strip()


def prefix(text: str, label: str) -> bool:
    """Whether the text begins with the label, blanks before it aside: V2L's published scorer.

    Looser than `exact`: "lionfish" passes for "lion".

    >>> prefix("lionfish", "lion"), prefix("a lion", "lion")
    (True, False)
    """
    return text.lstrip().startswith(label.strip())


@dataclass
class Accuracy:
    """1 where the text matches the target (or one of several accepted texts), else 0."""

    id: str
    matches: Callable[[str, str], bool]
    higher_is_better: bool = True
    unit: str = ""
    lower: float | None = 0.0
    upper: float | None = 1.0

    def __call__(self, prediction: Prediction, target: Target) -> float:
        """1.0 or 0.0.

        Raises:
            ValueError: prediction or target is no text, or no text is accepted.
        """
        text, accepted = text_pair(self.id, prediction, target)
        return float(any(self.matches(text, label) for label in accepted))


def accuracy_exact(_: MetricContext) -> Accuracy:
    """`accuracy[exact]`: the whole label."""
    return Accuracy("accuracy[exact]", exact)


def accuracy_prefix(_: MetricContext) -> Accuracy:
    """`accuracy[prefix]`: the text begins with the label."""
    return Accuracy("accuracy[prefix]", prefix)
