"""The prompts of one backbone: resolved, batched, answered, with their cost counted."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.devices import Meter, is_out_of_memory, release_memory
from frostbench.plugins.contract.completions import (
    Attended,
    Chosen,
    Completion,
    Cost,
    Failed,
    Filled,
    Generated,
    Regressed,
)
from frostbench.plugins.contract.engine import UnanswerableError
from frostbench.plugins.contract.prompts import Attend, Choose, Fill, Generate, Prompt, Regress
from frostbench.plugins.engine.attend import attend
from frostbench.plugins.engine.batches import plan
from frostbench.plugins.engine.choose import choose
from frostbench.plugins.engine.fill import fill, groups_of, most_groups
from frostbench.plugins.engine.forward import Forward, Logits, States
from frostbench.plugins.engine.generate import generate
from frostbench.plugins.engine.reader import CachedReader, Reader, WholeReader
from frostbench.plugins.engine.regress import regress
from frostbench.plugins.engine.resolve import ReadyPrompt, resolve, samples_of
from frostbench.plugins.engine.settings import EngineSettings
from frostbench.plugins.engine.tail import Tail
from frostbench.plugins.engine.traits import packing_halo, probe
from frostbench.plugins.host.errors import describe


class ModelEngine:
    """Answers the prompts of one language model.

    Attributes:
        traits: What was found to leave the model's answers unchanged.
    """

    def __init__(self, lm: CausalLM, role: str, settings: EngineSettings) -> None:
        self._lm = lm
        self._role = role
        self._settings = settings
        self._budget = settings.budget(lm.device.type)
        self.traits = probe(lm)
        self._tail = Tail(lm)
        self._logits, self._states = self._reader(Logits), self._reader(States)
        self._meter = Meter(*lm.devices)
        # Rows that fit in memory, by class of length; of a `Fill`, groups.
        self._fitting: dict[tuple[bool, int], int] = {}

    def _reader(self, forward: type[Forward]) -> Reader:
        if not self.traits.caches:
            return WholeReader(self._lm, forward)
        return CachedReader(
            self._lm,
            forward,
            continues=self.traits.continues,
            shared_prefix=self._settings.shared_prefix,
            alone=self._tail.alone,
        )

    @cached_property
    def halo(self) -> int | None:
        """The halo with which groups are packed, None where they are branched."""
        return packing_halo(self._lm)

    @torch.inference_mode()
    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order; equal prompts are answered once."""
        answers: list[Completion | None] = [None] * len(prompts)
        items: list[ReadyPrompt] = []
        asking: list[list[int]] = []  # for each item, the prompts that it answers
        known: dict[object, int] = {}
        for index, prompt in enumerate(prompts):
            try:
                halo = self.halo if isinstance(prompt.ask, Fill) else None
                item = resolve(prompt, self._lm, self._role, halo)
            except UnanswerableError as reason:
                answers[index] = Failed(str(reason))
                continue
            key = item.question or object()
            if key not in known:
                known[key] = len(items)
                items.append(item)
                asking.append([])
            asking[known[key]].append(index)
        padding = self._settings.padding if self.traits.pads else 0.0
        for batch in plan(items, self._most_rows, padding):
            completions = self._answer([items[i] for i in batch])
            for i, completion in zip(batch, completions, strict=True):
                share = 1 / len(asking[i])
                for index in asking[i]:
                    answers[index] = replace(completion, cost=completion.cost.part(share))
        return [answer for answer in answers if answer is not None]

    def _most_rows(self, length: int) -> int:
        rows = min(self._budget // max(1, length), self._settings.max_batch)
        return max(1, min(rows, self._fitting.get((False, _length_class(length)), rows)))

    def _most_at_once(self, items: Sequence[ReadyPrompt]) -> int:
        """Rows that are read at once; of a `Fill`, groups over all prompts."""
        longest = max(item.room for item in items)
        if not _is_fill(items[0]):
            return self._most_rows(longest)
        most = most_groups(items, self._budget)
        return min(most, self._fitting.get((True, _length_class(longest)), most))

    def _answer(self, items: Sequence[ReadyPrompt]) -> list[Completion]:
        """Answer a batch, split into smaller ones where memory does not suffice."""
        answers: list[Completion | None] = [None] * len(items)
        longest = max(item.room for item in items)
        queue = deque([(list(range(len(items))), self._most_at_once(items))])
        while queue:
            batch, most_rows = queue.popleft()
            members = [items[i] for i in batch]
            used = min(most_rows, max(len(members), sum(map(_branches, members))))
            failure: Exception | None = None
            try:
                completions = self._compute(members, most_rows)
            except Exception as error:  # a failing model fails its prompts, and nothing else
                failure = error
            if failure is None:
                for i, completion in zip(batch, completions, strict=True):
                    answers[i] = completion
                continue
            no_memory = is_out_of_memory(failure)
            smaller = (used // 2) if no_memory else (1 if len(batch) > 1 else 0)
            if not smaller:
                answers[batch[0]] = Failed(self._reason(members[0], failure, no_memory))
                # Only a single row leads here; a batch of several is split first.
                continue
            if no_memory:
                self._fitting[_is_fill(items[0]), _length_class(longest)] = smaller
            failure = None  # its traceback holds the tensors that did not fit
            release_memory(self._lm.device)
            parts = [batch[at : at + smaller] for at in range(0, len(batch), smaller)]
            queue.extendleft((part, smaller) for part in reversed(parts))
        return [answer for answer in answers if answer is not None]

    def _reason(self, item: ReadyPrompt, error: Exception, no_memory: bool) -> str:
        if no_memory:
            where = " and ".join(map(str, self._lm.devices))
            return (
                f"a prompt of {item.length} tokens does not fit in the memory of {where} beside "
                f"backbone {self._role!r}; shorten it, or use a smaller "
                f"dtype or a larger device ({describe(error)})."
            )
        return f"backbone {self._role!r} failed on a prompt: {describe(error)}."

    def _compute(self, items: Sequence[ReadyPrompt], most_rows: int) -> list[Completion]:
        self._meter.start()
        begun = time.perf_counter()
        answers: Sequence[Generated | Chosen | Regressed | Attended | Filled | Failed]
        match items[0].ask:
            case Choose():
                answers = choose(items, self._logits, self._lm, self._role, most_rows)
            case Generate():
                answers = generate(items, self._logits, self._lm, self._role, most_rows)
            case Regress():
                answers = regress(items, self._states, self._lm, self._role)
            case Attend():
                answers = attend(items, self._lm, self._role)
            case Fill():
                answers = fill(items, self._states, self._lm, self._role, most_rows)
        peak, joules = self._meter.stop()
        seconds = time.perf_counter() - begun
        tokens = [_tokens(item, answer) for item, answer in zip(items, answers, strict=True)]
        total = math.fsum(map(sum, tokens)) or 1.0
        return [
            replace(
                answer,
                cost=Cost(
                    seconds * (read + written) / total,
                    read,
                    written,
                    peak,
                    None if joules is None else joules * (read + written) / total,
                ),
            )
            for answer, (read, written) in zip(answers, tokens, strict=True)
        ]


def _branches(item: ReadyPrompt) -> int:
    """Rows, or groups, that an item needs at once."""
    if _is_fill(item):
        return len(groups_of(item))
    if _is_choice(item):
        return sum(len(ids) > 1 for ids in item.strings.values())
    return samples_of(item)


def _is_choice(item: ReadyPrompt) -> bool:
    return isinstance(item.ask, Choose)


def _is_fill(item: ReadyPrompt) -> bool:
    return isinstance(item.ask, Fill)


def _tokens(item: ReadyPrompt, answer: Completion) -> tuple[int, int]:
    """Tokens read and written; options and placeholders are read."""
    after = sum(map(len, item.strings.values())) if _is_choice(item) else 0
    if _is_fill(item):
        after = len(groups_of(item)) * item.new
    match answer:
        case Generated():
            written = sum(len(one.ids) for one in (answer, *answer.others))
        case Regressed(features):
            written = len(features)
        case _:
            written = 0
    return item.length + after, written


def _length_class(length: int) -> int:
    """Lengths between two powers of two share what fits in memory."""
    return length.bit_length()
