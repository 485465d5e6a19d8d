"""The host: finds plugins and knows what they offer.

Built-in methods come through the same entry points as an outsider's; there is no private door.
A host is an object, not a module-level singleton: two can live side by side with other plugins.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from frostbench.plugins.contract.cards import (
    ANY_NETWORK,
    Card,
    ControlCard,
    MetricFacts,
    PackCard,
    PresetCard,
    TaskCard,
)
from frostbench.plugins.contract.converter import Converter
from frostbench.plugins.contract.recipe import Recipe
from frostbench.plugins.host.containment import interruptible
from frostbench.plugins.host.errors import PluginError, cut, describe, missing
from frostbench.plugins.host.finding import Omitted, file_of, installed, load_file
from frostbench.plugins.host.offers import GROUP, OFFERING, Plugin, Registered, read_plugin

__all__ = ["GROUP", "Host", "Registered"]

T = TypeVar("T")


class Host:
    """Everything installed plugins and the given plugin files offer, by name.

    An installed plugin that is faulty is left out completely, and its names are free for others. Of
    two plugins that offer the same name the later one is left out (frostbench's own come first,
    then the others by name). A faulty plugin *file* raises, since the user asked for it.

    Attributes:
        left_out: the installed plugins and parts that are left out.

    Raises:
        PluginError: a plugin file is faulty, or offers a name that is taken.
        LookupError: a plugin is disabled that is not installed.
    """

    def __init__(
        self,
        files: Sequence[str | Path] = (),
        *,
        installed: bool = True,
        disabled: Sequence[str] = (),
    ) -> None:
        self.left_out: list[Omitted] = []
        self._plugins: dict[str, Plugin] = {}
        self._named: set[str] = set()
        self._known: dict[str, dict[str, Registered[Any]]] = {
            offered.kind: {} for offered in OFFERING.values()
        }
        self.methods: Mapping[str, Registered[Card]] = self._known["method"]
        self.tasks: Mapping[str, Registered[TaskCard]] = self._known["task"]
        self.packs: Mapping[str, Registered[PackCard]] = self._known["pack"]
        self.presets: Mapping[str, Registered[PresetCard]] = self._known["preset"]
        self.metrics: Mapping[str, Registered[MetricFacts]] = self._known["metric"]
        self.controls: Mapping[str, Registered[ControlCard]] = self._known["control"]
        self.datasets: Mapping[str, Registered[str]] = self._known["data set"]
        self.backbones: Mapping[str, Registered[str]] = self._known["backbone kind"]
        self.engines: Mapping[str, Registered[str]] = self._known["engine"]
        self.training_data: Mapping[str, Registered[str]] = self._known["training data"]
        self.recipes: Mapping[str, Registered[Recipe]] = self._known["recipe"]
        self.converters: Mapping[str, Registered[Converter]] = self._known["converter"]
        with interruptible():
            if installed:
                self._add_installed(disabled)
            for file in {os.path.realpath(file): Path(file) for file in files}.values():
                self.register(load_file(file), file.stem)

    @property
    def problems(self) -> list[str]:
        """One sentence for each plugin and part that is left out without being disabled."""
        return [cut(one.sentence) for one in self.left_out if not one.wanted]

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin object or module that somebody asked for, under a name.

        Raises:
            PluginError: the plugin is faulty, or a name is taken.
        """
        file = file_of(plugin, type(plugin).__name__)
        try:
            self._add(read_plugin(plugin, name, file))
        except PluginError as error:
            raise PluginError(f"plugin {name!r} ({file}): {str(error).rstrip('.')}.") from error
        self._named.add(name)

    def observers(self) -> Iterator[tuple[str, Mapping[str, Callable[..., Any]]]]:
        """Plugins that watch a run, by name, with their hooks, called as the specs say."""
        for name, plugin in self._plugins.items():
            hooks = {
                hook: _called_by_name(implementation.function, implementation.argnames)
                for hook, implementation in plugin.watching.items()
            }
            if hooks:
                yield name, hooks

    def pick(self, kind: str, name: str) -> Registered[Any]:
        """What is registered under a name, by its kind: "method", "task", "metric", "pack", ...

        Raises:
            LookupError: there is none; the message lists what there is, and what is left out.
        """
        known = self._known[kind]
        if name not in known:
            gone = ", ".join(sorted({one.plugin for one in self.left_out}))
            more = f" Left out are the plugins {gone}." if gone else ""
            raise LookupError(missing(kind, name, known) + more)
        return known[name]

    def name_networks(self, named: Callable[[str], Mapping[str, str]]) -> None:
        """Replace each metric with "[*]" in its id by one for each matching network of a pack.

        `named` gives, for a role, the names of the backbones that could fill it, and their roles.
        """
        known = self._known["metric"]
        for item in [item for item in known.values() if item.name.endswith(ANY_NETWORK)]:
            del known[item.name]
            for name, role in named(item.card.networks[0]).items():
                id_ = f"{item.name.removesuffix(ANY_NETWORK)}[{name}]"
                card = replace(item.card, id=id_, networks=(role, *item.card.networks[1:]))
                known.setdefault(id_, replace(item, name=id_, card=card))

    def usable(
        self, items: Iterable[Registered[Any]], make: Callable[[Registered[Any]], T]
    ) -> Iterator[tuple[Registered[Any], T]]:
        """The result of `make` for each part; a failing part of an installed plugin is left out.

        Raises:
            PluginError: a failing part comes from a plugin that somebody asked for.
        """
        for item in list(items):
            try:
                made = make(item)
            except PluginError as error:
                if item.plugin in self._named:
                    raise
                why = error if error.__cause__ is None else error.__cause__
                self.leave_out(item, str(why) if why is error else describe(why))
                continue
            yield item, made

    def leave_out(self, item: Registered[Any], reason: str) -> None:
        """Leave out a single part that turned out not to work.

        Raises:
            PluginError: it comes from a plugin that somebody asked for.
        """
        if item.plugin in self._named:
            raise PluginError(f"plugin {item.plugin!r} ({item.file}): {reason.rstrip('.')}.")
        self._known[item.kind].pop(item.name, None)
        part = f"{item.kind} {item.name!r}"
        self.left_out.append(Omitted(item.plugin, item.file, reason, part=part))

    def _add_installed(self, disabled: Sequence[str]) -> None:
        candidates, self.left_out = installed(disabled)
        for one in candidates:
            try:
                self._add(one.read())
            except PluginError as error:
                self.left_out.append(Omitted(one.name, one.where, str(error)))

    def _add(self, plugin: Plugin) -> None:
        """Add everything that a plugin offers.

        Raises:
            PluginError: its name or a name that it offers is taken; nothing of it is added then.
        """
        if plugin.name in self._plugins:
            other = self._plugins[plugin.name].file
            raise PluginError(f"the plugin name is taken by {other}; rename one of them")
        for item in plugin.offers:
            known = self._known[item.kind]
            if item.name in known:
                other = f"{known[item.name].plugin!r} ({known[item.name].file})"
                raise PluginError(
                    f"the {item.kind} name {item.name!r} is taken by plugin {other}; rename one "
                    "of them"
                )
        self._plugins[plugin.name] = plugin
        for item in plugin.offers:
            self._known[item.kind][item.name] = item
        for known in self._known.values():
            items = sorted(known.items())
            known.clear()
            known.update(items)


def _called_by_name(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """A wrapper that gives the function only those arguments that it asks for."""
    return lambda **arguments: function(**{name: arguments[name] for name in names})
