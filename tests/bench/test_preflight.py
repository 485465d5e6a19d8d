import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from runner_world import Blocks, Fine, Hashing, method, plain, plan_of

from frostbench.bench.runner.preflight import PreflightError
from frostbench.bench.runner.run import run
from frostbench.plugins import Grid, VisualTokens
from frostbench.plugins.contract.engine import Length, Measures
from frostbench.plugins.host.containment import Interrupted


class Ruler(Hashing):
    """An engine whose backbone takes few pieces, and which counts what it is asked to measure."""

    def __init__(self, limit: int | None = None, before: Any = lambda: None) -> None:
        super().__init__(before)
        self.limit = limit
        self.measured: list[Any] = []

    def measure(self, prompt):
        self.measured.append(prompt)
        return Length(len(prompt.pieces), 4, self.limit)


class Short(Blocks):
    """Says what shortens it."""

    @property
    def shortened_by(self):
        return ("levels", "cells")


class Silent(Blocks):
    """Its tokenizer, its prompts or its building fail."""

    fails = "tokenize"

    def tokenize(self, images, sizes):
        if self.fails == "tokenize":
            raise RuntimeError("out of luck")
        return super().tokenize(images, sizes)

    def prompt(self, request, tokens):
        if self.fails == "prompt":
            raise RuntimeError("out of words")
        return (yield from super().prompt(request, tokens))


def test_an_engine_that_measures_is_told_from_one_that_does_not():
    assert isinstance(Ruler(), Measures)
    assert not isinstance(Hashing(), Measures)


def test_a_prompt_that_is_too_long_ends_the_run_before_it_begins(tmp_path):
    asked = []
    engine = Ruler(7, lambda: asked.append(1))
    plan = plan_of(tmp_path / "run", tmp_path / "tokens", engine=engine)
    with pytest.raises(PreflightError) as caught:
        run(replace(plan, tasks=plan.tasks[:1]))
    assert str(caught.value) == (
        "naming with method blocks: 5 tokens + 4 new, and backbone 'llm' reads 7; neither of them "
        "has a setting for it."
    )
    assert not asked
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_all_that_is_too_long_is_said_at_once_with_what_shortens_it(tmp_path):
    plan = plan_of(
        tmp_path / "run",
        tmp_path / "tokens",
        engine=Ruler(7),
        methods=(method(Short), method(Fine)),
    )
    plan.tasks[1].task.shortened_by = ("ways",)
    with pytest.raises(PreflightError) as caught:
        run(plan)
    head, *lines = str(caught.value).splitlines()
    assert head == "5 kinds of prompts are too long:"
    assert len(lines) == 5
    assert lines[0] == (
        "  naming with method blocks: 5 tokens + 4 new, and backbone 'llm' reads 7; shorten it "
        "with method.blocks.levels or method.blocks.cells."
    )
    assert re.fullmatch(
        r"  mending \(oracle_context\) with method blocks: 6 tokens .*; shorten it with "
        r"method\.blocks\.levels, method\.blocks\.cells or task\.mending\.ways\.",
        lines[1],
    )
    assert "method fine" in lines[2]
    assert lines[2].endswith("shorten it with task.mending.ways.")


class Pure(Blocks):
    """Tokens of an image are the same in any company."""

    def tokenize(self, images, sizes):
        grids = [super(Pure, self).tokenize(one[None], sizes).grid("local") for one in images]
        return VisualTokens({"local": Grid(torch.cat(grids))})


@pytest.mark.parametrize("limit", [None, 100])
def test_no_number_is_another_for_it(tmp_path, limit):
    without, looked = (
        run(
            plan_of(
                tmp_path / name, tmp_path / f"{name}-kept", engine=engine, methods=(method(Pure),)
            )
        )
        for name, engine in (("without", Hashing()), ("looked", Ruler(limit)))
    )
    assert plain(without) == plain(looked)
    counts = [made.manifest.tokenizer["blocks"] for made in (without, looked)]
    assert counts[0].images == counts[1].images


def test_each_method_task_and_protocol_is_measured_once_in_its_first_wave(tmp_path):
    engine = Ruler()
    run(plan_of(tmp_path / "run", tmp_path / "tokens", engine=engine))
    assert len(engine.measured) == 1 + 2 * 2


def test_what_has_begun_is_not_measured_again(tmp_path):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) > 2:
            raise Interrupted

    plan = plan_of(tmp_path / "run", tmp_path / "tokens", engine=Ruler(None, stop))
    with pytest.raises(Interrupted):
        run(plan)
    again = Ruler()
    stored = run(replace(plan, engine=again))
    assert stored.manifest.status == "finished"
    assert len(again.measured) == 4
    idle = Ruler(1)
    run(replace(plan, engine=idle))
    assert not idle.measured


@pytest.mark.parametrize("fails", ["tokenize", "prompt"])
def test_what_fails_by_itself_is_left_to_the_run(tmp_path, fails):
    kind = type("Silent", (Silent,), {"fails": fails})
    engine = Ruler(1)
    stored = run(
        plan_of(tmp_path / "run", tmp_path / "tokens", engine=engine, methods=(method(kind),))
    )
    assert not engine.measured
    assert {f.samples for f in stored.manifest.failures if f.method} == {4}
