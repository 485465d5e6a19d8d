"""From a folder of official files to every published table, by commands alone.

Stand-ins have the official layouts, random weights and reduced sizes. What the command line adds to
a preset is a size that a reduced network needs, and the number of samples.
"""

import json
from dataclasses import dataclass

import official_root
import pytest

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.registry import Host

V2L = ("method.v2l.image_size=32",)
WHOLE = ("data.imagenet_val.side=32", *V2L)
# Restorations disturb up to half of an image's codes and global words; here it has 16 codes.
FEW = (*WHOLE, "method.v2l.global_tokens=5")
VQGAN = ("data.imagenet_val.side=32", "method.vqgan.image_size=32")


@dataclass
class Table:
    """What a preset gives of the stand-ins: samples, and what is measured of each task.

    `sizes` are what reduced networks need, `reported` what the papers report of it.
    """

    samples: int
    measured: dict[str, set[str]]
    sizes: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    limit: int = 2


RESTORED = {"fid[inception-v2l]", "lpips[alex-v2l]", "psnr[y]"}
TASKS = ("deblurring", "rotation", "shift", "inpainting", "outpainting")
RFID = {"reconstruction": {"fid[inception-v3-pt]", "psnr[rgb]"}}
RECALL = {f"average_recall[{g}]" for g in ("all", "things", "stuff", "singulars", "plurals")}
WORDS = {"clip_score[paper]", "clip_score_relative[paper]"}
SHOTS = {"few_shot_classification": {"accuracy[prefix]"}}
MASKS = {"ciou[pixels]", "miou[phrases]", "p@0.5[phrases]"}
POPE = {f"{name}[pope]" for name in ("accuracy", "f1", "precision", "recall", "yes")}
VQA = {"accuracy[vqa]", "accuracy[vqa-exact]"}

TABLES = {
    "v2l-table1": Table(2, SHOTS, V2L, ("accuracy[prefix]",)),
    "v2l-table2": Table(2, {"semantic_interpretation": WORDS}, WHOLE),
    "v2l-table3": Table(2, {"reconstruction": RESTORED}, WHOLE, ("fid[inception-v2l]",)),
    "v2l-table4": Table(5, dict.fromkeys(TASKS, RESTORED), FEW, limit=1),
    "v2l-captions": Table(2, {"captioning": {"cider-d[corpus]", "bleu-4[corpus]"}}, V2L),
    "v2l-questions": Table(2, {"visual_question_answering": VQA}, V2L),
    "vqgan-rfid": Table(2, RFID, VQGAN, ("fid[inception-v3-pt]",)),
    "vqgan-rfid-16384": Table(2, RFID, VQGAN, ("fid[inception-v3-pt]",)),
    "vqgan-rfid-gumbel": Table(2, RFID, VQGAN, ("fid[inception-v3-pt]",)),
    "lqae-few-shot": Table(2, SHOTS),
    "lm4lv-denoising": Table(2, {"denoising": {"psnr[rgb-crop4]", "ssim[rgb-crop4]"}}),
    "flmm-refcoco": Table(1, {"referring_segmentation": MASKS}, (), ("ciou[pixels]",)),
    "flmm-png": Table(1, {"narrative_grounding": RECALL}, (), ("average_recall[all]",)),
    "flmm-viscot": Table(3, {"visual_chain_of_thought": {*VQA, "p@0.5[box]"}}, limit=1),
    "flmm-pope": Table(6, {"object_hallucination": POPE}),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where runs go, after `frostbench pack paper root=FOLDER` of all official files."""
    home = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        (home / "official").mkdir()
        official_root.fill(home / "official")
        assert main(["pack", "paper", f"root={home / 'official'}"]) == 0
        yield home


def table_of(home, name):
    """The stored run of a preset, which is run if nobody did."""
    out = home / "runs" / name
    if not out.exists():
        table = TABLES[name]
        asked = [f"preset={name}", f"limit={table.limit}", "controls=false", "quiet=true"]
        assert main(["run", *asked, *table.sizes, f"out={out}"]) == 0
    return open_run(out)


def test_every_preset_has_its_row_here_and_all_its_files(home, capsys):
    presets = Host().presets.items()
    assert set(TABLES) == {name for name, item in presets if item.card.command == "run"}
    assert main(["pack", "paper", f"root={home / 'official'}"]) == 0
    said = capsys.readouterr().out
    assert all(f"preset {name}: can be run" in said for name in TABLES)
    assert said.count("there, converted before") == 8
    pack = json.loads((home / "official" / "pack.json").read_text())
    assert pack["methods"]["lm4lv"] == {"weights": "converted/lm4lv"}
    assert pack["metric_weights"]["alex"] == official_root.ALEXNET


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_one_command_and_its_parity_another(home, name, capsys):
    wanted = TABLES[name]
    run = table_of(home, name)
    assert run.manifest.pack.name == "paper"
    assert run.manifest.failures == ()
    records = list(run.records())
    assert len(records) == wanted.samples
    assert {record.task for record in records} == set(wanted.measured)
    for task, metrics in wanted.measured.items():
        assert metrics <= set(run.manifest.tasks[task].metrics)
    departures = run.manifest.config["departures"]
    assert [one.split(" is ")[0] for one in departures] == [
        word.split("=")[0] for word in wanted.sizes
    ]
    capsys.readouterr()
    assert main(["parity", str(run.folder)]) == 0
    said = capsys.readouterr().out
    assert all(f"| {metric} | " in said for metric in wanted.reported)
    if not wanted.reported:
        assert "nothing is reported that the preset" in said


def test_a_control_that_official_weights_cannot_make_is_left_out_with_its_reason(home, capsys):
    out = home / "runs" / "controls"
    asked = ["preset=lm4lv-denoising", "limit=1", "quiet=true", f"out={out}"]
    assert main(["run", *asked]) == 0
    run = open_run(out)
    (left,) = [one for one in run.manifest.controls_left_out if one.control == "no_llm"]
    assert (left.method, left.task) == ("lm4lv", "denoising")
    assert "official files, which hold no linear map" in left.reason
    shown = {(record.method, record.control) for record in run.records()}
    assert ("lm4lv", "no_llm") not in shown
    assert (None, "copy") in shown
    assert not any(record.status == "failed" for record in run.records())
    assert main(["show", str(out), "all=true"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "of lm4lv, which was converted from official files" in said


def test_all_tables_are_one_leaderboard(home, capsys):
    runs = [str(table_of(home, name).folder) for name in ("v2l-table1", "vqgan-rfid", "flmm-png")]
    out = home / "board"
    assert main(["leaderboard", *runs, f"out={out}"]) == 0
    text = (out / "leaderboard.md").read_text()
    assert "## Beside what the papers report" in text
    assert {"v2l", "vqgan", "flmm"} <= {
        row["method"] for row in json.loads((out / "leaderboard.json").read_text())["rows"]
    }
    assert main(["show", runs[0]]) == 0
    assert "accuracy" in capsys.readouterr().out
