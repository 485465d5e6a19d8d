"""Keeps samples without an answer out of lmms-eval's scores."""

from collections.abc import Callable, Mapping
from typing import Any

from frostbench.bench.lmms.definition import UNANSWERED


class _Sentence(dict[str, Any]):
    """The result of an instance's filters: the sentence, whatever they make of an empty answer."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = sentence

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, self._sentence)


def leave_unscored(instance: Any, sentence: str) -> None:
    """Let a sample be logged with a sentence instead of an answer, and not scored.

    Its task gives no metric for this sample, so that missing answers enter no average.
    """
    instance.filtered_resps = _Sentence(UNANSWERED + sentence)
    task = next((one.__self__ for one in instance.args if hasattr(one, "__self__")), None)
    if task is not None and not getattr(task.process_results, "spares_unanswered", False):
        task.process_results = _sparing(task.process_results)


def _sparing(process: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
    def process_results(doc: Any, results: Any, *more: Any, **named: Any) -> Mapping[str, Any]:
        if any(isinstance(one, str) and one.startswith(UNANSWERED) for one in results):
            return {}
        return process(doc, results, *more, **named)

    process_results.spares_unanswered = True  # type: ignore[attr-defined]
    return process_results
