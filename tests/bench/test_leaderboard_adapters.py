from dataclasses import replace

import pytest
from boards import all_pages
from stored_runs import changed

from frostbench.bench.leaderboard import build, write
from frostbench.bench.leaderboard.identity import row_identity
from frostbench.bench.store.manifest import BackboneFacts, MetricEntry


@pytest.fixture
def run(synthetic):
    """A run in which v2l has an adapter for inpainting."""
    stored = synthetic(samples=6)
    manifest = stored.manifest.with_method("v2l", adapters=("inpainting",))
    return changed(stored, manifest=manifest)


def test_a_method_with_an_adapter_is_marked_in_its_task_and_nowhere_else(run, tmp_path):
    leaderboard = build([run])
    marked = {(row.method, row.task) for row in leaderboard.rows if row.adapter}
    assert marked == {("v2l", "inpainting")}
    write(leaderboard, [run], tmp_path)
    page = all_pages(tmp_path)
    groups = len({row.protocol for row in leaderboard.rows if row.adapter})
    assert page.count(">adapter</span>") == 2 * groups  # on the pages of the suite and of the task
    table = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert table.count("| v2l (adapter) |") == groups


@pytest.mark.parametrize("networks", [(), ("clip",), ("clip", "llm"), ("perceptual",)])
def test_a_metric_of_the_packs_networks_goes_with_those_that_it_looks_with(run, networks):
    def identity_with(role):
        other = BackboneFacts("", "", "", 1, "00" * 32)
        manifest = replace(run.manifest, backbones={**run.manifest.backbones, role: other})
        metric = MetricEntry("any", networks=networks)
        return row_identity(manifest, manifest.tasks["inpainting"], metric)

    roles = ("clip", "llm", "perceptual")
    assert {role for role in roles if identity_with(role) != identity_with("nobody")} == {*networks}
