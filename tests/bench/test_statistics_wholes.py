"""Numbers of a whole set that no sum gives."""

import json
import math
from pathlib import Path

import lmms_files
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbench.bench.cli import main
from frostbench.bench.statistics import Inference, Sums, Whole, compare, lifts, ranking
from frostbench.bench.statistics.inference import GROUPS
from frostbench.bench.statistics.wholes import GIVEN
from frostbench.bench.store.reader import open_run

SCORES = st.lists(st.floats(-9, 9).map(lambda x: round(x, 3)), min_size=6, max_size=24)


def whole_of(scores, clusters, number=np.mean):
    names = [f"{place:03d}" for place in range(len(scores))]
    value, lift = lifts(clusters, scores, number)
    return Whole.of(
        zip(names, clusters, zip([value] * len(scores), lift, strict=True), strict=True)
    )


def sums_of(scores, clusters):
    names = [f"{place:03d}" for place in range(len(scores))]
    return Sums.of_means(zip(names, clusters, scores, strict=True))


@given(scores=SCORES)
def test_of_a_mean_they_give_what_sums_give(scores):
    clusters = [f"c{place // 2}" for place in range(len(scores))]
    one, two = whole_of(scores, clusters).estimate(Inference()), sums_of(scores, clusters)
    other = two.estimate(Inference())
    assert one.value == pytest.approx(other.value, abs=1e-12)
    assert (one.samples, one.clusters) == (other.samples, other.clusters)
    if one.low is not None and other.low is not None:
        assert one.low == pytest.approx(other.low, abs=1e-6)
        assert one.high == pytest.approx(other.high, abs=1e-6)


def test_two_rows_far_apart_are_told_apart_as_by_sums():
    draw = np.random.default_rng(0)
    clusters = [f"c{place}" for place in range(30)]
    good, bad = draw.normal(1.0, 0.3, 30).tolist(), draw.normal(0.0, 0.3, 30).tolist()
    (by_whole,) = compare([(whole_of(good, clusters), whole_of(bad, clusters))], Inference())
    (by_sums,) = compare([(sums_of(good, clusters), sums_of(bad, clusters))], Inference())
    assert by_whole.sign == by_sums.sign == 1
    assert by_whole.p == pytest.approx(by_sums.p, abs=0.01)
    assert by_whole.difference.low == pytest.approx(by_sums.difference.low, abs=1e-6)
    ranks = ranking(
        {"good": whole_of(good, clusters), "bad": whole_of(bad, clusters)},
        higher_is_better=True,
        inference=Inference(),
    ).ranks
    assert str(ranks["good"]) == "1"


def test_columns_of_other_samples_are_not_compared():
    one, two = whole_of([1.0, 2.0, 4.0], ["a", "b", "c"]), whole_of([1.0, 2.0], ["a", "b"])
    (found,) = compare([(one, two)], Inference())
    assert found.difference is None
    assert found.p == 1


def test_a_number_that_came_without_its_parts_has_no_interval():
    names = [("a", "x", (0.5, math.nan)), ("b", "y", (0.5, math.nan))]
    assert Whole.of(names).estimate(Inference()).interval.how == GIVEN
    with pytest.raises(ValueError, match="2 numbers"):
        Whole.of([("a", "x", (0.5, 0.0)), ("b", "y", (0.4, 0.0))])


def test_what_cannot_do_without_a_group_has_no_lift_there():
    def pairs_alone(values):
        assert len(values) % 2 == 0
        return float(sum(values))

    value, lift = lifts(["a", "a", "b", "c"], [1, 2, 3, 4], pairs_alone)
    assert value == 10
    assert lift[:2] == [3, 3]
    assert all(math.isnan(one) for one in lift[2:])


def test_many_clusters_are_left_out_in_groups():
    seen = []
    clusters = [f"{place:04d}" for place in range(GROUPS + 30)]
    lifts(clusters, clusters, lambda values: float(seen.append(1) or len(values)))
    assert len(seen) == 1 + GROUPS


PLUGIN = """
from statistics import median
from frostbench.plugins import MetricFacts, Offer, WholeSet, hookimpl

FACTS = MetricFacts("median[shade]", pooling="whole", tasks=("reconstruction",))
ODD = MetricFacts("odd[shade]", tasks=("reconstruction",))

def shade(prediction, target):
    return 255 * float(target.pixels.mean() - prediction.pixels.mean())

def bright_alone(prediction, target):
    return shade(prediction, target) if float(target.pixels.mean()) > 0.5 else None

@hookimpl
def frostbench_metrics():
    return [Offer(FACTS, WholeSet(shade, median)), Offer(ODD, bright_alone)]
"""


def test_a_strangers_number_of_the_whole_is_run_shown_scored_again_and_verified(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "middle.py").write_text(PLUGIN)
    photos = tmp_path / "photos"
    photos.mkdir()
    for level in range(5):
        image = lmms_files.shade(40 * level + 20).resize((80, 80))
        image.paste((0, 0, 0), (0, 0, 10 * level, 40))
        image.save(photos / f"{level}.png")
    plugins = f"plugins=[{lmms_files.PLUGIN},{tmp_path / 'middle.py'}]"
    words = [plugins, "methods=bright", "tasks=reconstruction", f"data.images={photos}"]
    words += ["task.reconstruction.metrics=psnr[rgb]", "limit=5", "quiet=true", "controls=false"]
    words += [f"cache={tmp_path / 'cache'}", "out=run"]
    assert main(["run", *words]) == 0, capsys.readouterr().err
    assert main(["leaderboard", "run", "out=board"]) == 0
    rows = json.loads(Path("board/leaderboard.json").read_text())["rows"]
    found = {row["metric"]: row for row in rows if row["kind"] == "measured"}
    assert found["median[shade]"]["samples"] == 5
    assert found["median[shade]"]["value"] is not None
    assert (found["odd[shade]"]["samples"], found["odd[shade]"]["failed"]) == (1, 0)
    before = [record.whole for record in open_run(Path("run")).records()]
    assert main(["score", "run", plugins]) == 0
    assert [record.whole for record in open_run(Path("run")).records()] == before
    capsys.readouterr()
    assert main(["verify", "run", plugins, f"data.images={photos}"]) == 0, capsys.readouterr().out
