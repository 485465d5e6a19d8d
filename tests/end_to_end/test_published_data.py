"""Published layouts, in trees of a few files, through the command line."""

import blank_method
import pytest
from pictures import picture

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The ids of the samples of a run of a method that costs nothing, and what was shown."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words):
        out = tmp_path / "run"
        plain = ["methods=blank", "controls=false", "quiet=true", "limit=2", f"out={out}"]
        assert main(["run", f"plugins={blank_method.__file__}", *plain, *words]) == 0
        stored = open_run(out)
        assert stored.manifest.failures == ()
        return stored.records()

    return run


def save(path, seed=0, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(*size, seed=seed).save(path)


def test_imagenet_is_restored_and_classified(tmp_path, asked):
    data = tmp_path / "imagenet"
    lines = []
    for number in range(9):
        name = f"val/ILSVRC2012_val_{9 - number:08d}.JPEG"
        save(data / name, number)
        lines.append(f"{name},{number % 3}\n")
    (data / "class_labels.txt").write_text("".join(lines))
    found = asked(
        f"data.imagenet_val.folder={data}",
        "data.imagenet_val.side=32",
        "data.imagenet_val.first=8",
        "tasks=reconstruction,few_shot_classification",
        "task.reconstruction.metrics=['ssim[rgb]']",
        "task.few_shot_classification.ways=[2]",
        "task.few_shot_classification.shots=[1]",
    )
    assert {record.task for record in found} == {"reconstruction", "few_shot_classification"}
    assert all(record.scores for record in found)
    assert [one.cluster for one in found if one.task == "reconstruction"] == [
        "val/ILSVRC2012_val_00000009.JPEG",
        "val/ILSVRC2012_val_00000008.JPEG",
    ]
