"""Checks before a run begins: prompts that are too long, methods that cannot be built.

For each method, task and protocol the first request is prompted as far as its first wave, and the
engine says how long those prompts are. Images go through the tokenizer as in the run, and their
tokens are stored for it, so that little is done twice. Longer requests may come later; these fail
one by one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from frostbench.bench.runner.chunk import Built
from frostbench.bench.runner.instances import instances_of
from frostbench.bench.runner.plan import Plan, PlannedTask
from frostbench.bench.store.records import Key
from frostbench.bench.store.tokens import Kept
from frostbench.plugins.contract.engine import Length, Measures
from frostbench.plugins.contract.method import Method
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.contract.requests import images_of
from frostbench.plugins.contract.task import Instance
from frostbench.plugins.engine.answer import waves_of
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import text_of


class PreflightError(ValueError):
    """A part of the run cannot work; the message has one line for each, and says what to do."""


@dataclass(frozen=True)
class Probe:
    """A task and one of its protocols, with the methods that have no sample of it yet."""

    planned: PlannedTask
    protocol: str | None
    methods: tuple[str, ...]


def trials(plan: Plan, complete: Collection[str], done: Collection[Key]) -> list[Probe]:
    """What a run still has to begin; `complete` are names of tasks, `done` keys of samples."""
    begun = {(task, protocol, method) for task, protocol, method, control, _ in done if not control}
    found: list[Probe] = []
    for planned in plan.tasks:
        card = planned.task.card
        if card.name in complete:
            continue
        rows = plan.lineups[card.name].rows
        methods = tuple(row.method for row in rows if row.control is None)
        for protocol in card.protocols or (None,):
            new = tuple(name for name in methods if (card.name, protocol, name) not in begun)
            if new:
                found.append(Probe(planned, protocol, new))
    return found


def load_replaced(plan: Plan, found: Sequence[Probe]) -> None:
    """Load the backbones that the user named, where a method will ask for them.

    Raises:
        PreflightError: one cannot be loaded.
    """
    names = {name for trial in found for name in trial.methods}
    wanted = {role for one in plan.methods if one.card.name in names for role in one.card.backbones}
    for role in sorted(wanted & set(plan.replaced)):
        try:
            contain(Call("backbone", role, "load"), plan.backbones.get, role)
        except (LookupError, ValueError, TypeError) as error:
            reason = text_of(error)
            raise PreflightError(f"{reason.rstrip('.')}. {plan.replaced[role]}".rstrip()) from error


def check_built(plan: Plan, failed: Mapping[str, str]) -> None:
    """Refuse methods that cannot be built with a backbone that the user named.

    With the pack's own backbones a method that cannot be built is a result, and the others run.

    Raises:
        PreflightError: there is such a method.
    """
    asked = " and ".join(f"{role}={plan.config.get(role)}" for role in plan.replaced)
    lines = [
        f"with {asked} {failed[one.card.name]}"
        for one in plan.methods
        if one.card.name in failed and set(one.card.backbones) & set(plan.replaced)
    ]
    if lines:
        others = [one.card.name for one in plan.methods if one.card.name not in failed]
        way = f" methods={','.join(others)} leaves them out." if others else ""
        raise PreflightError(_listed(f"{len(lines)} methods cannot run", lines) + way)


def check_lengths(
    plan: Plan,
    engine: Measures,
    found: Sequence[Probe],
    turns: Callable[[Iterable[str]], Iterable[Mapping[str, Built]]],
    look: Callable[[Sequence[str]], None],
) -> None:
    """Refuse prompts that are longer than their backbone can read.

    `turns` builds groups of methods that fit together; `look` is called with a method's name after
    its code ran.

    Raises:
        PreflightError: there are some.
    """
    lines = []
    for planned in plan.tasks:
        mine = {trial.protocol: trial.methods for trial in found if trial.planned is planned}
        for instance in _first(planned, plan.seed) if mine else ():
            there = turns(mine.get(instance.protocol, ()))
            for name, built in ((name, one) for turn in there for name, one in turn.items()):
                prompts = [
                    one for method in _answering(built) for one in _prompts(built, method, instance)
                ]
                look([name])
                longest = _longest(engine, prompts)
                if longest is not None and not longest[1].fits:
                    lines.append(_too_long(planned, instance.protocol, name, built, *longest))
    if lines:
        raise PreflightError(_listed(f"{len(lines)} kinds of prompts are too long", lines))


def _first(planned: PlannedTask, seed: int) -> Iterator[Instance]:
    """The first instance of each protocol; none where the data cannot be read."""
    try:
        several = instances_of(planned, 1, seed)
        yield from (one for one in several if isinstance(one, Instance))
    except Exception:  # the run itself will meet this error again, and count its cost
        return


def _answering(built: Built) -> Iterator[Method]:
    """The method, and its stand-ins."""
    yield built.method
    yield from (made for made in built.controls.values() if isinstance(made, Method))


def _prompts(built: Built, method: Method, instance: Instance) -> Sequence[Prompt]:
    """The first wave of a request; empty where there is none, for whatever reason."""
    tokens = {}
    for image, kept in built.tokenizing(images_of(instance.request)).items():
        if not isinstance(kept, Kept):
            return ()
        tokens[image] = kept.tokens
    try:
        with torch.no_grad():
            waves = waves_of(method, instance.request, tokens)
            wave = next(waves)
            waves.close()
    except Exception:  # StopIteration too: a request without prompts
        return ()
    return wave


def _longest(engine: Measures, prompts: Sequence[Prompt]) -> tuple[Prompt, Length] | None:
    """The prompt that needs the most room, among those that the engine can measure."""
    measured: list[tuple[Prompt, Length]] = []
    for prompt in prompts:
        try:
            measured.append((prompt, contain(None, engine.measure, prompt)))
        except Exception:  # it cannot be answered at all, which its sample will report
            continue
    return max(measured, key=lambda one: one[1].tokens + one[1].new, default=None)


def _too_long(
    planned: PlannedTask,
    protocol: str | None,
    name: str,
    built: Built,
    prompt: Prompt,
    length: Length,
) -> str:
    task = planned.task.card.name
    where = f"{task} ({protocol})" if protocol else task
    ways = [
        *(f"method.{name}.{key}" for key in _shortened_by(built.method)),
        *(f"task.{task}.{key}" for key in planned.task.shortened_by),
    ]
    how = f"shorten it with {_either(ways)}" if ways else "neither of them has a setting for it"
    return (
        f"{where} with method {name}: {length.tokens:,} tokens + {length.new:,} new, and backbone "
        f"{prompt.backbone!r} reads {length.limit:,}; {how}"
    )


def _shortened_by(method: Method) -> list[str]:
    """The method's own settings; empty where it fails, since the prompt is too long anyway."""
    try:
        call = Call("method", method.card.name, "shortened_by")
        return contain(call, lambda: [str(key) for key in method.shortened_by])
    except Exception:
        return []


def _listed(head: str, lines: Sequence[str]) -> str:
    """One sentence, or a line for each under a head."""
    if len(lines) == 1:
        return f"{lines[0].rstrip('.')}."
    return "\n".join([f"{head}:", *(f"  {line.rstrip('.')}." for line in lines)])


def _either(ways: Sequence[str]) -> str:
    *most, last = ways
    return f"{', '.join(most)} or {last}" if most else last
