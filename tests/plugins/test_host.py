import os
import subprocess
import sys
from pathlib import Path

import pytest

from frostbench.plugins.contract import CONTRACT_VERSION
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.host.errors import PluginError
from frostbench.plugins.host.registry import Host

PLUGIN = """
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.contract.hooks import hookimpl

@hookimpl
def frostbench_methods():
    return [Offer(Card(name="{name}", paper="https://example.org"), "{target}")]
"""


def write(folder: Path, file: str, name: str = "mine", target: str = "json:JSONDecoder") -> Path:
    path = folder / file
    path.write_text(PLUGIN.format(name=name, target=target))
    return path


def test_a_single_file_offers_a_method(tmp_path):
    host = Host([write(tmp_path, "mine.py")], installed=False)
    assert list(host.methods) == ["mine"]
    assert host.pick("method", "mine").file.endswith("mine.py")
    assert host.pick("method", "mine").load().__name__ == "JSONDecoder"


def test_a_taken_name_is_refused_and_both_files_are_named(tmp_path):
    files = [write(tmp_path, "one.py"), write(tmp_path, "two.py")]
    with pytest.raises(PluginError, match=r"(?s)'mine' is taken.*\.py") as caught:
        Host(files, installed=False)
    assert "one.py" in str(caught.value)
    assert "two.py" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", "has no hook"),
        ("raise RuntimeError('broken at import')", "broken at import"),
        ("def (", "SyntaxError"),
        (
            "from frostbench.plugins.contract.hooks import hookimpl\n"
            "@hookimpl\ndef frostbench_methods():\n    raise RuntimeError('inside')\n",
            "hook frostbench_methods",
        ),
        (
            "from frostbench.plugins.contract.hooks import hookimpl\n"
            "@hookimpl\ndef frostbench_methods():\n    return [3]\n",
            "is no offer of a Card",
        ),
        (
            "from frostbench.plugins.contract.hooks import hookimpl\n"
            "@hookimpl\ndef frostbench_methds():\n    return []\n",
            "frostbench_methds",
        ),
    ],
)
def test_a_broken_file_is_named_in_one_error(tmp_path, text, expected):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(PluginError) as caught:
        Host([path], installed=False)
    assert expected in str(caught.value)
    assert "broken" in str(caught.value)


@pytest.mark.parametrize("version", ["2.0", "0.9", "1.99"])
def test_a_plugin_written_for_another_contract_is_refused(version, tmp_path):
    file = write(tmp_path, "mine.py")
    file.write_text(f'FROSTBENCH_CONTRACT = "{version}"\n' + file.read_text())
    wanted = f"mine.py.*written for version {version} of the contract, and this frostbench has"
    with pytest.raises(PluginError, match=wanted):
        Host([file], installed=False)
    file.write_text(file.read_text().replace(version, CONTRACT_VERSION))
    assert list(Host([file], installed=False).methods) == ["mine"]


def test_an_edit_of_the_same_second_and_size_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = write(tmp_path, "mine.py")
    assert list(Host([file], installed=False).methods) == ["mine"]
    before = os.stat(file)
    file.write_text(file.read_text().replace("mine", "ours"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(Host([file], installed=False).methods) == ["ours"]


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(PluginError, match="no plugin file at"):
        Host([tmp_path / "none.py"], installed=False)


def test_a_target_that_is_not_there_names_plugin_and_file(tmp_path):
    host = Host([write(tmp_path, "mine.py", target="json:Nothing")], installed=False)
    with pytest.raises(PluginError, match=r"mine\.py.*Nothing"):
        host.pick("method", "mine").load()


def test_a_mistyped_name_gets_the_nearest_and_the_list(tmp_path):
    host = Host([write(tmp_path, "mine.py")], installed=False)
    with pytest.raises(LookupError, match=r"no method named 'mime'.*Did you mean 'mine'"):
        host.pick("method", "mime")


def test_observers_are_called_with_the_arguments_they_ask_for():
    seen = []

    class Tracker:
        @hookimpl
        def frostbench_run_finished(self, folder):
            seen.append(folder)

        @hookimpl
        def frostbench_sample_scored(self, sample):
            return {"length": float(len(sample))}

    host = Host(installed=False)
    host.register(Tracker(), "tracker")
    ((name, hooks),) = host.observers()
    assert name == "tracker"
    assert hooks["frostbench_sample_scored"](sample={"a": 1}) == {"length": 1.0}
    hooks["frostbench_run_finished"](folder="here")
    assert seen == ["here"]


def test_two_hosts_do_not_share_plugins(tmp_path):
    Host([write(tmp_path, "mine.py")], installed=False)
    assert not Host(installed=False).methods


def test_a_card_refuses_a_request_type_that_does_not_exist():
    with pytest.raises(ValueError, match=r"no request type named 'Guess'.*Classify"):
        Card(name="mine", paper="", capabilities=frozenset({"Guess"}))


def test_an_offer_loads_what_it_names():
    assert Offer("x", "json:loads").load()("[1]") == [1]


def test_listing_and_reading_cards_imports_no_torch():
    code = (
        "import sys; from frostbench.plugins.host.registry import Host; h = Host(); "
        "assert h.methods and h.tasks, h.problems; "
        "from frostbench.bench.cli import main; assert main(['list']) == 0; "
        "heavy = {'torch', 'transformers', 'numpy'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
