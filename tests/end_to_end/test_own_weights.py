"""`method.NAME.weights=FOLDER`: weights that no pack names."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from frostbench.bench.cli import main
from frostbench.bench.cli.assemble import choose_methods, plan_method
from frostbench.bench.cli.config import RunConfig, UsageError
from frostbench.bench.store.reader import open_run
from frostbench.plugins.backbones import SharedBackbones
from frostbench.plugins.contract.cards import Card, Offer
from frostbench.plugins.host.packs import embedded_pack, read_pack
from frostbench.plugins.host.registry import Host, Registered

PACK = read_pack(embedded_pack("mini"))
HOST = Host()


def planned(item, weights=None, **config):
    tree = {} if weights is None else {item.name: {"weights": str(weights)}}
    return plan_method(RunConfig(method=tree, **config), PACK, SharedBackbones(()), item)


@pytest.fixture
def copied(tmp_path):
    """The pack's own V2L, elsewhere under another name."""
    return Path(shutil.copytree(PACK.folder / "v2l", tmp_path / "mine"))


def test_the_same_bytes_are_the_same_weights_wherever_they_lie(copied):
    item = HOST.methods["v2l"]
    own, given = planned(item), planned(item, copied)
    assert (given.weights, given.settings) == (own.weights, own.settings)
    assert any(path.startswith("v2l_adapter/") for path in given.weights)


def test_other_bytes_are_other_weights_and_leave_out_what_was_trained_beside_the_packs(copied):
    (copied / "model.safetensors").write_bytes(b"other")
    item = HOST.methods["v2l"]
    own, given = planned(item), planned(item, copied)
    changed = {path for path in given.weights if given.weights[path] != own.weights[path]}
    assert changed == {"v2l/model.safetensors"}
    assert not any(path.startswith("v2l_adapter/") for path in given.weights)


def test_a_method_that_the_pack_does_not_name_is_built_from_the_folder(tmp_path):
    class Reader:
        card = Card(name="reader", paper="none", trained=("all",))

        @classmethod
        def build(cls, setup):
            raise ValueError((setup.weights / "deep" / "model.txt").read_text())

    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "model.txt").write_text("read")
    item = Registered("reader", Reader.card, Offer(Reader.card, Reader), "reader", "here")
    made = planned(item, tmp_path)
    assert list(made.weights) == ["reader/deep/model.txt"]
    with pytest.raises(ValueError, match=r"^read$"):
        made.build()
    config = RunConfig(method={"reader": {"weights": str(tmp_path)}})
    host = Host(installed=False)
    host.methods = {"reader": item}
    assert choose_methods(config, host, dataclasses.replace(PACK, methods={})) == [item]


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_without_files_is_one_sentence(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    wanted = rf"^method\.v2l\.weights={folder}: there is no folder with files\.$"
    with pytest.raises(UsageError, match=wanted):
        planned(HOST.methods["v2l"], folder)


def test_a_run_on_them_is_verified_and_not_mixed_with_another(copied, tmp_path, capsys):
    vqgan = Path(shutil.copytree(PACK.folder / "vqgan", tmp_path / "vqgan"))
    words = ["run", "methods=vqgan", "tasks=reconstruction", "limit=1", "controls=false"]
    words += ["quiet=true", f"out={tmp_path / 'run'}", f"cache={tmp_path / 'tokens'}"]
    assert main([*words, f"method.vqgan.weights={vqgan}"]) == 0
    manifest = open_run(tmp_path / "run").manifest
    assert set(manifest.methods["vqgan"].weights) == {
        "vqgan/config.json",
        "vqgan/model.safetensors",
    }
    assert main(words) == 0, "the pack's own weights are these"
    assert main(["verify", str(tmp_path / "run"), "samples=1"]) == 0
    with (vqgan / "config.json").open("a") as file:
        file.write("\n")
    assert main([*words, f"method.vqgan.weights={vqgan}"]) == 2
    assert "methods.vqgan.weights.vqgan/config.json was" in capsys.readouterr().err
