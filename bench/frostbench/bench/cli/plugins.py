"""Opens the plugins for a command, and reports those that are left out."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from frostbench.bench.printable import complain
from frostbench.plugins.host.registry import Host


@runtime_checkable
class PluginKeys(Protocol):
    """A configuration that names plugins."""

    @property
    def plugins(self) -> Sequence[str]:
        """Files."""
        ...

    @property
    def plugins_disabled(self) -> Sequence[str]:
        """Names of installed plugins."""
        ...


def open_host(config: PluginKeys) -> Host:
    """The installed plugins and the named files; what is left out is printed to stderr.

    Raises:
        PluginError: a named file is faulty.
        LookupError: a plugin is disabled that is not installed.
    """
    host = Host(config.plugins, disabled=config.plugins_disabled)
    say_left_out(host)
    return host


def say_left_out(host: Host, said: int = 0) -> None:
    """Print which plugins and parts are left out; the first `said` were printed before."""
    for problem in host.problems[said:]:
        complain(f"frostbench: {problem}")
