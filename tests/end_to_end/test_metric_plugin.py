import json

import pytest
from boards import all_pages

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run

PLUGIN = '''
from frostbench.plugins import MetricFacts, Offer, hookimpl

FACTS = MetricFacts(
    "shade_gap[mean]", unit="levels", lower=0.0, upper=255.0, direction="lower",
    tasks=("reconstruction",),
)
SHARE = MetricFacts(
    "close[mean]", lower=0.0, upper=1.0, percent=True, pooling="ratio", tasks=("reconstruction",)
)

def shade_gap(prediction, target):
    """How far the mean levels of two images lie apart, in levels of 255; lower is better."""
    return 255 * abs(float(prediction.pixels.mean() - target.pixels.mean()))

def close(prediction, target):
    """The share of images whose mean levels lie less than ten levels apart."""
    return float(shade_gap(prediction, target) < 10), 1.0

@hookimpl
def frostbench_metrics():
    return [Offer(FACTS, shade_gap), Offer(SHARE, close)]
'''
NEW = ["close[mean]", "shade_gap[mean]"]


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "shades.py"
    file.write_text(PLUGIN)
    return f"plugins={file}"


def run(tmp_path, *words):
    out = tmp_path / "run"
    asked = ("methods=v2l", "tasks=reconstruction,few_shot_classification", "limit=2")
    assert main(["run", *asked, "quiet=true", f"cache={tmp_path}", f"out={out}", *words]) == 0
    return out


def metrics_of(out):
    manifest = open_run(out).manifest
    return manifest.tasks["reconstruction"].metrics, manifest.metrics


def test_a_strangers_metric_is_listed_with_its_facts(plugin, capsys):
    assert main(["list", "metrics", plugin]) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if "shade_gap" in one)
    for fact in ("levels", "from 0.0", "to 255.0", "lower is better", "reconstruction"):
        assert fact in line
    assert main(["list", "metrics", "--json", plugin]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["metrics"]}
    assert listed["close[mean]"]["percent"] is True
    assert listed["close[mean]"]["pooling"] == "ratio"


def test_a_strangers_metric_is_scored_in_the_tasks_that_its_facts_name(plugin, tmp_path):
    out = run(tmp_path, plugin)
    names, facts = metrics_of(out)
    assert names[0] == "psnr[rgb]"
    assert list(names[-2:]) == NEW
    gap = facts["shade_gap[mean]"]
    assert (gap.unit, gap.lower, gap.upper) == ("levels", 0.0, 255.0)
    assert (gap.direction, gap.higher_is_better, gap.percent) == ("lower", False, False)
    assert (facts["close[mean]"].pooling, facts["close[mean]"].percent) == ("ratio", True)
    for record in open_run(out).records():
        here = record.task == "reconstruction"
        assert ("shade_gap[mean]" in record.scores) is here
        assert ("close[mean]" in record.counts) is here
    assert main(["leaderboard", str(out), f"out={tmp_path / 'board'}"]) == 0
    rows = json.loads((tmp_path / "board" / "leaderboard.json").read_text())["rows"]
    shown = {row["metric"]: row for row in rows if row["method"] == "v2l" and row["samples"]}
    assert 0 <= shown["shade_gap[mean]"]["value"] <= 255
    page = all_pages(tmp_path / "board")
    unit = '<span class="unit">'
    assert f'shade_gap\u200b[mean] {unit}levels <span title="lower is better">' in page
    assert f'close\u200b[mean] {unit}% <span title="higher is better">' in page


def test_a_strangers_metric_is_added_to_a_run_that_is_scored_again(plugin, tmp_path, capsys):
    out = run(tmp_path)
    before = {record.key: record.scores for record in open_run(out).records()}
    assert main(["score", str(out), plugin]) == 0
    names, _ = metrics_of(out)
    assert list(names[-2:]) == NEW
    for record in open_run(out).records():
        assert before[record.key].items() <= record.scores.items()
        assert ("shade_gap[mean]" in record.scores) is (record.task == "reconstruction")
    capsys.readouterr()
    assert main(["score", str(out)]) == 0
    assert (
        "shade_gap[mean]: left as it was, because the metric is missing" in capsys.readouterr().out
    )


def test_a_metric_for_a_task_that_is_not_there_is_refused(plugin, tmp_path, capsys):
    file = tmp_path / "shades.py"
    file.write_text(PLUGIN.replace('("reconstruction",)', '("reconstructon",)'))
    assert main(["run", "methods=v2l", "limit=1", f"plugins={file}", f"out={tmp_path}"]) != 0
    assert "Did you mean 'reconstruction'" in capsys.readouterr().err
