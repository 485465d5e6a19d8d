"""Every preset is a configuration that methods, tasks, metrics and readers of today take."""

import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path

import annotation_trees
import pytest

from frostbench.bench.cli import main
from frostbench.bench.cli.config import RunConfig, read_config
from frostbench.bench.cli.pack import read_parts
from frostbench.bench.cli.train_config import TrainConfig
from frostbench.bench.leaderboard import build
from frostbench.bench.leaderboard.markdown import markdown
from frostbench.bench.leaderboard.parity import compared
from frostbench.bench.leaderboard.reported import reported
from frostbench.bench.leaderboard.rows import Counterpart, Row
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.registry import Host
from frostbench.plugins.host.settings import read_settings

HOST = Host()
RUN = [name for name, item in HOST.presets.items() if item.card.command == "run"]


def config_of(name):
    return read_config(RunConfig, [f"config={HOST.presets[name].card.file}"])


def settings_of(method):
    """The class of a method's settings, which stands beside it."""
    import importlib

    made = HOST.methods[method].load()
    module = importlib.import_module(made.__module__)
    return next(
        value
        for name, value in vars(module).items()
        if name.endswith("Settings")
        and dataclasses.is_dataclass(value)
        and value.__module__ == module.__name__
    )


def test_a_preset_of_a_training_sets_every_recipe_of_the_bench_and_says_each_size_once():
    card = HOST.presets["mini-m"].card
    assert card.command == "train"
    config = read_config(TrainConfig, [f"config={card.file}", "pack=new", "recipe.data.side=96"])
    assert config.recipe.keys() == HOST.recipes.keys()
    assert config.scratch == "new/scratch"
    assert config.recipe["mae"]["side"] == 96
    assert config.recipe["vqgan"]["model"]["network"]["nominal_size"] == 96
    assert config.recipe["visionllm"]["sizes"]["llm_width"] == config.recipe["llm"]["width"]


@pytest.mark.parametrize("name", RUN)
def test_every_setting_is_one_that_is_known(name):
    config = config_of(name)
    assert config.pack == "paper"
    assert config.tasks
    parts = read_parts(Path(HOST.packs["paper"].card.parts))
    for method in config.methods:
        own = dict(config.method.get(method, {}))
        weights = own.pop("weights", None)
        assert weights is None or parts[Path(weights).name].role == "weights"
        read_settings(settings_of(method), own, f"method.{method}")
    assert config.llm is None or parts[config.llm].instead_of == "llm"
    for task in config.tasks:
        kind = HOST.tasks[task].load()
        settings = read_settings(kind.settings, config.task.get(task, {}), f"task.{task}")
        shown = {
            item.removesuffix("[paper]") + "[*]" if item.endswith("[paper]") else item
            for item in kind(settings).card.metrics
        }
        assert shown <= set(HOST.metrics)
    for data, said in config.data.items():
        assert name in parts[data].tables
        reader = HOST.datasets[data].load()
        if said:
            read_settings(reader.settings, said, f"data.{data}")


@pytest.mark.parametrize("name", ["v2l-table3", "v2l-table4", "vqgan-rfid"])
def test_images_of_imagenet_are_resized_as_the_published_evaluations_do(name):
    """By OpenCV's bilinear rule, which averages nothing; CLIP is shown what Pillow makes of it."""
    config = config_of(name)
    assert config.data["imagenet_val"]["antialias"] is False
    if "v2l" in config.methods:
        assert config.data["imagenet_val"]["whole"] is True
        assert config.method["v2l"]["rounded"] is True


def test_presets_are_listed_with_the_table_that_they_give(capsys):
    assert main(["list", "presets"]) == 0
    said = capsys.readouterr().out
    assert "v2l-table1" in said
    assert "2-way 3-shot classification of mini-ImageNet" in said


@pytest.fixture
def imagenet(tmp_path):
    """A validation set of twelve images in V2L's layout."""
    folder = annotation_trees.imagenet(tmp_path / "imagenet", 12)
    yield folder
    shutil.rmtree(folder)


