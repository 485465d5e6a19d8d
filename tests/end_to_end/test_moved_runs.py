"""A run that used a plugin file is scored and verified wherever it and the file are now."""

import shutil
from dataclasses import replace
from pathlib import Path

import blank_method
import pytest

from frostbench.bench.cli import main
from frostbench.bench.store.sealed import read_sealed, write_sealed

METRIC = '''

def gap(prediction, target):
    """How far the means of two images lie apart."""
    return abs(float(prediction.pixels.mean() - target.pixels.mean()))


@hookimpl
def frostbench_metrics():
    from frostbench.plugins import MetricFacts

    return [Offer(MetricFacts("gap[mean]", direction="lower"), gap)]
'''
METRICS = "task.reconstruction.metrics=psnr[rgb],gap[mean]"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A run of a method and a metric in one file, which is not where it was any more."""
    before = tmp_path_factory.mktemp("before")
    text = Path(blank_method.__file__).read_text() + METRIC
    plugin = before / "mine.py"
    plugin.write_text(text)
    words = ("methods=blank", "tasks=reconstruction", "limit=2", "controls=false", "quiet=true")
    asked = [*words, METRICS, f"plugins={plugin}", f"cache={before}/kept", f"out={before}/lr=0.1"]
    assert main(["run", *asked]) == 0
    plugin.unlink()
    after = tmp_path_factory.mktemp("after")
    shutil.move(before / "lr=0.1", after / "lr=0.1")
    (after / "named_anew.py").write_text(text)
    return after


@pytest.fixture
def moved(world, monkeypatch):
    monkeypatch.chdir(world)


@pytest.mark.usefixtures("moved")
def test_a_run_is_scored_without_its_method(capsys):
    assert main(["score", "lr=0.1"]) == 1  # a metric of the file stays as it was
    said = capsys.readouterr()
    assert "2 samples scored again\n  psnr[rgb]: 0 samples" in said.out
    assert said.out.count("gap[mean]") == 1
    assert "this run used the plugin file mine.py" in said.err


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize("command", ["score", "verify"])
def test_a_plugin_is_taken_from_the_path_that_is_given(command, capsys):
    assert main([command, "lr=0.1", "plugins=named_anew.py"]) == 0
    said = capsys.readouterr().out
    if command == "verify":
        assert "holds  plugin file named_anew.py: the code is that of the run." in said
    else:
        assert "gap[mean]: 0 samples score other than before" in said


@pytest.mark.usefixtures("moved")
def test_another_plugin_in_its_place_is_told(world, capsys):
    (world / "other").mkdir()
    changed = (world / "named_anew.py").read_text() + "# changed\n"
    (world / "other" / "mine.py").write_text(changed)
    assert main(["verify", "lr=0.1", "plugins=other/mine.py"]) == 0  # its numbers are the same
    said = capsys.readouterr().out
    assert "holds  plugin file mine.py: the code is not that of the run" in said
    assert "(method blank, metric gap[mean])" in said
    assert "\n       +# changed\n" in said
    assert f"{Path('lr=0.1', 'plugins', 'mine.py')}" in said


@pytest.mark.usefixtures("moved")
def test_a_run_keeps_the_plugin_file_that_it_used(world, capsys):
    kept = Path("lr=0.1", "plugins", "mine.py")
    assert kept.read_text() == (world / "named_anew.py").read_text()
    assert main(["verify", "lr=0.1"]) == 2
    assert f"{kept.parent} keeps what it used" in capsys.readouterr().err
    assert main(["verify", "lr=0.1", f"plugins={kept}"]) == 0
    assert "the code is that of the run" in capsys.readouterr().out


def without_a_sample(run):
    (path,) = run.glob("sealed/*.parquet")
    write_sealed(path, read_sealed(path)[1:])


def with_a_better_score(run):
    (path,) = run.glob("sealed/*.parquet")
    first, *others = read_sealed(path)
    write_sealed(path, [replace(first, scores={**first.scores, "gap[mean]": 0.125}), *others])


def without_a_file(run):
    (path,) = run.glob("sealed/*.parquet")
    path.unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (without_a_sample, "sealed/reconstruction.parquet lacks samples"),
        (with_a_better_score, "sealed/reconstruction.parquet was changed after it was sealed"),
        (without_a_file, "sealed/reconstruction.parquet is gone"),
    ],
)
def test_verify_tells_what_was_done_to_what_is_stored(world, tmp_path, capsys, harm, said):
    shutil.copytree(world / "lr=0.1", tmp_path / "run")
    harm(tmp_path / "run")
    asked = ["verify", str(tmp_path / "run"), f"plugins={world / 'named_anew.py'}", "samples=1"]
    assert main(asked) == 1
    assert f"DOES NOT HOLD  sealed: {said}" in capsys.readouterr().out.replace(
        "was changed after it was sealed; sealed/reconstruction.parquet lacks", "lacks"
    )


@pytest.mark.usefixtures("moved")
def test_what_is_scored_again_is_sealed_again(world, tmp_path, capsys):
    shutil.copytree(world / "lr=0.1", tmp_path / "run")
    asked = [str(tmp_path / "run"), "plugins=named_anew.py"]
    with_a_better_score(tmp_path / "run")
    assert main(["score", *asked]) == 0
    assert main(["verify", *asked]) == 0


@pytest.mark.usefixtures("moved")
def test_a_run_is_scored_with_its_pack_elsewhere(world, capsys):
    manifest = world / "lr=0.1" / "manifest.json"
    kept = manifest.read_text()
    manifest.write_text(kept.replace('"pack": "mini"', '"pack": "gone/mini"'))
    try:
        assert main(["score", "lr=0.1", "plugins=named_anew.py"]) == 2
        assert "score RUN pack=" in capsys.readouterr().err
        assert main(["score", "lr=0.1", "plugins=named_anew.py", "pack=mini"]) == 0
        assert main(["verify", "lr=0.1", "plugins=named_anew.py", "pack=mini"]) == 0
    finally:
        manifest.write_text(kept)
