"""`frostbench check`: runs the conformance checks on a method."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from frostbench.bench.cli.config import CheckConfig, UsageError, limits_of, read_config, split_words
from frostbench.bench.cli.plugins import open_host, say_left_out
from frostbench.bench.printable import say
from frostbench.plugins.contract import CONTRACT_VERSION, GoingAwayWarning
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import PluginError, describe
from frostbench.plugins.host.registry import Registered


def check_command(words: list[str]) -> int:
    """Print each check with its outcome; 1 when one does not hold, or a plugin is left out.

    Deprecated names that plugins use are listed last.
    """
    with _names_that_go() as going:
        code = _check(words)
    for line in dict.fromkeys(going):
        say(f"goes away: {line}")
    return code


@contextmanager
def _names_that_go() -> Iterator[list[str]]:
    """Collect deprecation warnings of plugins, with file and line, which Python would hide."""
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", GoingAwayWarning)
        show = warnings.showwarning

        def diverted(
            message: Any,
            category: Any,
            filename: str,
            lineno: int,
            file: Any = None,
            line: Any = None,
        ) -> None:
            if issubclass(category, GoingAwayWarning):
                said.append(f"{message} ({filename}:{lineno})")
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = diverted
        yield said


def _check(words: list[str]) -> int:
    plain, overrides = split_words(words)
    config = read_config(CheckConfig, overrides)
    host = open_host(config)
    names = plain or list(host.methods)
    if not names:
        raise UsageError("which method? frostbench check METHOD.")
    methods = [host.pick("method", name) for name in names]
    most = limits_of(config)

    from frostbench.plugins.kit.conformance import Result, check

    said = len(host.problems)
    for _ in host.usable(host.backbones.values(), _offer_toys):
        continue
    say_left_out(host, said)
    say(f"contract {CONTRACT_VERSION}")
    failed = 0
    for item in methods:
        say(f"{item.name} ({item.file})")
        try:
            results = check(item.load(), most)
        except PluginError as error:
            results = [Result("it can be tried", False, describe(error.__cause__ or error))]
        for result in results:
            failed += not result.ok
            detail = f": {result.detail}" if result.detail else ""
            say(f"  {'holds' if result.ok else 'FAILS'}  {result.name}{detail}")
    say(f"{failed} checks do not hold" if failed else "all checks hold")
    without = bool(host.problems) and not plain  # all were asked for, and some are left out
    return 1 if failed or without else 0


def _offer_toys(item: Registered[str]) -> None:
    """Make toys of a kind of backbone, where it has some.

    Raises:
        PluginError: they cannot be made.
    """
    from frostbench.plugins.kit import toys

    try:
        for role, make in getattr(item.load(), "toys", {}).items():
            contain(Call("backbone kind", item.name, "toys"), toys.offer, role, make)
    except PluginError:
        raise
    except Exception as error:
        raise PluginError(
            f"backbone kind {item.name!r} ({item.file}): its toys cannot be made: {describe(error)}"
        ) from error
