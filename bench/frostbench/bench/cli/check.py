"""`frostbench check`: the conformance kit over a method."""

from frostbench.bench.cli.config import PluginConfig, UsageError, read_config, split_words
from frostbench.bench.printable import say
from frostbench.plugins.contract import CONTRACT_VERSION
from frostbench.plugins.host.registry import Host


def check_command(words: list[str]) -> int:
    """Print each check with its outcome; 1 when one does not hold."""
    plain, overrides = split_words(words)
    host = Host(read_config(PluginConfig, overrides).plugins)
    names = plain or list(host.methods)
    if not names:
        raise UsageError("which method? frostbench check METHOD.")
    methods = [host.pick("method", name) for name in names]

    from frostbench.plugins.kit.conformance import check

    say(f"contract {CONTRACT_VERSION}")
    failed = 0
    for item in methods:
        say(f"{item.name} ({item.file})")
        for result in check(item.load()):
            failed += not result.ok
            detail = f": {result.detail}" if result.detail else ""
            say(f"  {'holds' if result.ok else 'FAILS'}  {result.name}{detail}")
    say(f"{failed} checks do not hold" if failed else "all checks hold")
    return 1 if failed else 0
