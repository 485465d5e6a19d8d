"""The conformance kit as tests: one line in an author's test file.

from frostbench.plugins.kit.pytest import conformance_tests
from my_package import MyMethod

test_my_method_keeps_the_contract = conformance_tests(MyMethod)
"""

from collections.abc import Callable

import pytest

from frostbench.plugins.contract.method import Method
from frostbench.plugins.kit.conformance import CHECKS, result_of
from frostbench.plugins.kit.trial import Trial


def conformance_tests(*methods: type[Method]) -> Callable[..., None]:
    """A test function that pytest runs once for every check of every method."""
    trials: dict[type[Method], Trial] = {}

    @pytest.mark.parametrize("check", list(CHECKS))
    @pytest.mark.parametrize("method", methods, ids=lambda method: method.__name__)
    def test(method: type[Method], check: str) -> None:
        if method not in trials:
            trials[method] = Trial(method)
        result = result_of(trials[method], check)
        if not result.ok:
            pytest.fail(result.detail, pytrace=False)

    return test
