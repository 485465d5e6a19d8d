"""Metrics that look through any one of a pack's networks of a kind."""

import json
import shutil

import pytest

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.packs import embedded_pack

ASKED = ("run", "methods=v2l", "tasks=semantic_interpretation", "limit=2", "quiet=true")


@pytest.fixture
def pack(tmp_path):
    """The pack `mini` with its CLIP in three roles, one of them named."""
    mini = embedded_pack("mini")
    said = json.loads((mini / "pack.json").read_text())
    for part in (*said["backbones"].values(), *said["alternatives"]["llm"].values()):
        part["source"] = str(mini / part["source"])
    for part in said["methods"].values():
        part["weights"] = str(mini / part["weights"])
    said["data"] = {name: str(mini / place) for name, place in said["data"].items()}
    clip = said["backbones"]["clip"]
    said["backbones"]["eyes"] = {**clip, "name": "other-eyes"}
    said["backbones"]["more"] = clip
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "pack.json").write_text(json.dumps(said))
    yield folder
    shutil.rmtree(folder)


def test_each_clip_of_a_pack_scores_under_its_own_name(pack, tmp_path):
    names = ["clip_score[mini]", "clip_score[other-eyes]", "clip_score_relative[more]"]
    metrics = f"task.semantic_interpretation.metrics={names}".replace(" ", "")
    out = tmp_path / "run"
    assert main([*ASKED, f"pack={pack}", metrics, f"cache={tmp_path}", f"out={out}"]) == 0
    manifest = open_run(out).manifest
    assert [manifest.metrics[name].networks for name in names] == [
        ("clip",),
        ("eyes",),
        ("more", "llm"),
    ]
    assert manifest.tasks["semantic_interpretation"].ranks_by == names[0]
    assert main(["score", str(out)]) == 0


def test_a_clip_that_a_pack_does_not_have_is_one_sentence(pack, tmp_path, capsys):
    metrics = "task.semantic_interpretation.metrics=['clip_score[vit-l-14]']"
    assert main([*ASKED, f"pack={pack}", metrics, f"out={tmp_path / 'run'}"]) == 2
    said = capsys.readouterr().err
    assert "no metric named 'clip_score[vit-l-14]'" in said
    assert "clip_score[other-eyes]" in said
