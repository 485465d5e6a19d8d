"""Whatever a method, task, metric, control or observer raises or never ends is its own failure."""

import asyncio
import time
from dataclasses import replace

import pytest
from runner_world import (
    ACCURACY,
    Blocks,
    Hashing,
    Naming,
    Ways,
    by_id,
    method,
    picture,
    plan_of,
)

from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.run import run
from frostbench.bench.runner.watching import Watchers
from frostbench.bench.store.records import Record, Stored
from frostbench.plugins import Generate, Grid, Prompt, Trie, VisualTokens
from frostbench.plugins.host.containment import failed_by_death, interruptible
from frostbench.plugins.host.limits import Limits


class Silent(Exception):  # noqa: N818
    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


class Loud(Exception):  # noqa: N818
    def __str__(self):
        return "\x1b[31m" + "a" * 5_000_000


SINS = {
    "exit": (SystemExit(0), "SystemExit: 0"),
    "generator exit": (GeneratorExit("end"), "GeneratorExit: end"),
    "interrupt": (KeyboardInterrupt("mine"), "KeyboardInterrupt: mine"),
    "cancelled": (asyncio.CancelledError("gone"), "CancelledError: gone"),
    "anything": (BaseException("at all"), "BaseException: at all"),
    "silent": (Silent(), "Silent: its text cannot be had"),
    "loud": (Loud(), "characters left out"),
}
PLACES = ("build", "fingerprint", "notes", "tokenize", "prompt", "prompt late", "decode")


def sinner(place, error):
    """A method that raises `error` in one place."""

    class Sinner(Blocks):
        card = replace(Blocks.card, name="sinner")

        def sin(self, now):
            if now == place:
                raise error

        @property
        def fingerprint(self):
            self.sin("fingerprint")
            return "8" * 64

        @property
        def notes(self):
            self.sin("notes")
            return ()

        def tokenize(self, images, sizes):
            self.sin("tokenize")
            return super().tokenize(images, sizes)

        def prompt(self, request, tokens):
            self.sin("prompt")
            outcome = yield from super().prompt(request, tokens)
            self.sin("prompt late")
            return outcome

        def decode(self, requests, outcomes):
            self.sin("decode")
            return super().decode(requests, outcomes)

        def words(self, tokens):
            self.sin("words")
            return super().words(tokens)

    def build():
        Sinner().sin("build")
        return Sinner()

    return method(Sinner, build)


def naming(folder, *methods, **changes):
    tasks = (PlannedTask(Naming(Ways()), lambda: picture, 2),)
    return plan_of(folder / "run", folder / "tokens", methods=methods, tasks=tasks, **changes)


@pytest.mark.parametrize(
    ("place", "sin"), [*((place, "exit") for place in PLACES), *(("decode", sin) for sin in SINS)]
)
def test_what_a_method_raises_is_its_own_failure_wherever_it_raises(tmp_path, place, sin):
    error, said = SINS[sin]
    done = run(naming(tmp_path, method(Blocks), sinner(place, error)))
    assert done.failed
    assert done.manifest.status == "finished"
    mine = [record for record in done.records() if record.method == "sinner"]
    if place in ("build", "fingerprint", "notes"):
        assert not mine
        assert said in done.manifest.methods["sinner"].error
    else:
        assert mine
        own = [record for record in mine if record.control is None]
        assert all(said in record.error for record in own)
        assert all(len(record.error) < 1300 for record in own)
    rest = [record for record in done.records() if record.method != "sinner"]
    assert rest
    assert all(record.status == "scored" for record in rest)


@pytest.mark.parametrize("sin", ["exit", "silent", "loud"])
def test_words_that_raise_cost_no_sample(tmp_path, sin):
    done = run(naming(tmp_path, sinner("words", SINS[sin][0])))
    assert not done.failed
    assert any(SINS[sin][1] in note for note in done.manifest.notes)
    assert all(len(note) < 2100 for note in done.manifest.notes)


