from functools import cache

import pytest

from frostbench.plugins.host import Host
from frostbench.plugins.kit.conformance import CHECKS, Trial

HOST = Host()
BUILT_IN = sorted(name for name, one in HOST.methods.items() if one.plugin in ("v2l", "vqgan"))


@cache
def trial(name: str) -> Trial:
    return Trial(HOST.methods[name].load())


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_method_keeps_the_contract(name, check):
    result = trial(name).result(check)
    assert result.ok, result.detail


def test_both_built_in_methods_are_tried():
    assert BUILT_IN == ["v2l", "vqgan"]
