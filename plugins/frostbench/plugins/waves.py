"""Waves: the prompts of many requests, run together.

`drive` advances the generators of all requests side by side: what they yield at one time is one
call of the engine, so that a method which needs 32 waves of one prompt is batched over images.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from frostbench.plugins.completions import Completion, Cost, Failed
from frostbench.plugins.method import Waves
from frostbench.plugins.prompts import Prompt


@runtime_checkable
class Engine(Protocol):
    """Whatever answers prompts: the frozen models, or a control that needs none."""

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order. A prompt that cannot be answered is `Failed`."""
        ...


@dataclass(frozen=True)
class Length:
    """How long a prompt is for its backbone, in tokens.

    `new` is the most that it asks for; `limit` what the backbone reads and writes in all, None
    where it sets no limit.
    """

    tokens: int
    new: int
    limit: int | None

    @property
    def fits(self) -> bool:
        """Whether the backbone can answer it."""
        return self.limit is None or self.tokens + self.new <= self.limit


@runtime_checkable
class Measures(Protocol):
    """An engine that can tell how long a prompt is without answering it.

    A run then asks for the first prompts of every method on every task before it begins, so that
    a context which is too long is said at once. Engines need not be able to.
    """

    def measure(self, prompt: Prompt) -> Length:
        """The prompt's length for its backbone.

        Raises:
            ValueError: the backbone cannot answer it, for another reason than its length.
        """
        ...


@dataclass(frozen=True)
class Outcome:
    """What one request's generator returned, or why it did not, and what its prompts cost."""

    value: Any
    error: str | None
    cost: Cost


def drive(requests: Sequence[Waves], engine: Engine) -> list[Outcome]:
    """Run every generator to its end; outcomes in the order of `requests`.

    A generator that raises, or one of whose prompts failed, ends as an outcome with an error and
    disturbs no other.
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


def describe(error: BaseException) -> str:
    """An exception as one line: its type and first line, and where it was raised."""
    lines = str(error).strip().splitlines()
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        name = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
        where = f" ({name}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}{where}"


def _advance(
    waves: Generator[list[Prompt], list[Completion], Any], completions: list[Completion] | None
) -> list[Prompt]:
    """The next wave; None starts the generator."""
    return next(waves) if completions is None else waves.send(completions)
