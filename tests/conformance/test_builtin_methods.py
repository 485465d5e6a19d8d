from functools import cache

import pytest

from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit.conformance import CHECKS, result_of
from frostbench.plugins.kit.trial import Trial

HOST = Host()
METHODS = {name: one.load() for name, one in HOST.methods.items()}
BUILT_IN = sorted(n for n, kind in METHODS.items() if kind.__module__.startswith("frostbench."))


@cache
def trial(name: str) -> Trial:
    return Trial(METHODS[name])


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_method_keeps_the_contract(name, check):
    result = result_of(trial(name), check)
    assert result.ok, result.detail


def test_all_built_in_methods_are_tried():
    assert BUILT_IN == ["flmm", "lm4lv", "lm4lv_lora", "lqae", "spae", "v2l", "visionllm", "vqgan"]
