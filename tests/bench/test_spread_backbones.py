"""A backbone over several devices, as a run is told of it and as its memory is kept account of."""

from dataclasses import replace

import pytest
import torch

from frostbench.bench.cli.assemble import assemble, find_pack, open_backbones
from frostbench.bench.cli.config import RunConfig, UsageError, read_config
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.runner import memory
from frostbench.bench.runner.manifest import identity
from frostbench.bench.runner.memory import Ledger, devices_of
from frostbench.bench.store.hardware import MethodMemory
from frostbench.plugins.backbones import device_map, devices

RUN = ["methods=vqgan", "tasks=reconstruction", "limit=1"]
FIRST, SECOND = torch.device("cuda", 0), torch.device("cuda", 1)


def plan_with(*words):
    config = read_config(RunConfig, [*RUN, *words])
    return assemble(config, open_host(config))


def test_the_map_of_a_backbone_stands_in_the_identity_of_its_rows():
    bare = identity(plan_with())
    assert "backbones" not in bare
    given = plan_with(
        "backbone.llm.device_map.model.layers=cpu", "backbone.llm.device_map.lm_head=cpu"
    )
    told = {"llm": {"device_map": {"model": {"layers": "cpu"}, "lm_head": "cpu"}}}
    assert identity(given) == {**bare, "backbones": told}
    assert given.backbones.entries["llm"].settings == told["llm"]
    assert devices_of(given) == (torch.device("cpu"),)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["backbone.lm.device_map=auto"], "no backbone named 'lm'; there are .*llm, lmm"),
        (["backbone.llm=auto"], r"write backbone\.llm\.KEY=VALUE"),
        (
            ["backbone.llm.device_map=auto"],
            r"^backbone\.llm\.device_map=auto shares a model among cards, and there are none\.$",
        ),
        (["backbone.llm.device_map.model=cuda:4"], "device_map.model=cuda:4: no device named"),
        (["backbone.llm.device_map.model=cpu", "devices=cpu,cpu"], "leave devices= out"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_loaded(words, sentence):
    with pytest.raises((UsageError, LookupError), match=sentence):
        plan_with(*words)


def test_memory_is_kept_account_of_card_by_card(monkeypatch):
    held = {FIRST: 10, SECOND: 20}

    class Gauge:
        def __init__(self, device):
            self.device, self.before = device, held[device]

        def more(self):
            return held[self.device] - self.before

        peak = more

    rooms = {FIRST: 100, SECOND: 50}
    monkeypatch.setattr(memory, "Gauge", Gauge)
    monkeypatch.setattr(memory, "held_bytes", held.__getitem__)
    monkeypatch.setattr(memory, "room_bytes", rooms.__getitem__)
    ledger = Ledger([FIRST, SECOND], {"v2l": MethodMemory(own=30, working=20)})
    with ledger.loading("llm"):
        held[FIRST] += 45
        held[SECOND] += 50
    assert ledger.fits("v2l", ["llm"])
    rooms[SECOND] = 49
    assert not ledger.fits("v2l", ["llm"])
    assert ledger.fits("v2l", [])
    rooms |= {FIRST: 94, SECOND: 50}
    assert not ledger.fits("v2l", ["llm"])
    with ledger.answering(lambda: {"new": 200}):
        held[SECOND] += 5
    ledger.done(["new"])
    assert ledger.measured["new"].working == 200 - (55 + 70)


def test_the_devices_of_a_plan_are_its_own_and_those_of_its_maps(monkeypatch):
    monkeypatch.setattr(device_map, "cards", lambda: [FIRST, SECOND])
    with pytest.raises(UsageError, match=r"parts on cuda:0, and device=cpu; .* device=cuda\."):
        plan_with("backbone.llm.device_map=auto")
    monkeypatch.setattr(devices, "cards", lambda: [FIRST, SECOND])
    config = read_config(RunConfig, [*RUN, "backbone.llm.device_map=auto", "device=cuda:1"])
    host = open_host(config)
    backbones = open_backbones(config, host, find_pack(config.pack, host))
    plan = replace(plan_with(), device="cuda:1", backbones=backbones)
    assert devices_of(plan) == (SECOND, FIRST)