@pytest.mark.parametrize("sin", ["exit", "loud"])
@pytest.mark.parametrize("place", ["instances", "data", "controls", "metric", "control"])
def test_what_others_raise_is_their_failure_and_ends_no_run(tmp_path, place, sin):
    error, said = SINS[sin]

    def fail(*arguments):
        raise error

    class Sinning(Naming):
        def instances(self, data, limit, seed):
            yield from super().instances(data, limit, seed)
            if place == "instances":
                fail()

        def controls(self, instances):
            return fail() if place == "controls" else super().controls(instances)

    plan = naming(tmp_path, method(Blocks))
    data = fail if place == "data" else lambda: picture
    plan = replace(plan, tasks=(PlannedTask(Sinning(Ways()), data, 2),))
    if place == "metric":
        plan = replace(plan, metrics=by_id(replace(ACCURACY, function=fail)))
    if place == "control":
        change = replace(plan.controls["shuffled_tokens"].change, exchange=fail)
        shuffled = replace(plan.controls["shuffled_tokens"], change=change)
        plan = replace(plan, controls={**plan.controls, "shuffled_tokens": shuffled})
    done = run(plan)
    assert done.failed
    # Where nothing could be asked at all, the run itself has failed.
    assert done.manifest.status == ("failed" if place == "data" else "finished")
    assert any(said in failure.error for failure in done.manifest.failures)
    assert all(len(failure.error) < 1300 for failure in done.manifest.failures)
    scored = [one for one in done.records() if one.status == "scored"]
    assert bool(scored) == (place not in ("data", "metric"))


def test_an_observer_that_raises_or_answers_nonsense_is_said_and_left_alone():
    class Good:
        def started(self, manifest):
            pass

        def scored(self, record):
            return {"good": 1}

        finished = started

    for sin, (error, said) in SINS.items():

        class Bad(Good):
            def scored(self, record, error=error):
                raise error

        notes = []
        watchers = Watchers([Bad(), Good()], notes.append)
        with interruptible():
            assert watchers.scored(one_record()).extra == {"good": 1.0}, sin
        assert said in notes[0]
    for nonsense in (
        {"a": "x"},
        {"a": float("nan")},
        {"a": float("inf")},
        [1],
        [],
        "abc",
        "",
        3,
        0,
    ):

        class Odd(Good):
            def scored(self, record, nonsense=nonsense):
                return nonsense

        notes = []
        assert Watchers([Odd(), Good()], notes.append).scored(one_record()).extra == {"good": 1.0}
        assert notes[0].startswith("observer Odd, scored: ValueError: ")
        assert isinstance(nonsense, dict) or "columns are a mapping from names" in notes[0]


def one_record():
    return Record(
        suite="s",
        task="t",
        protocol=None,
        method="m",
        control=None,
        sample="0",
        cluster="0",
        status="scored",
        prediction=Stored("none"),
        target=Stored("text", text=""),
    )


class Endless(Blocks):
    card = replace(Blocks.card, name="sinner")
    how = ""

    def prompt(self, request, tokens):
        if self.how == "waves":
            while True:
                yield []
        if self.how == "prompts":
            while True:
                yield [Prompt((), Generate(1, Trie(request.options)))]
        if self.how == "will not close":
            try:
                while True:
                    yield []
            except GeneratorExit:
                yield []
        if self.how == "prompt":
            wait()
        return (yield from super().prompt(request, tokens))

    def tokenize(self, images, sizes):
        if self.how == "tokenize":
            wait()
        tokens = super().tokenize(images, sizes)
        ids = tokens.grid("local")
        if self.how == "negative":
            tokens = VisualTokens({"local": Grid(ids - 1000)})
        if self.how == "large":
            tokens = VisualTokens({"local": Grid(ids + 1000)})
        return tokens

    @property
    def codes(self):
        return {"local": self.levels}

    def decode(self, requests, outcomes):
        if self.how == "decode":
            wait()
        return super().decode(requests, outcomes)


def wait():
    while True:
        time.sleep(0.01)


