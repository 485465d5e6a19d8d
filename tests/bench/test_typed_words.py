"""What is typed is what is meant, in the commands that read it."""

import pytest

from frostbench.bench.cli.assemble import choose_methods, choose_tasks
from frostbench.bench.cli.config import (
    LIMITS,
    LeaderboardConfig,
    LookConfig,
    PluginConfig,
    RunConfig,
    VerifyConfig,
    WorkConfig,
    keys_of,
    read_config,
    split_words,
)
from frostbench.bench.cli.convert import ConvertConfig
from frostbench.bench.cli.main import main
from frostbench.bench.cli.parts import limit_for
from frostbench.bench.cli.run import departures
from frostbench.bench.cli.stored import as_it_lies
from frostbench.bench.cli.work import words_of_worker
from frostbench.plugins.host.packs import embedded_pack, read_pack
from frostbench.plugins.host.registry import Host


@pytest.mark.parametrize("odd", ["1e3", "a, b", "it's [1]", "#3", "${x}", "k=v", "~"])
def test_a_worker_is_told_the_paths_of_its_run(odd):
    folder = f"/runs/{odd}"
    config = RunConfig(
        out=folder,
        cache=f"{folder}/kept",
        plugins=[f"{folder}.py", "b.py"],
        plugins_disabled=[odd],
    )
    plain, words = split_words(words_of_worker(config, "1", 1, ["device=cpu"]), WorkConfig)
    told = read_config(WorkConfig, words)
    assert plain == [folder]
    assert (told.cache, told.plugins) == (config.cache, config.plugins)
    assert (told.plugins_disabled, told.worker, told.led) == ([odd], "1", True)


@pytest.mark.parametrize(
    ("task", "suite", "meant"),
    [
        ("visual_question_answering", "understanding", 600),
        ("few_shot_classification", "understanding", 200),
    ],
)
def test_without_a_word_a_task_has_its_own_default_or_that_of_its_suite(task, suite, meant):
    assert limit_for(RunConfig(), task, suite) == meant


def test_a_preset_is_kept_however_its_numbers_are_written(tmp_path):
    file = tmp_path / "table.yaml"
    file.write_text("method: {v2l: {rate: 0.001, name: one}}\nlimits: {restoration: 500}\n")
    same = read_config(RunConfig, [f"config={file}", "method.v2l.rate=1e-3", "limit=2"])
    other = read_config(RunConfig, [f"config={file}", "method.v2l.name=1e-3"])
    assert departures(str(file), same) == []
    assert departures(str(file), other) == ["method.v2l.name is '1e-3', not 'one'"]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["limit=8", "limits.restoration=3"], 3),
        (["limit=8", "limits.restoration=3", "limits.inpainting=2"], 2),
        (["limit=8", "limits.understanding=3"], 8),
        (["limits.understanding=3"], LIMITS["restoration"]),
        (["config=FILE"], 5),
        (["config=FILE", "limit=8"], 8),
        (["config=FILE", "limit=8", "limits.restoration=3"], 3),
    ],
)
def test_the_nearest_limit_counts_and_words_count_over_files(words, meant, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("limit: 6\nlimits: {restoration: 5}\n")
    config = read_config(RunConfig, [word.replace("FILE", str(file)) for word in words])
    assert limit_for(config, "inpainting", "restoration") == meant


@pytest.mark.parametrize(
    ("word", "is_path"),
    [
        ("runs/lr=0.1", True),
        ("./lr=0.1", True),
        ("/runs/k=v/run", True),
        ("lr=0.1", True),  # it is there
        ("lr=0.2", False),
        ("out=0.1", False),  # a key, whatever is there
        ("plugins.disabled=mine", False),
        ("config=runs/a", False),
        ("out=runs/lr=0.1", False),
    ],
)
def test_a_path_may_hold_the_sign_that_keys_have(word, is_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("lr=0.1", "out=0.1"):
        (tmp_path / name).mkdir()
    schemas = (LookConfig, VerifyConfig, WorkConfig, PluginConfig, ConvertConfig, LeaderboardConfig)
    for schema in schemas:
        if word != "out=0.1" or "out" in keys_of(schema):
            assert split_words([word], schema) == (([word], []) if is_path else ([], [word]))


@pytest.mark.parametrize("command", ["show", "score", "verify", "work", "leaderboard", "parity"])
def test_every_command_on_runs_takes_such_a_path(command, tmp_path, capsys):
    assert main([command, f"{tmp_path}/lr=0.1"]) == 2
    assert f"{tmp_path}/lr=0.1" in capsys.readouterr().err


def test_a_file_that_is_named_twice_is_one_plugin(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from frostbench.plugins import MetricFacts, Offer, hookimpl\n\n\n@hookimpl\n"
        "def frostbench_metrics():\n    return [Offer(MetricFacts('mine', 'dB'), abs)]\n"
    )
    (tmp_path / "other").symlink_to(tmp_path)
    host = Host([file, str(file), f"{tmp_path}/other/mine.py"], installed=False)
    assert list(host.metrics) == ["mine"]


def test_what_is_asked_for_twice_is_run_once():
    host, pack = Host(), read_pack(embedded_pack("mini"))
    config = read_config(RunConfig, ["methods=v2l,vqgan,v2l", "tasks=inpainting,inpainting"])
    assert [item.name for item in choose_methods(config, host, pack)] == ["v2l", "vqgan"]
    assert [item.name for item in choose_tasks(config, host)] == ["inpainting"]


@pytest.mark.parametrize(
    ("stored", "word", "now"),
    [
        ("data.images=photos", "data.images=~/p", "~/p"),
        ("data.mine=images:photos", "data.mine=images:p", "images:p"),
        ("data.images.folder=photos", "data.images=p", {"folder": "p", "side": 8}),
        ("data.images.folder=photos", "data.images.folder=p", {"folder": "p", "side": 8}),
    ],
)
def test_a_run_is_verified_with_its_data_where_they_lie_now(stored, word, now):
    settings = ["data.images.side=8"] if ".folder" in stored else []
    before = read_config(RunConfig, [stored, *settings, "pack=a", "metric_weights.alex=a.pth"])
    asked = read_config(VerifyConfig, [word, "pack=b", "metric_weights.alex=b.pth"])
    after = as_it_lies(before, asked)
    assert list(after.data.values()) == [now]
    assert (after.pack, after.metric_weights) == ("b", {"alex": "b.pth"})
    assert as_it_lies(before, read_config(VerifyConfig, [])) == before
