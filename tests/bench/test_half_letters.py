"""Lone halves of letters (surrogates), which no file can hold, wherever a run has texts."""

import json
from dataclasses import replace

import pytest
from runner_world import Blocks, Naming, Ways, method, picture, plain, plan_of

from frostbench.bench.leaderboard import build, write
from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.rescore import score
from frostbench.bench.runner.run import run
from frostbench.plugins import TextPrediction
from frostbench.plugins.contract.task import Unreadable

HALF = "\udcff"


class Halves(Naming):
    """The task with half a letter in ids, clusters, options, targets and errors."""

    def instances(self, data, limit, seed):
        for i, one in enumerate(super().instances(data, limit, seed)):
            if i == 3:
                yield Unreadable(f"{i}{HALF}", None, f"cannot read {HALF}")
                continue
            asked = one.request
            options = tuple(f"{name}{HALF}" for name in asked.options)
            asked = replace(asked, id=f"{i}{HALF}", options=options)
            yield replace(one, request=asked, target=f"{one.target}{HALF}", cluster=HALF)


class Cutting(Blocks):
    """Fails once, and answers and draws words with half a letter."""

    def decode(self, requests, outcomes):
        if any(request.id.startswith("1") for request in requests):
            raise ValueError(f"no word {HALF}")
        return [TextPrediction(f"{said}{HALF}") for said in outcomes]

    def words(self, tokens):
        return {f"local{HALF}": [[HALF]]}


class Watching:
    name = "watching"

    def started(self, manifest):
        pass

    def scored(self, record):
        return {HALF: 1.0}

    def finished(self, manifest):
        raise ValueError(HALF)


@pytest.fixture
def plan(tmp_path):
    plan = plan_of(tmp_path / "run", tmp_path / "tokens", methods=(method(Cutting),))
    task = PlannedTask(Halves(Ways()), lambda: picture, 4, {"ways": 2, "said": HALF})
    return replace(plan, tasks=(task,), observers=(Watching(),))


def test_half_a_letter_ends_no_run_and_no_leaderboard(plan, tmp_path):
    done = run(plan)
    assert done.manifest.status == "finished"
    assert done.manifest.tasks["naming"].complete
    records = done.records()
    assert {record.sample for record in records} == {rf"{i}\udcff" for i in range(4)}
    assert any(r"no word \udcff" in (record.error or "") for record in records)
    assert any((record.prediction.text or "").endswith(r"\udcff") for record in records)
    assert any(1.0 in record.scores.values() for record in records)
    write(build([done]), [done], tmp_path / "board")
    assert json.loads((tmp_path / "board" / "leaderboard.json").read_bytes())


def test_a_run_with_half_a_letter_resumes_and_scores_as_it_was(plan):
    first = plain(run(plan))
    again = run(plan)
    assert plain(again) == first
    assert again.manifest.last_session.samples == 0
    done = score(plan.out, plan.metrics)
    assert set(done.changed.values()) == {(0, 0.0)}, done
