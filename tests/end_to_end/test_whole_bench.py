"""Methods of every kind, on what is asked in words: nothing that is planned fails."""

import json

import pytest

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run

TASKS = (
    "captioning",
    "visual_question_answering",
    "referring_segmentation",
    "narrative_grounding",
    "object_hallucination",
    "visual_chain_of_thought",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    words = [
        "methods=v2l,lm4lv,flmm",
        "limit=2",
        "quiet=true",
        f"cache={out / 'tokens'}",
        f"out={out / 'run'}",
    ]
    assert main(["run", f"tasks={','.join(TASKS)}", *words]) == 0
    return out / "run"


def test_every_method_and_every_control_answers_or_says_why_not(run):
    manifest = json.loads((run / "manifest.json").read_text())
    assert not manifest["failures"]
    assert len(open_run(run).records()) > 0


def test_masks_are_scored_again_without_a_model(run, monkeypatch):
    def none(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("frostbench.plugins.backbones.shared.SharedBackbones.get", none)
    assert main(["score", str(run)]) == 0
