"""What a run finds in its folder and in its data."""

from dataclasses import replace

import pytest
from runner_world import Naming, Ways, picture, plain, plan_of

from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.run import run
from frostbench.bench.store.atomic import StoreError


class Empty(Naming):
    def instances(self, data, limit, seed):
        return iter(())


@pytest.fixture
def plan(tmp_path):
    return plan_of(tmp_path / "run", tmp_path / "tokens")


def test_data_without_a_sample_are_no_finished_task(plan):
    empty = PlannedTask(Empty(Ways()), lambda: picture, 4, {"ways": 2})
    done = run(replace(plan, tasks=(empty, plan.tasks[1])))
    assert not done.manifest.tasks["naming"].complete
    assert done.manifest.tasks["mending"].complete
    assert "hold no sample" in done.manifest.failures[0].error
    assert done.failed
    assert not run(plan).failed


def test_what_a_system_leaves_in_a_run_is_no_part_of_it(plan):
    plan.out.mkdir()
    (plan.out / ".DS_Store").write_bytes(b"\0")
    first = plain(run(plan))
    for folder in ("sealed", "samples", "workers", "tokens"):
        (plan.out / folder).mkdir(exist_ok=True)
        for end in (".parquet", ".jsonl", ".json", ".safetensors"):
            (plan.out / folder / f"._x{end}").write_bytes(b"\0\5\x16\7")
    again = run(plan)
    assert plain(again) == first
    assert again.manifest.last_session.samples == 0


def test_a_run_whose_data_failed_whole_is_failed_and_blocks_no_folder(plan):
    def gone():
        raise ValueError("pictures are gone")

    naming = replace(plan.tasks[0], data=gone)
    done = run(replace(plan, tasks=(naming,), config={"seed": 0}))
    assert done.manifest.status == "failed"
    assert "pictures are gone" in done.manifest.failures[0].error
    other = run(replace(plan, tasks=plan.tasks[1:], seed=3, config={"seed": 3}))
    assert other.manifest.status == "finished"
    assert {record.task for record in other.records()} == {"mending"}
    with pytest.raises(StoreError, match="holds a run of another configuration"):
        run(plan)
