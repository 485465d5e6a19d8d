"""Commands beside an installed plugin that is bad: what they do, what they say, how they end."""

import json

import pytest
from installed_plugins import HOOK, install, offering
from light_plugin import pack, words

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run

LAZY = (
    HOOK
    + """
from dataclasses import dataclass
from frostbench.plugins.contract.cards import Card, ControlCard, MetricFacts, Offer, TaskCard
from frostbench.plugins.contract.recipe import Recipe
from frostbench.plugins.contract.task import Task

CARD = TaskCard("{task}", "light", "Classify", "label", ("{metric}",), "{metric}")


class Refuses(Task):
    data = "light_pictures"
    card = CARD

    @dataclass(frozen=True)
    class settings:
        n: int = 1

    def __init__(self, settings):
        {init}

    def instances(self, data, limit, seed):
        return iter(())


@hookimpl
def frostbench_tasks():
    return [Offer(CARD, {target})]

@hookimpl
def frostbench_metrics():
    return [Offer(MetricFacts("nowhere", tasks=("no_such_task",)), "no_such_module:x"),
            Offer(MetricFacts("broken"), "no_such_module:x")]

@hookimpl
def frostbench_controls():
    return [Offer(ControlCard("odd", "nothing", request_types=("Classify",)), "json:dumps"),
            Offer(ControlCard("gone", "nothing", request_types=("Classify",)), "json:nowhere")]

@hookimpl
def frostbench_backbones():
    return [Offer("odd_kind", "no_such_module:x")]

@hookimpl
def frostbench_recipes():
    return [Recipe("orphan", ("nothing_of_this_name",), "json:dumps", "needs what nobody makes")]

@hookimpl
def frostbench_run_started(manifest):
    raise SystemExit(0)
"""
)


@pytest.fixture
def site(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


@pytest.fixture
def run_words(tmp_path):
    return words(pack(tmp_path / "pack"))


def test_every_command_goes_on_beside_a_bad_plugin_and_says_so(site, tmp_path, run_words, capsys):
    install(site, "bad", "raise SystemExit(0)")
    for command, code in (
        (["list"], 0),
        (["list", "methods"], 0),
        (["train", "orphan"], 2),
        (["check", "nobody"], 2),
        (["score", str(tmp_path / "run")], 0),
        (run_words, 1),
        (["verify", str(tmp_path / "run"), run_words[1]], 0),
    ):
        if command[0] == "score":
            assert main([*run_words, "plugins.disabled=bad"]) == 0
            assert "bad" not in capsys.readouterr().err
            command.append(run_words[1])
        assert main(command) == code, command
        out, err = capsys.readouterr()
        assert "frostbench: plugin 'bad' (bad_of_" in err, command
        assert "is left out: it cannot be imported: SystemExit: 0" in err
        if command == ["list"]:
            assert "left out (1)\n  bad  bad_of_" in out
    assert any("plugin 'bad'" in note for note in open_run(tmp_path / "run").manifest.notes)


def test_what_is_left_out_is_listed_for_programs_too(site, capsys, monkeypatch):
    install(site, "bad", "raise RuntimeError")
    install(site, "good", offering("good"))
    assert main(["list", "left_out", "--json", "plugins.disabled=[good]"]) == 0
    listed = json.loads(capsys.readouterr().out)["left_out"]
    assert [(one["name"], one["disabled"]) for one in listed] == [("good", True), ("bad", False)]
    monkeypatch.setenv("FROSTBENCH_NO_PLUGINS", "1")
    assert main(["list", "left_out", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [one["disabled"] for one in json.loads(out)["left_out"]] == [True, True]
    assert err == ""
    assert main(["list", "plugins.disabled=gold"]) == 2
    assert "Did you mean 'good'" in capsys.readouterr().err


def test_a_file_of_settings_disables_plugins_too(site, tmp_path, capsys):
    install(site, "bad", "raise RuntimeError")
    file = tmp_path / "list.yaml"
    file.write_text("plugins:\n  disabled: [bad]\n")
    assert main(["list", f"config={file}"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "import os, signal; 1 / 0", "x = 1"])
def test_a_bad_file_that_is_named_ends_the_command(tmp_path, run_words, capsys, code):
    bad = tmp_path / "bad.py"
    bad.write_text(code)
    for command in (["list"], ["check", "v2l"], ["train"], run_words[:1] + run_words[2:]):
        assert main([*command, f"plugins={bad}"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "bad.py" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("gone", {"target": "'json:nowhere'"}, "AttributeError: module 'json' has no attribute"),
        ("exits", {"init": "raise SystemExit(0)"}, "SystemExit: 0"),
        ("plain", {"target": "'json:JSONDecoder'"}, "AttributeError"),
        ("unscored", {"metric": "broken"}, "its metric 'broken' cannot be made"),
        ("unranked", {"metric": "nobodys"}, "no metric named 'nobodys'"),
    ],
)
def test_parts_that_cannot_be_loaded_are_left_out_one_by_one(
    site, tmp_path, run_words, capsys, name, how, said
):
    full = {"task": name, "metric": "right", "init": "pass", "target": "Refuses", **how}
    code = LAZY
    for key, value in full.items():
        code = code.replace("{" + key + "}", value)
    install(site, "lazy", code)
    # Tasks by their suite: what is asked for by name is not left out.
    command = [word for word in run_words if not word.startswith("tasks=")]
    command = [word.replace("controls=false", "controls=true") for word in command]
    assert main([*command, "suites=light"]) == 1
    err = capsys.readouterr().err
    assert f"frostbench: task '{name}' of plugin 'lazy' (" in err
    assert said in err
    for part in ("control 'odd'", "control 'gone'", "metric 'nowhere'", "backbone kind 'odd_kind'"):
        assert f"frostbench: {part} of plugin 'lazy' (" in err
    run = open_run(tmp_path / "run")
    assert set(run.manifest.tasks) == {"light_naming"}
    assert {record.status for record in run.records()} == {"scored"}
    assert any("observer lazy, started: SystemExit" in note for note in run.manifest.notes)
    assert main([*run_words, f"tasks={name}", f"out={tmp_path / 'named'}"]) == 2
    assert main(["train", "no_such_part"]) == 2
    assert "recipe 'orphan' of plugin 'lazy' (" in capsys.readouterr().err