def test_a_preset_runs_and_the_command_line_counts_over_it(imagenet, tmp_path):
    out = tmp_path / "run"
    assert main(
        [
            "run",
            "preset=v2l-table4",
            "pack=mini",
            "limit=1",
            "tasks=inpainting",
            "controls=false",
            "quiet=true",
            "method.v2l.image_size=64",
            "method.v2l.restoration.prompt_length=8",
            "task.inpainting.metrics=['psnr[y]']",
            f"data.imagenet_val.folder={imagenet}",
            f"cache={tmp_path}",
            f"out={out}",
        ]
    ) == 0  # fmt: skip
    manifest = open_run(out).manifest
    assert manifest.config["preset"] == "v2l-table4"
    assert manifest.config["data"]["imagenet_val"]["antialias"] is False
    assert manifest.tasks["inpainting"].protocols == ("oracle_context",)
    assert json.loads((out / "manifest.json").read_text())["status"] == "finished"


def test_a_users_own_preset_is_a_file(tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text("methods: [vqgan]\ntasks: [reconstruction]\nlimit: 1\ncontrols: false\n")
    out = tmp_path / "run"
    assert main(["run", f"preset={mine}", "quiet=true", f"cache={tmp_path}", f"out={out}"]) == 0
    assert main(["run", "preset=v2l-tabel1", f"out={out}"]) == 2
    assert "Did you mean 'v2l-table1'?" in capsys.readouterr().err


def test_a_preset_stands_beside_what_is_reported_and_says_where_it_departs(
    imagenet, tmp_path, capsys
):
    """A reported value of other metrics is put in the place of V2L's, which need Inception."""
    out = tmp_path / "run"
    asked = ["run", "preset=vqgan-rfid", "pack=mini", "limit=4", "controls=false", "quiet=true"]
    metrics = "task.reconstruction.metrics=['psnr[rgb]']"
    settings = ["method.vqgan.image_size=64", metrics, "data.imagenet_val.first=4"]
    where = [f"data.imagenet_val.folder={imagenet}", f"cache={tmp_path}", f"out={out}"]
    assert main([*asked, *settings, *where]) == 0
    assert main(["parity", str(out)]) == 0
    assert "nothing is reported that the preset 'vqgan-rfid' measured" in capsys.readouterr().out
    board = build([open_run(out)])
    value = Row("reported", "vqgan", "restoration", "reconstruction", None, "PSNR", 2000.0)
    other = Counterpart("vqgan-rfid", "psnr[rgb]", scale=100.0, samples=50_000)
    rows = (*board.rows, replace(value, counterpart=other, verified=True))
    (one,) = compared(replace(board, rows=rows))
    assert one.value == pytest.approx(100 * one.ours.value)
    assert one.difference == pytest.approx(one.value - 2000)
    assert one.within is (one.low <= 2000 <= one.high)
    assert one.departs[0] == "pack is 'mini', not 'paper'"
    assert "method.vqgan.image_size is 64, not 256" in one.departs
    added = "data.imagenet_val.first is 4, and the preset does not set it"
    assert added in one.departs
    assert not any("folder" in text for text in one.departs)
    assert one.departs[-1] == "4 samples, not 50000"
    assert "## Beside what the papers report" in markdown(replace(board, rows=rows), "x")


def test_a_run_of_no_preset_has_nothing_to_stand_beside(tmp_path, capsys):
    out = tmp_path / "run"
    asked = ("methods=vqgan", "tasks=reconstruction", "limit=1", "controls=false", "quiet=true")
    assert main(["run", *asked, f"cache={tmp_path}", f"out={out}"]) == 0
    assert main(["parity", str(out)]) == 2
    assert "is of no preset" in capsys.readouterr().err


def test_counterparts_name_presets_and_metrics_that_there_are():
    for row in reported():
        if row.counterpart is not None:
            assert row.counterpart.preset in HOST.presets
            assert row.counterpart.metric in HOST.metrics
            assert row.method in config_of(row.counterpart.preset).methods
            assert row.task in config_of(row.counterpart.preset).tasks
