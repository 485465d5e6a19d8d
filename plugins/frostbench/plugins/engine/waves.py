"""Waves: the prompts of many requests, run together.

`drive` advances the generators of all requests side by side: what they yield at one time goes to
the engine in one call, so that a method which needs 32 waves of one prompt is batched over images.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from frostbench.plugins.contract.completions import Completion, Cost, Failed
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.method import Waves
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.host.errors import describe


@dataclass(frozen=True)
class Outcome:
    """What one request's generator returned, or why it did not, and what its prompts cost."""

    value: Any
    error: str | None
    cost: Cost


def drive(requests: Sequence[Waves], engine: Engine) -> list[Outcome]:
    """Run every generator to its end; outcomes in the order of `requests`.

    A generator that raises, or has a failed prompt, ends as an outcome with an error and disturbs
    no other.
    """
    outcomes: list[Outcome | None] = [None] * len(requests)
    costs = [Cost()] * len(requests)
    waiting: dict[int, list[Completion] | None] = dict.fromkeys(range(len(requests)))

    while waiting:
        asked: list[tuple[int, int]] = []
        prompts: list[Prompt] = []
        for index, completions in list(waiting.items()):
            try:
                wave = _advance(requests[index], completions)
            except StopIteration as stop:
                outcomes[index] = Outcome(stop.value, None, costs[index])
            except Exception as error:  # an author's code: its failure is a result
                outcomes[index] = Outcome(None, describe(error), costs[index])
            else:
                asked.append((index, len(wave)))
                prompts.extend(wave)
        answers = iter(engine.run(prompts) if prompts else [])
        waiting = {}
        for index, count in asked:
            completions = [next(answers) for _ in range(count)]
            costs[index] = sum((answer.cost for answer in completions), costs[index])
            failed = next((a for a in completions if isinstance(a, Failed)), None)
            if failed is None:
                waiting[index] = completions
            else:
                requests[index].close()
                outcomes[index] = Outcome(None, failed.reason, costs[index])
    return [outcome for outcome in outcomes if outcome is not None]


def _advance(
    waves: Generator[list[Prompt], list[Completion], Any], completions: list[Completion] | None
) -> list[Prompt]:
    """The next wave; None starts the generator."""
    return next(waves) if completions is None else waves.send(completions)