ENDLESS = {
    "waves": "it yields more than 20 waves (most_waves).",
    "prompts": "it yields more than 20 waves (most_waves).",
    "will not close": "it yields more than 20 waves (most_waves).",
    "prompt": "TimeLimitError: not done after",
    "tokenize": "TimeLimitError: not done after",
    "decode": "TimeLimitError: not done after",
    "negative": "ValueError: tokenize returned id -",
    "large": "and part 'local' has 16",
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ENDLESS)
def test_what_never_ends_or_names_no_code_fails_the_method_and_nobody_else(tmp_path, how):
    def build():
        made = Endless()
        made.how = how
        return made

    hangs = "TimeLimitError" in ENDLESS[how]
    beside = () if hangs else (method(Blocks),)  # which has no time limit to meet by chance
    limits = Limits(most_waves=20, most_seconds=0.2) if hangs else Limits(most_waves=20)
    plan = naming(tmp_path, *beside, method(Endless, build), limits=limits, controls=None)
    done = run(plan)
    assert done.failed
    failed = [one for one in done.records() if one.status == "failed" and one.method]
    assert {one.method for one in failed} == {"sinner"}
    assert all(ENDLESS[how] in one.error for one in failed)


def test_a_request_that_takes_too_long_in_the_engine_is_ended(tmp_path):
    plan = naming(tmp_path, method(Blocks), engine=Hashing(wait), limits=Limits(most_seconds=0.5))
    done = run(replace(plan, controls=None))
    (failure,) = (one for one in done.manifest.failures if one.method)
    assert "engine, task 'naming', sample '0': TimeLimitError: not done after" in failure.error


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda one: 3, "the task gave int where Instance was expected"),
        (lambda one: replace_unchecked(one, request="red?"), "AttributeError"),
        (lambda one: replace_unchecked(one, cluster=3), "cluster or protocol that is no text"),
        (lambda one: replace_unchecked(one, target=3), "an instance has int for a target"),
        (lambda one: replace_unchecked(one, target=("a", 3)), "an instance has tuple for a target"),
    ],
)
def test_what_a_task_gives_that_is_no_instance_ends_the_task_and_not_the_run(tmp_path, spoil, said):
    class Odd(Naming):
        card = replace(Naming.card, name="odd")

        def instances(self, data, limit, seed):
            for number, one in enumerate(super().instances(data, limit, seed)):
                yield spoil(one) if number else one

    tasks = tuple(PlannedTask(kind(Ways()), lambda: picture, 2) for kind in (Odd, Naming))
    done = run(replace(naming(tmp_path, method(Blocks)), tasks=tasks, controls=None))
    (failure,) = (one for one in done.manifest.failures if one.task == "odd" and not one.samples)
    assert "the data gave 1 samples and then failed" in failure.error
    assert said in failure.error
    scored = [one.task for one in done.records() if one.method and one.status == "scored"]
    assert sorted(scored) == ["naming", "naming", "odd"]


def replace_unchecked(one, **changes):
    """As a task makes it where nobody checks types."""
    made = object.__new__(type(one))
    for name, value in {**vars(one), **changes}.items():
        object.__setattr__(made, name, value)
    return made


def test_methods_that_died_in_the_engine_together_are_run_one_at_a_time(tmp_path):
    other = method(type("Other", (Blocks,), {"card": replace(Blocks.card, name="other")}))
    plan = naming(tmp_path, method(Blocks), other)
    seen = []
    engine = Hashing()
    engine.before = lambda: seen.append(1)
    with failed_by_death({"methods 'blocks, other'": "the process died"}):
        done = run(replace(plan, engine=engine, controls=None))
    assert {one.status for one in done.records() if one.method} == {"scored"}
    assert len(seen) == 2
    with failed_by_death({"method 'other'": "the process died while it was in the engine"}):
        done = run(replace(plan, out=tmp_path / "alone", controls=None))
    assert {one.method for one in done.records()} - {None} == {"blocks"}
    (failure,) = (one for one in done.manifest.failures if one.method)
    assert failure.error == (
        "method 'other' is left out: the process died while it was in the engine."
    )
    assert done.manifest.deaths == {"method 'other'": "the process died while it was in the engine"}
    assert run(replace(plan, out=tmp_path / "alone", controls=None)).failed
    again = replace(plan, out=tmp_path / "alone", controls=None, retry_failed=True)
    made = [one.method for one in run(again).records() if one.status == "scored"]
    assert sorted(made) == ["blocks"] * 2 + ["other"] * 2
