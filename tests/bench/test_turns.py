"""Methods and backbones that do not fit together into memory run in turn, and are the same."""

import gc
import io
import os
import time
import weakref
from dataclasses import replace

import pytest
import torch
from crews import Forked
from runner_world import (
    ACCURACY,
    SQUARES,
    Blocks,
    Entry,
    Hashing,
    OneBackbone,
    by_id,
    plain,
    plan_of,
)

from frostbench.bench.runner import memory
from frostbench.bench.runner.memory import Ledger
from frostbench.bench.runner.plan import PlannedMethod
from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run
from frostbench.bench.store.hardware import MethodMemory
from frostbench.plugins.backbones import devices
from frostbench.plugins.backbones.devices import is_out_of_memory, limit_memory

MB = 1 << 20
METRICS = by_id(ACCURACY, SQUARES)  # which look at one sample each


class Alone(Hashing):
    """Answers a prompt as if it came alone."""

    def answer(self, prompt, company):
        return super().answer(prompt, 1)


class Card:
    """A device that holds so many methods at once; what died holds nothing."""

    def __init__(self, most):
        self.most = most
        self.held = weakref.WeakSet()
        self.built = []
        self.refused = 0

    def method(self, name, role="llm", size=1):
        kind = type(name.title(), (Blocks,), {})
        kind.card = replace(Blocks.card, name=name, backbones=(role,))

        def build():
            if sum(one.size for one in self.held) + size > self.most:
                self.refused += 1
                raise ValueError("no weights") from torch.OutOfMemoryError("out of memory")
            made = kind()
            made.size = size
            self.held.add(made)
            self.built.append(name)
            return made

        return PlannedMethod(kind.card, build)


class Backbones(OneBackbone):
    """Several roles, of which some can be loaded at once."""

    def __init__(self, most):
        self.most = most
        super().__init__()
        self.entries = {role: Entry(role) for role in ("llm", "lmm")}
        self.loads = []

    def drop(self, roles=None):
        if roles is None:
            super().drop()
        for role in roles or ():
            self.opened.pop(role, None)

    def get(self, role):
        if role not in self.opened:
            if len(self.opened) == self.most:
                raise torch.OutOfMemoryError("out of memory")
            self.opened[role] = torch.nn.Linear(3, 3)
            torch.nn.init.eye_(self.opened[role].weight)
            torch.nn.init.zeros_(self.opened[role].bias)
            self.loads.append(role)
        return self.opened[role]


def results(folder, card, *names, **changes):
    methods = tuple(
        card.method(*one) if isinstance(one, tuple) else card.method(one) for one in names
    )
    where = folder / "run", folder / "tokens"
    changes = {"methods": methods, "engine": Alone(), "metrics": METRICS, **changes}
    return run(plan_of(*where, **changes), Quiet(io.StringIO()))


