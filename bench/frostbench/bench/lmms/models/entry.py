"""The entry point by which lmms-eval finds our methods. Imports no torch.

lmms-eval loads the entry points of all packages in turn, and a failing one hides those after it: so
errors here are printed and never raised.
"""

import sys
from collections.abc import Iterator
from typing import Any

PREFIX = "frostbench"
_CLASSES = "frostbench.bench.lmms.models.adapter"
_DOT = "__dot__"  # a class is found after the last dot of its path


def manifests() -> list[Any]:
    """A model for each installed method, `frostbench_NAME`, and `frostbench`, which is any method.

    It takes `method=NAME`, and with `plugins=FILE` a method of a plugin file.
    """
    try:
        from lmms_eval.models.registry_v2 import ModelManifest
    except ImportError as error:
        _say(f"this lmms-eval takes no models from outside: {error}")
        return []
    made = [ModelManifest(PREFIX, simple_class_path=f"{_CLASSES}.AnyMethod")]
    made += [
        ModelManifest(f"{PREFIX}_{name}", simple_class_path=f"{_CLASSES}.{class_name(name)}")
        for name in _installed()
    ]
    return made


def class_name(method: str) -> str:
    """The name of the class of a method's model."""
    return f"of_{method.replace('.', _DOT)}"


def method_of(name: str) -> str | None:
    """The method whose model has this class name; None for any other name."""
    return name.removeprefix("of_").replace(_DOT, ".") if name.startswith("of_") else None


def _installed() -> Iterator[str]:
    try:
        from frostbench.plugins.host.registry import Host

        host = Host()
    except Exception as error:
        _say(f"no method can be found: {type(error).__name__}: {error}")
        return
    for problem in host.problems:
        _say(problem)
    yield from host.methods


def _say(sentence: str) -> None:
    print(f"frostbench: {sentence}", file=sys.stderr)
