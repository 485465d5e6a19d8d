import copy
from types import SimpleNamespace

import pytest

from frostbench.bench.leaderboard import build, write
from frostbench.bench.leaderboard.stored import Manifest, MetricInfo
from frostbench.bench.statistics import Bootstrap, Bounds


@pytest.fixture
def run(synthetic):
    """A run in which v2l has an adapter for inpainting."""
    stored = synthetic(samples=6)
    manifest = copy.deepcopy(stored.manifest)
    manifest["methods"]["v2l"]["adapters"] = ["inpainting"]
    opened = {name: getattr(stored, name) for name in ("records", "blob", "image", "array")}
    return SimpleNamespace(manifest=manifest, **opened)


def test_a_method_with_an_adapter_is_marked_in_its_task_and_nowhere_else(run, tmp_path):
    leaderboard = build([run], Bootstrap(replicates=20))
    marked = {(row.method, row.task) for row in leaderboard.rows if row.adapter}
    assert marked == {("v2l", "inpainting")}
    write(leaderboard, [run], tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    groups = len({row.protocol for row in leaderboard.rows if row.adapter})
    assert page.count(">adapter</span>") == groups
    table = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert table.count("| v2l (adapter) |") == groups


def test_a_metric_of_the_packs_networks_goes_with_those_that_it_looks_with(run):
    def identity(metric, role):
        raw = copy.deepcopy(run.manifest)
        raw["backbones"][role] = {"sha256_before": "00" * 32}
        manifest = Manifest.of(raw)
        info = MetricInfo(metric, True, "", Bounds(None, None), False)
        return manifest.identity(manifest.tasks["inpainting"], info)

    for metric, roles in (
        ("clip_score[mini]", {"clip"}),
        ("clip_score_relative[mini]", {"clip", "llm"}),
        ("lpips[mini]", {"perceptual"}),
        ("psnr[rgb]", set()),
    ):
        same = identity(metric, "nobody")
        assert {
            role for role in ("clip", "llm", "perceptual") if identity(metric, role) != same
        } == (roles)
