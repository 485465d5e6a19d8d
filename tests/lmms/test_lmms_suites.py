"""Our suites as tasks of lmms-eval: the same numbers by both ways, and other models among them."""

import json
import math
import sys
from pathlib import Path

import lmms_files
import pytest
from evaluating import evaluated

from frostbench.bench.cli import main

pytestmark = [pytest.mark.lmms, pytest.mark.filterwarnings("default")]

ASKED = {
    "v2l": "object_hallucination,inpainting,few_shot_classification,captioning,reconstruction",
    "flmm": "referring_segmentation,visual_chain_of_thought",
    "visionllm": "object_detection,visual_grounding",
}


def manager(folder):
    from lmms_eval.tasks import TaskManager

    return TaskManager("ERROR", include_path=str(folder), include_defaults=False)


def named(row):
    plain = "".join(one if one.isalnum() or one in "-." else "_" for one in row["protocol"] or "")
    return "_".join(filter(None, ("frostbench", row["task"], plain)))


@pytest.mark.parametrize("method", ASKED)
def test_a_method_has_the_same_numbers_by_both_ways(method, tmp_path):
    words = [f"tasks={ASKED[method]}", "limit=2"]
    assert main(["lmms-tasks", *words, "out=theirs"]) == 0
    assert (
        main(["run", *words, f"methods={method}", "controls=false", "quiet=true", "out=ours"]) == 0
    )
    assert main(["leaderboard", "ours", "out=board"]) == 0
    results, _ = evaluated(
        f"frostbench_{method}", ["frostbench"], manager(tmp_path / "theirs"), tmp_path / "saved"
    )
    rows = json.loads(Path("board/leaderboard.json").read_text())["rows"]
    measured = [row for row in rows if row["kind"] == "measured"]
    for row in measured:
        found = results[named(row)][f"{row['metric']},none"]
        assert found == row["value"] or (row["value"] is None and math.isnan(found)), row
    assert len(measured) >= 8
    assert all(results[named(row)]["unreadable[share],none"] == 0 for row in measured)


OTHER = '''
from lmms_eval.api.model import lmms


class Other(lmms):
    """Says yes to all, and boxes the whole image."""

    is_simple = True

    def __init__(self, **given):
        super().__init__()

    def generate_until(self, requests):
        said = []
        for one in requests:
            text, _, visuals, number, task, split = one.args
            (image,) = visuals(self.task_dict[task][split][number])[-1:]
            box = '{"boxes": [[0, 0, %d, %d]]}' % image.size
            said.append(box if "box" in text else "yes")
        return said

    def loglikelihood(self, requests):
        raise NotImplementedError

    def generate_until_multi_round(self, requests):
        raise NotImplementedError
'''


def test_another_model_is_asked_and_scored_on_those_that_read_text_or_boxes(tmp_path, monkeypatch):
    from lmms_eval.models import MODEL_REGISTRY_V2
    from lmms_eval.models.registry_v2 import ModelManifest

    (tmp_path / "other_model.py").write_text(OTHER)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = ModelManifest("other", simple_class_path="other_model.Other")
    MODEL_REGISTRY_V2.register_manifest(path, overwrite=True)
    tasks = "tasks=object_hallucination,visual_grounding,referring_segmentation"
    assert main(["lmms-tasks", tasks, "limit=2", "out=theirs"]) == 0
    results, _ = evaluated("other", ["frostbench"], manager("theirs"), tmp_path / "saved")
    assert results["frostbench_object_hallucination_random"]["yes[pope],none"] == 1.0
    located = results["frostbench_visual_grounding"]
    assert located["unreadable[share],none"] == 0
    assert located["p@0.5[sentences-iou>=0.5],none"] == 0
    # "yes" is no mask: counted, and not scored.
    masks = results["frostbench_referring_segmentation_standard"]
    assert masks["unreadable[share],none"] == 1
    assert "miou[phrases],none" not in masks
    assert sys.modules.pop("other_model")


def test_a_users_own_data_are_asked_from_anywhere(tmp_path, monkeypatch):
    photos = tmp_path / "photos"
    photos.mkdir()
    for level in range(3):
        lmms_files.shade(80 * level).resize((80, 80)).save(photos / f"{level}.png")
    words = ["tasks=reconstruction", "data.images=photos", "limit=3", "out=theirs"]
    assert main(["lmms-tasks", *words]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    given = {"method": "bright", "plugins": lmms_files.PLUGIN}
    folder = tmp_path / "saved"
    results, _ = evaluated(
        "frostbench", ["frostbench"], manager(tmp_path / "theirs"), folder, **given
    )
    assert results["frostbench_reconstruction"]["psnr[rgb],none"] == 100.0
