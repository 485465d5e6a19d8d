"""What again=true begins anew is set aside, so that the two can be held against one another."""

import shutil
from dataclasses import replace

import pytest
from runner_world import Hashing, plain, plan_of

from frostbench.bench.cli import main
from frostbench.bench.comparison import compared_runs
from frostbench.bench.runner.run import run
from frostbench.bench.store import previous
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.previous import previous_of, set_aside
from frostbench.bench.store.reader import open_run


@pytest.fixture
def plan(tmp_path):
    return plan_of(tmp_path / "run", tmp_path / "tokens")


def test_again_keeps_the_run_before_beside_it(plan, capsys):
    before = plain(run(plan))
    again = replace(plan, again=True)
    assert plain(run(again)) == before
    kept = open_run(previous_of(plan.out))
    assert plain(kept) == before
    assert all(kept.blobs.intact(name) for record in kept.records() for name in record.blobs)
    same = compared_runs(kept, open_run(plan.out), ("before", "now"))
    assert {one.outcome for one in same.contrasts} == {"same"}
    assert main(["compare", str(plan.out), "previous=true"]) == 0
    assert "answers and their scores are the same" in capsys.readouterr().out


def test_a_rerun_in_other_batches_shows_what_drifted(plan):
    run(plan)
    # Answers depend on the company in which prompts come.
    run(replace(plan, again=True, chunk=2, config={"seed": 0, "chunk": 2}))
    drifted = compared_runs(open_run(previous_of(plan.out)), open_run(plan.out), ("a", "b"))
    assert [(one.name, [d.place for d in one.differences]) for one in drifted.subjects] == [
        ("batching", [("chunk",)])
    ]
    assert any(one.answers for one in drifted.contrasts)


def test_only_the_last_run_is_kept_and_nothing_of_one_without_samples(plan):
    run(plan)
    set_aside(plan.out)
    first = plain(run(replace(plan, seed=3)))
    set_aside(plan.out)
    assert plain(open_run(previous_of(plan.out))) == first
    run(plan)
    shutil.rmtree(plan.out / "sealed")
    assert set_aside(plan.out) is None
    assert plain(open_run(previous_of(plan.out))) == first


def test_killed_while_it_is_set_aside_it_goes_on(plan, monkeypatch):
    before = plain(run(plan))
    moves = []

    def twice_only(source, target):
        if len(moves) == 2:
            raise KeyboardInterrupt
        moves.append(source)
        shutil.move(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(previous.os, "replace", twice_only)
        with pytest.raises(KeyboardInterrupt):
            set_aside(plan.out)
    with pytest.raises(StoreError, match="has no run before it"):
        previous_of(plan.out)
    run(replace(plan, again=True))
    assert plain(open_run(previous_of(plan.out))) == before


def test_a_folder_of_somebody_else_is_not_taken(plan):
    before = plain(run(plan))
    kept = plan.out.with_name("run.previous")
    kept.mkdir()
    (kept / "thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match=r"holds 'thesis\.tex'; move it away"):
        run(replace(plan, again=True, engine=Hashing()))
    assert plain(open_run(plan.out)) == before
    assert (kept / "thesis.tex").read_text() == "mine"


def test_the_plugin_files_of_the_run_before_go_with_it(plan):
    run(plan)
    (plan.out / "plugins").mkdir(exist_ok=True)
    (plan.out / "plugins" / "mine.py").write_text("mine = 1\n")
    run(replace(plan, again=True))
    assert (previous_of(plan.out) / "plugins" / "mine.py").read_text() == "mine = 1\n"
    assert not (plan.out / "plugins" / "mine.py").exists()
