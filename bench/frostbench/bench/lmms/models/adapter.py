"""Our methods as lmms-eval's model classes, made on demand.

Simple models only: those serve every kind of task, and a method reads one image and a text.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from loguru import logger

from frostbench.bench.lmms.asking import LmmsSample, Posed, request_of, request_type
from frostbench.bench.lmms.definition import SUITE
from frostbench.bench.lmms.examples import examples_of, sample_of
from frostbench.bench.lmms.models.entry import method_of
from frostbench.bench.lmms.models.hosted import hosted, hosted_name, refusals
from frostbench.bench.lmms.models.settings import ModelSettings, settings_of
from frostbench.bench.lmms.models.unscored import leave_unscored
from frostbench.bench.lmms.options import drawn, option_in, question_with
from frostbench.bench.lmms.suites.outputs import said_in, said_whole
from frostbench.bench.lmms.suites.served import is_ours, posed_of
from frostbench.bench.lmms.version import fitting
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.reader import StoredRun
from frostbench.bench.store.records import Record, Stored
from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.seeds import seed_of

SampleKey: TypeAlias = tuple[str, str | None, str]
"""Task, protocol and sample, as records name them."""

Says: TypeAlias = Callable[[Stored, Blobs], str]


class AnyMethod(lmms):  # type: ignore[misc]
    """A method of frostbench as a model of lmms-eval; the user names it with `method`."""

    is_simple = True
    method = ""

    def __init__(self, **given: Any) -> None:
        super().__init__()
        fitting()
        self._settings: ModelSettings = settings_of(self.method, given)

    @property
    def device(self) -> Any:
        """Where the method runs; lmms-eval asks where there are several processes."""
        import torch

        return torch.device(self._settings.config.device)

    @property
    def rank(self) -> int:
        """The number of this process."""
        return int(self._rank)

    @property
    def world_size(self) -> int:
        """How many processes there are."""
        return int(self._world_size)

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """An answer each, in the order of the requests."""
        cards: dict[str, TaskCard] = {}
        asked: dict[str, dict[SampleKey, Posed]] = {}
        places: list[SampleKey] = []
        for one in requests:
            card, posed = self._posed(one)
            place = card.name, posed.protocol, posed.id
            cards[card.name] = card
            asked.setdefault(card.name, {}).setdefault(place, posed)
            places.append(place)
        found = self._answers({name: (cards[name], list(asked[name].values())) for name in cards})
        self._say(places, found)
        return [
            self._result(one, found[place]) for one, place in zip(requests, places, strict=True)
        ]

    def loglikelihood(self, requests: list[Instance]) -> list[GenerationResult]:
        """A loss for each option: 0 for the method's answer and 1 for the others.

        lmms-eval takes the option of the least loss. The pair travels as a `GenerationResult`,
        because lmms-eval since 0.7.0 turns a bare pair into a text that it cannot score.
        """
        options: dict[SampleKey, list[Instance]] = {}
        for one in requests:
            _, _, _, number, task, _ = one.args
            several = options.setdefault((task, None, LmmsSample(task, number, "", None).id), [])
            if all(one is not other for other in several):
                several.append(one)
        texts = {place: [str(one.args[1]) for one in own] for place, own in options.items()}
        tasks: dict[str, list[Posed]] = {}
        for place, own in options.items():
            make = partial(self._choice, own[0], texts[place])
            tasks.setdefault(place[0], []).append(Posed(place[2], None, make))
        found = self._answers({name: (_card(name, "Answer"), own) for name, own in tasks.items()})
        self._say(list(options), found)
        results: dict[int, GenerationResult] = {}
        guessed: Counter[str] = Counter()
        for place, own in options.items():
            answer = found[place]
            if answer.sentence:
                for one in own:
                    leave_unscored(one, answer.sentence)
                    results[id(one)] = GenerationResult(text=(1.0, False))
                continue
            chosen = option_in(answer.text, texts[place])
            if chosen is None:
                guessed[place[0]] += 1
                chosen = drawn(texts[place], seed_of(self._seed, place[0], place[2], "option"))
            for index, one in enumerate(own):
                results[id(one)] = GenerationResult(text=(float(index != chosen), index == chosen))
        for task, count in guessed.items():
            logger.warning(f"frostbench: {count} answers in {task!r} name no option; one is drawn")
        return [results[id(one)] for one in requests]

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not supported: a method of frostbench answers once."""
        raise NotImplementedError(
            f"the method {self._settings.method!r} answers once, and the task "
            f"{requests[0].task_name!r} asks in rounds; leave it out."
        )

    @property
    def _seed(self) -> int:
        return self._settings.config.seed

    def _posed(self, request: Instance) -> tuple[TaskCard, Posed]:
        """The task of a request, and the request; ours are asked unchanged."""
        text, _, visuals, number, name, split = request.args
        if is_ours(self.task_dict[name][split]):
            return posed_of(self.task_dict[name][split][number])
        make = partial(self._made, getattr(visuals, "__self__", None), text, visuals, request)
        return _card(name, request_type(name)), Posed(
            LmmsSample(name, number, "", None).id, None, make
        )

    def _made(self, task: Any, text: str, visuals: Any, request: Instance) -> Request:
        _, _, _, number, name, split = request.args
        shots = self._settings.shots or (0 if task is None else task.config.num_fewshot or 0)
        if shots and task is not None:
            examples, said = examples_of(task, split, number, shots, self._seed)
            return request_of(sample_of(task, split, number), self._seed, examples, said)
        doc = self.task_dict[name][split][number]
        return request_of(LmmsSample(name, number, str(text), visuals(doc)), self._seed)

    def _choice(self, request: Instance, options: Sequence[str]) -> Request:
        text, _, visuals, number, name, split = request.args
        doc = self.task_dict[name][split][number]
        asked = question_with(str(text), options)
        return request_of(LmmsSample(name, number, asked, visuals(doc)), self._seed)

    def _answers(
        self, tasks: Mapping[str, tuple[TaskCard, Sequence[Posed]]]
    ) -> dict[SampleKey, "Reply"]:
        """The method's answer to each sample, or the sentence why there is none."""
        config, method = self._settings.config, self._settings.method
        refused = refusals(config, [card for card, _ in tasks.values()])
        found = {
            (name, one.protocol, one.id): Reply(sentence=f"method {method!r} {reason.rstrip('.')}.")
            for name, reason in refused.items()
            for one in tasks[name][1]
        }
        left = {name: one for name, one in tasks.items() if name not in refused}
        if not left:
            return found
        run = hosted(config, left)
        records = {
            (record.task, record.protocol, record.sample): record
            for record in run.records()
            if record.method == method
        }
        for name, (card, posed) in left.items():
            says = said_in if card.suite == SUITE else said_whole
            for one in posed:
                record = records.get((hosted_name(name), one.protocol, one.id))
                found[name, one.protocol, one.id] = Reply.of(run, record, method, says)
        return found

    def _result(self, request: Instance, answer: "Reply") -> GenerationResult:
        if answer.sentence:
            # Empty, so that lmms-eval's own cache of responses does not keep it.
            leave_unscored(request, answer.sentence)
            return GenerationResult(text="")
        return GenerationResult(text=answer.text, token_counts=answer.counts)

    def _say(self, places: Sequence[SampleKey], found: Mapping[SampleKey, "Reply"]) -> None:
        """Report how many samples have no answer, and how many an empty one."""
        for task in dict.fromkeys(place[0] for place in places):
            mine = {place: found[place] for place in places if place[0] == task}
            without = [one.sentence for one in mine.values() if one.sentence]
            empty = sum(not one.sentence and not one.text.strip() for one in mine.values())
            if without:
                logger.warning(
                    f"frostbench: {len(without)} of {len(mine)} samples of {task!r} have no answer "
                    f"and are not scored. The first: {without[0]}"
                )
            if empty:
                logger.warning(f"frostbench: {empty} answers in {task!r} are empty texts.")


@dataclass(frozen=True)
class Reply:
    """A method's answer to one sample: a text, or the sentence why there is none."""

    text: str = ""
    sentence: str = ""
    counts: TokenCounts | None = None

    @staticmethod
    def of(run: StoredRun, record: Record | None, method: str, says: Says) -> "Reply":
        """The reply in a record; without a record, why there is none."""
        if record is None:
            entry = run.manifest.methods[method]
            reason = entry.error or f"the run in {run.folder} has no answer"
            return Reply(sentence=f"method {method!r}: {reason.rstrip('.')}.")
        if record.status == "failed":
            return Reply(sentence=record.error or "it failed.")
        cost = record.cost
        counts = TokenCounts(cost.prompt_tokens, cost.generated_tokens)
        return Reply(says(record.prediction, run.blobs), counts=counts)


def _card(task: str, kind: str) -> TaskCard:
    return TaskCard(task, SUITE, kind, "text", (), "")


def __getattr__(name: str) -> type[AnyMethod]:
    method = method_of(name)
    if method is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = type(name, (AnyMethod,), {"method": method, "__module__": __name__})
    globals()[name] = made
    return made
