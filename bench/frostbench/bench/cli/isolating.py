"""Opens the pack, its backbones and the method in the process of an isolated method."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import RunConfig, UsageError
from frostbench.bench.runner.plan import FrozenBackbones, PlannedMethod
from frostbench.plugins.host.registry import Host, Registered


@dataclass(frozen=True)
class OpenedByWords:
    """The part of the configuration that one method's process may know."""

    config: RunConfig
    method: str

    def __call__(self) -> tuple[FrozenBackbones, PlannedMethod]:
        """The pack's frozen backbones, and the method."""
        from frostbench.bench.cli.assemble import find_pack, open_backbones, plan_method

        host = Host(self.config.plugins, disabled=self.config.plugins_disabled)
        pack = find_pack(self.config.pack, host)
        backbones = open_backbones(self.config, host, pack)
        return backbones, plan_method(
            self.config, pack, backbones, host.pick("method", self.method)
        )


def opening_of(config: RunConfig, host: Host, kinds: Iterable[str], name: str) -> OpenedByWords:
    """A function that opens, in a method's process, what the method is built from.

    It gets the part of the configuration that the method is made from, and only the plugins that
    offer the method, the pack and these `kinds` of backbones.

    Raises:
        UsageError: this system cannot fork processes.
    """
    if not hasattr(os, "fork"):
        raise UsageError("isolate=true needs a system that can fork processes; this one cannot.")
    given: list[Registered[Any]] = [host.pick("method", name)]
    given += [host.backbones[kind] for kind in kinds if kind in host.backbones]
    given += [host.packs[config.pack]] if config.pack in host.packs else []
    plugins, files = {item.plugin for item in given}, {item.file for item in given}
    others = {item.plugin for item in host.methods.values() if item.distribution} - plugins
    own = config.method.get(name)
    return OpenedByWords(
        RunConfig(
            pack=config.pack,
            llm=config.llm,
            dtype=config.dtype,
            device=config.device,
            backbone=config.backbone,
            methods=[name],
            method={} if own is None else {name: own},
            plugins=[file for file in config.plugins if _names(file, files)],
            plugins_disabled=sorted({*config.plugins_disabled, *others}),
        ),
        name,
    )


def _names(file: str, known: Iterable[str]) -> bool:
    return Path(file).resolve() in {Path(one).resolve() for one in known}


def apart(
    planned: PlannedMethod, config: RunConfig, host: Host, kinds: Iterable[str]
) -> PlannedMethod:
    """A planned method, to be built in a process of its own."""
    from frostbench.bench.isolation.method import isolated

    opening = opening_of(config, host, kinds, planned.card.name)
    return isolated(planned, opening, config.device)