def fingerprints(run):
    return {name: (one.status, one.fingerprint) for name, one in run.manifest.methods.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return results(tmp_path_factory.mktemp("whole"), Card(9), "a", "b", "c")


@pytest.mark.parametrize("most", [1, 2])
def test_what_does_not_fit_together_runs_in_turn_and_gives_the_same(tmp_path, whole, most):
    card = Card(most)
    stored = results(tmp_path, card, "a", "b", "c")
    assert plain(stored) == plain(whole)
    assert fingerprints(stored) == fingerprints(whole)
    assert stored.manifest.status == "finished"
    (note,) = [one for one in stored.manifest.notes if "in turn" in one]
    assert note.startswith("the memory of cpu has no room for a, b, c at once")
    assert "in turn" not in "".join(whole.manifest.notes)
    assert len(card.built) > 3
    assert len(card.held) <= most


def test_who_is_left_of_a_chunk_begins_the_next(tmp_path):
    card = Card(1)
    results(tmp_path, card, "a", "b")
    chunks = 6  # of three requests, in three protocols of four
    assert len(card.built) == chunks + 1


def test_a_method_that_does_not_fit_alone_is_left_out_and_the_others_run(tmp_path, whole):
    stored = results(tmp_path, Card(2), "a", "b", ("c", "llm", 3))
    assert stored.manifest.methods["c"].status == "failed"
    assert "method 'c' cannot be built" in stored.manifest.methods["c"].error
    mine = [line for line in plain(whole) if line["method"] != "c"]
    assert [line for line in plain(stored) if line["method"] != "c"] == mine


def test_backbones_that_do_not_fit_together_are_loaded_in_turn(tmp_path):
    ways = ("a", "llm"), ("b", "lmm"), ("c", "llm")
    easy, short = Backbones(2), Backbones(1)
    whole = results(tmp_path / "easy", Card(9), *ways, backbones=easy)
    stored = results(tmp_path / "short", Card(9), *ways, backbones=short)
    assert easy.loads == ["llm", "lmm"]
    assert plain(stored) == plain(whole)
    assert len(short.loads) == 6 + 1  # as many as there are chunks, and one
    for facts in stored.manifest.backbones.values():
        assert facts.sha256_before == facts.sha256_after
    assert stored.manifest.backbones == whole.manifest.backbones


def test_a_backbone_that_was_changed_before_it_was_let_go_is_seen(tmp_path):
    backbones = Backbones(1)

    class Harming(Alone):
        def run(self, prompts):
            if "llm" in backbones.opened:
                backbones.opened["llm"].weight.data.numpy()[1, 2] = 5.0
            return super().run(prompts)

    methods = Card(9).method("a", "llm"), Card(9).method("b", "lmm")
    plan = plan_of(tmp_path / "run", tmp_path / "tokens", methods=methods, backbones=backbones)
    stored = run(replace(plan, engine=Harming()), Quiet(io.StringIO()))
    assert stored.manifest.status == "failed"
    assert "'llm'" in stored.manifest.violations[0]


def test_what_was_measured_keeps_a_method_from_being_tried(tmp_path, monkeypatch):
    card = Card(1)

    def done(self, names):
        self.measured |= dict.fromkeys(names, MethodMemory(own=10, working=5))

    monkeypatch.setattr(Ledger, "done", done)
    monkeypatch.setattr(memory, "room_bytes", lambda device: 14 if card.held else 15)
    stored = results(tmp_path, card, "a", "b")
    assert stored.manifest.memory == {name: MethodMemory(10, 5) for name in "ab"}
    tried = card.refused  # on the first chunk, before anything was measured
    assert tried == 2
    gc.collect()  # as a session in a process of its own
    results(tmp_path, card, "a", "b", limit=6)
    assert card.refused == tried


class Heavy(Blocks):
    def __init__(self):
        super().__init__()
        self.weights = torch.ones(100 * MB)  # of four bytes

    def tokenize(self, images, sizes):
        torch.ones(32 * MB)
        return super().tokenize(images, sizes)


def heavy(name):
    kind = type(name.title(), (Heavy,), {"card": replace(Blocks.card, name=name)})
    return PlannedMethod(kind.card, kind)


def test_what_a_method_holds_and_works_with_is_measured_and_kept(tmp_path):
    where = tmp_path / "run", tmp_path / "tokens"
    methods = heavy("heavy"), Card(1).method("light")
    stored = run(plan_of(*where, methods=methods), Quiet(io.StringIO()))
    memory = stored.manifest.memory
    assert 390 * MB < memory["heavy"].own < 440 * MB
    assert 120 * MB < memory["heavy"].working < 200 * MB
    assert memory["light"].own < 20 * MB


def test_a_real_limit_lets_two_run_in_turn_that_do_not_fit_together(tmp_path, whole):
    def plan():
        where = tmp_path / "run", tmp_path / "tokens"
        return plan_of(
            *where, methods=(heavy("one"), heavy("two")), engine=Alone(), metrics=METRICS
        )

    def limited():
        torch.set_num_threads(1)  # a pool of threads does not survive a fork
        gc.collect()  # what other tests left
        limit_memory(torch.device("cpu"), devices._status_bytes("VmData") + 700 * MB)
        with pytest.raises(RuntimeError) as found:
            heavy("one").build(), heavy("two").build()
        assert is_out_of_memory(found.value)
        del found
        assert not run(plan(), Quiet(io.StringIO())).failed
        os._exit(7)

    child = Forked(limited)
    while child.poll() is None:
        time.sleep(0.02)
    assert child.poll() == 7
    stored = run(plan(), Quiet(io.StringIO()))
    assert not stored.failed
    assert any("in turn" in note for note in stored.manifest.notes)
    free = replace(plan(), out=tmp_path / "free")
    assert plain(run(free, Quiet(io.StringIO()))) == plain(stored)
