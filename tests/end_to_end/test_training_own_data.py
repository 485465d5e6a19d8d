"""`frostbench train RECIPE data.NAME=...`: one command, and a run folder."""

import csv
import json

import numpy as np
import pytest
from annotation_trees import png, refcoco
from PIL import Image as Pillow

from frostbench.baselines.flmm.weights import load as flmm_of
from frostbench.baselines.vqgan.weights import load as vqgan_of
from frostbench.bench.cli import main
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.sam import Sam
from frostbench.plugins.host.packs import embedded_pack, sha256_of

TINY = [
    "recipe.vqgan.training.steps=4",
    "recipe.vqgan.training.batch=2",
    "recipe.vqgan.training.fit_steps=[]",
    "recipe.vqgan.training.loss.perceptual_weight=0",
    "recipe.vqgan.model.network.channels=8",
    "recipe.vqgan.model.network.multipliers=[1,2]",
    "recipe.vqgan.model.codes=8",
    "recipe.vqgan.validation_batches=1",
    "log_every=2",
]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    draw = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / "photos" / f"n0{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def train(*words, out="runs/one", side=16):
    photos = ["data.images.folder=photos", f"data.images.side={side}"]
    return main(["train", "vqgan", *photos, f"out={out}", *TINY, *words])


def test_a_folder_of_images_trains_vqgan_into_a_run_folder(photos, tmp_path, capsys):
    assert train() == 0
    run = tmp_path / "runs" / "one"
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["status"], manifest["steps"], manifest["seed"]) == ("finished", 4, 0)
    assert manifest["used"]["model"]["codes"] == 8
    assert len(manifest["data"]["images"]) == 64
    assert manifest["versions"]["accelerate"]
    weights = run / "vqgan" / "model.safetensors"
    assert manifest["seals"]["vqgan/model.safetensors"] == sha256_of(weights)
    assert vqgan_of(run / "vqgan").settings.codes == 8
    with (run / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["step"], row["loss"]) for row in rows} >= {("2", "loss"), ("4", "psnr")}
    assert (run / "losses.png").stat().st_size > 1000
    capsys.readouterr()
    assert main(["show", "runs/one"]) == 0
    assert "vqgan, finished, seed 0" in (told := capsys.readouterr().out)
    assert "step 4: loss" in told
    assert main(["leaderboard", "runs/one", "out=board"]) == 2
    assert "it is of a training" in capsys.readouterr().err
    # The same again is done; another seed or other images are another training.
    assert train() == 0
    assert "trained already" in capsys.readouterr().out
    assert train("seed=1") == 2
    assert "its seed is 0, and now 1" in capsys.readouterr().err
    (photos / "more.png").write_bytes((photos / "n00" / "0.png").read_bytes())
    assert train() == 2
    assert "another training: its data is" in capsys.readouterr().err
    assert train("again=true", "seed=1") == 0


def test_a_training_that_ended_midway_goes_on_and_its_losses_stand_once(photos, tmp_path, capsys):
    broken = photos / "n01" / "1.png"
    whole = broken.read_bytes()
    assert train(out="runs/through") == 0
    # What a killed process leaves: a checkpoint, and losses of steps after it.
    assert train("save_every=2", out="runs/cut") == 0
    run = tmp_path / "runs" / "cut"
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "status": "running"}))
    assert train("save_every=2", out="runs/cut") == 0
    through = (tmp_path / "runs" / "through" / "losses.csv").read_text()
    assert (run / "losses.csv").read_text() == through
    broken.write_bytes(whole[: len(whole) // 2])
    assert train("workers=1", out="runs/broken") == 2
    assert "n01/1.png" in capsys.readouterr().err


def test_expressions_and_narratives_train_flmm(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    refcoco(tmp_path / "refer", split="train")
    png(tmp_path / "png")
    words = ["data.refcoco_unc_train=refer", "data.png_val2017=png", "validation.png_val2017=png"]
    sizes = ["training.steps=2", "training.images=2", "widths=[4,8]", "side=8"]
    own = [f"recipe.flmm.{size}" for size in sizes]
    assert main(["train", "flmm", *words, *own, "out=runs/heads", "log_every=1"]) == 0
    manifest = json.loads((tmp_path / "runs/heads/manifest.json").read_text())
    assert set(manifest["data"]) == {"refcoco_unc_train", "png_val2017"}
    assert {name.split()[1] for name in manifest["figures"]} == {"[base]", "[validation]"}
    sam = Sam.load(BackboneEntry("sam", "sam", str(embedded_pack("mini") / "sam")))
    assert flmm_of(tmp_path / "runs/heads/flmm", sam.model).settings.unet.side == 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.images=photos"], "own data train one recipe, which is named"),
        (["mae", "data.images=photos"], "own data train one recipe, which is named"),
        (["vqgan", "validation.images=photos"], "validation.NAME= stands beside data.NAME="),
        (["vqgan", "out=here"], "out= stands beside data.NAME="),
        (["flmm", "data.images=photos"], "trained on 'grounded', and your data give images"),
        (["vqgan", "data.images=nowhere"], "there is no folder 'nowhere'"),
        (["vqgan", "data.images=photos", "out=photos"], "holds something else than a training"),
        (["vqgan", "data.images=photos", "pack=empty"], "needs perceptual, which empty lacks"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_sentence(words, said, photos, capsys):
    assert main(["train", *words]) == 2
    assert said in capsys.readouterr().err
