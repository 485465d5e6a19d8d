"""A plugin that is one file can offer all that an installed one can."""

import pydoc
import subprocess
import sys

import pytest

from frostbench.bench.cli.config import RunConfig
from frostbench.bench.cli.main import main
from frostbench.bench.cli.parts import open_engine
from frostbench.plugins.contract import hooks
from frostbench.plugins.engine import EngineSettings, FrozenEngine
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import conformance, toys

RECIPES = """
from frostbench.plugins import Converter, MetricFacts, Offer, Recipe, hookimpl


def train(workshop):
    return "trained"


@hookimpl
def frostbench_recipes():
    targets = {"itself": train, "by_file": "mine:train", "by_module": f"{__name__}:train"}
    return [Recipe(name, (), target, "a part") for name, target in targets.items()]


@hookimpl
def frostbench_converters():
    return [Converter("itself", (), train, ""), Converter("by_file", (), "mine:train", "")]


@hookimpl
def frostbench_metrics():
    return [Offer(MetricFacts("by_file", ""), "mine:train")]
"""

ENGINE = """
from frostbench.plugins import Offer, hookimpl
from frostbench.plugins.engine import FrozenEngine


class Own(FrozenEngine):
    pass


def opened(backbones, settings):
    return Own(backbones, settings)


@hookimpl
def frostbench_engines():
    return [Offer("own", Own), Offer("opened", opened)]
"""

DEPTH = """
from dataclasses import replace
from types import SimpleNamespace

import torch
from blank_method import CARD, Blank
from frostbench.plugins import Offer, hookimpl
from frostbench.plugins.kit import toys


def depth():
    return torch.nn.Linear(1, 1, bias=False).requires_grad_(False)


def load_depth(entry, device):
    return depth()


load_depth.toys = TOYS


class Deep(Blank):
    card = replace(CARD, name="deep", backbones=("depth",))

    @classmethod
    def toy(cls):
        assert toys.backbones().get("depth").in_features == 1
        return cls()

    @property
    def fingerprint(self):
        return "0" * 16


@hookimpl
def frostbench_backbones():
    return [Offer("depth_net", load_depth)]


@hookimpl
def frostbench_methods():
    return [Deep]
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mine.py"


@pytest.mark.parametrize("kind", ["recipe", "converter", "metric"])
def test_a_target_in_the_file_itself_is_found_however_it_is_named(kind, file):
    file.write_text(RECIPES)
    host = Host([file], installed=False)
    known = {"recipe": host.recipes, "converter": host.converters, "metric": host.metrics}[kind]
    assert known
    assert [item.load()(None) for item in known.values()] == ["trained"] * len(known)


@pytest.mark.parametrize("name", ["own", "opened", "frozen"])
def test_every_engine_gets_the_settings_that_the_frozen_one_wants(name, file):
    file.write_text(ENGINE)
    settings = {"name": name, "max_batch": "3"}
    engine = open_engine(RunConfig(engine=settings), Host([file]), toys.backbones())
    assert isinstance(engine, FrozenEngine)
    assert engine.settings == EngineSettings(max_batch=3)
    with pytest.raises(ValueError, match=r"engine: no setting named 'max_bach'.*'max_batch'"):
        open_engine(RunConfig(engine={"name": name, "max_bach": 3}), Host([file]), toys.backbones())


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "frostbench", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "frostbench")


def test_help_says_what_a_data_set_must_offer():
    asked = {protocol for item in Host().tasks.values() for protocol in item.load().asks}
    assert asked
    told = pydoc.plain(pydoc.render_doc(hooks.frostbench_datasets))
    assert {one.__name__ for one in asked} - {
        word.strip("`,.;()") for word in told.split()
    } == set()


@pytest.fixture
def _own_toys(monkeypatch):
    monkeypatch.setattr(toys, "_OFFERED", {})
    first = list(conformance.CHECKS.items())[:2]  # the others say nothing of backbones
    monkeypatch.setattr(conformance, "CHECKS", dict(first))
    toys.backbones.cache_clear()
    yield
    toys.backbones.cache_clear()


@pytest.mark.usefixtures("_own_toys")
@pytest.mark.parametrize(
    ("offered", "code", "said"),
    [
        ("{'depth': depth}", 0, "holds  the card says what the method is"),
        ("{}", 1, "there are toys for llm, clip"),
        ("{'llm': depth}", 2, "the kit has its own toy for the role 'llm'"),
        ("{'depth': lambda: 3}", 2, "is no torch module"),
    ],
)
def test_a_method_on_a_kind_of_backbone_of_its_own_can_be_checked(
    offered, code, said, file, capsys
):
    file.write_text(DEPTH.replace("TOYS", offered))
    assert main(["check", "deep", f"plugins={file}"]) == code
    told = capsys.readouterr()
    assert said in told.out + told.err
