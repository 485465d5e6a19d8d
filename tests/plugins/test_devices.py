"""A limit on memory holds, and Metal is used as torch documents it."""

import os
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from language_models import One, language_model
from pretended import There, pretended

from frostbench.plugins.backbones import devices
from frostbench.plugins.backbones.devices import (
    Gauge,
    Meter,
    _status_bytes,
    check_dtype,
    device_of,
    exact,
    is_out_of_memory,
    limit_memory,
    release_memory,
    room_bytes,
)
from frostbench.plugins.contract.completions import Failed
from frostbench.plugins.contract.prompts import Attend, Choose, Generate, Ids, Prompt, Regress
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.parts.autoencoder.quantizer import nearest_several

ROOM = 12 << 20


def in_child(call):
    """What a function returns in a forked process that may hold little more than this one."""
    read, write = os.pipe()
    if os.fork() == 0:
        code = 1
        try:
            os.write(write, repr(call()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read().decode()
    assert os.wait()[1] == 0
    return eval(said)


def test_what_asks_for_more_than_the_limit_is_told_that_there_is_no_memory():
    def call():
        limit_memory(torch.device("cpu"), _status_bytes("VmData") + ROOM)
        small = torch.ones(ROOM // 16)
        try:
            torch.ones(1 << 30)  # more than any heap has free
        except RuntimeError as error:
            return is_out_of_memory(error), small.sum().item()

    assert in_child(call) == (True, ROOM / 16)


def test_a_limit_below_what_is_held_is_refused():
    with pytest.raises(ValueError, match="are held already"):
        limit_memory(torch.device("cpu"), 1 << 20)


METAL = torch.device("mps")


@pytest.fixture
def metal(monkeypatch):
    """Torch's interface to Metal, as its documentation describes it, of a Mac with 16 GB."""
    state = SimpleNamespace(held=100, cached=50, said=[], macos=(14, 0))
    fake = {
        "current_allocated_memory": lambda: state.held,
        "driver_allocated_memory": lambda: state.held + state.cached,
        "recommended_max_memory": lambda: 1000,
        "empty_cache": lambda: setattr(state, "cached", 0),
        "synchronize": lambda: state.said.append("synchronize"),
        "set_per_process_memory_fraction": lambda share: state.said.append(share),
    }
    for name, value in fake.items():
        monkeypatch.setattr(torch.mps, name, value)
    monkeypatch.setattr(torch.backends.mps, "is_available", cache(lambda: True))
    newer = lambda major, minor: state.macos >= (major, minor)  # noqa: E731
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", newer)
    monkeypatch.setattr(devices, "_metal_limit", [])
    return state


def test_metal_is_a_device_where_torch_has_it(metal):
    assert device_of("mps") == METAL
    with pytest.raises(ValueError, match="no device named 'mps:1'; there are cpu, mps"):
        device_of("mps:1")


def test_metal_is_no_device_elsewhere():
    with pytest.raises(ValueError, match=r"no device named 'mps'; there are cpu\.$"):
        device_of("mps")


def test_memory_of_metal_is_what_its_allocator_tells(metal):
    assert room_bytes(METAL) == 900
    gauge, meter = Gauge(METAL), Meter(METAL)
    meter.start()
    metal.held = 300
    assert (gauge.more(), gauge.peak()) == (200, 200)
    assert meter.stop() == (300, None)
    assert metal.said == ["synchronize", "synchronize"]
    release_memory(METAL)
    assert metal.cached == 0
    limit_memory(METAL, 500)
    assert metal.said[-1] == 0.5
    assert room_bytes(METAL) == 200


def test_number_types_that_metal_has_not_are_refused_in_a_sentence(metal):
    with pytest.raises(ValueError, match="device mps has no float64; choose float32"):
        check_dtype(METAL, torch.float64)
    check_dtype(METAL, torch.bfloat16)
    metal.macos = (13, 6)
    with pytest.raises(ValueError, match="device mps has bfloat16 from macOS 14 on"):
        check_dtype(METAL, torch.bfloat16)
    check_dtype(torch.device("cpu"), torch.float64)


def test_engine_and_quantizer_ask_no_doubles_of_metal(metal, monkeypatch):
    # Others than we would ask the real one.
    monkeypatch.setattr(torch.backends.mps, "is_available", cache(lambda: False))
    draw = torch.Generator().manual_seed(0)
    features, codebook = torch.randn(40, 4, generator=draw), torch.randn(9, 4, generator=draw)
    prompts = [
        Prompt((Ids((5, 6, 7, 8)),), ask)
        for ask in (
            Generate(3),
            Choose(("cat", "dog house")),
            Attend((2, 3), (1,)),
            Regress(2, lambda features: 0.1 * features),
        )
    ]
    wanted = FrozenEngine(One(language_model("llama"))).run(prompts)
    with pretended("mps", refused={torch.float64}):
        with pytest.raises(TypeError, match="mps has no torch"):
            features.to(METAL).double()
        assert exact(features.to(METAL)).device.type == "cpu"
        lm = language_model("llama")
        lm.model.to(METAL)
        given = FrozenEngine(One(lm)).run(prompts)
        assert not any(isinstance(one, Failed) for one in given)
        assert (given[0].ids, given[1].index) == (wanted[0].ids, wanted[1].index)
        found = nearest_several(features.to(METAL), codebook.to(METAL), 3)
        assert isinstance(found, There)
        assert torch.equal(found.cpu(), nearest_several(features, codebook, 3))
