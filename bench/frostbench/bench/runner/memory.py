"""Measures how much device memory methods and backbones take, and whether one more fits."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from frostbench.bench.runner.plan import Plan
from frostbench.bench.store.hardware import MethodMemory
from frostbench.bench.store.manifest import Manifest
from frostbench.plugins.backbones.device_map import devices_named
from frostbench.plugins.backbones.devices import (
    DTYPES,
    Gauge,
    device_of,
    held_bytes,
    room_bytes,
)
from frostbench.plugins.backbones.energy import Energy


def devices_of(plan: Plan) -> tuple[torch.device, ...]:
    """The device of a plan, and other devices that hold parts of its backbones."""
    settings = [getattr(entry, "settings", {}) for entry in plan.backbones.entries.values()]
    others = [one for own in settings for one in devices_named(own.get("device_map"))]
    return tuple(dict.fromkeys((device_of(plan.device), *others)))


class Ledger:
    """Memory by method and by the role of a backbone, of `devices_of` a plan.

    A method is measured while it is built, and on its first chunk; `known` has an earlier session's
    measurements.

    Attributes:
        measured: by name the methods whose first chunk is done.
        energy: of all these devices.
    """

    def __init__(
        self, devices: Sequence[torch.device], known: Mapping[str, MethodMemory] | None = None
    ) -> None:
        self._devices = tuple(devices)
        self._device = self._devices[0]
        self.energy = Energy(self._devices)
        self._roles: dict[str, dict[torch.device, int]] = {}
        self._own: dict[str, int] = {}
        self._working: dict[str, int] = {}
        self.measured: dict[str, MethodMemory] = dict(known or {})

    @contextmanager
    def loading(self, role: str) -> Iterator[None]:
        """A context for loading the backbone of a role."""
        gauges = {device: Gauge(device) for device in self._devices}
        yield
        held = self._roles.setdefault(role, {})
        held |= {device: max(one.more(), held.get(device, 0)) for device, one in gauges.items()}

    @contextmanager
    def building(self, name: str) -> Iterator[None]:
        """A context for building a method, after its backbones were loaded."""
        gauge = Gauge(self._device)
        yield
        self._own.setdefault(name, gauge.more())

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """A context for a method's own code on its first chunk."""
        if name in self.measured:
            yield
            return
        gauge = Gauge(self._device)
        yield
        self._took(name, gauge.peak())

    @contextmanager
    def answering(self, peaks: Callable[[], Mapping[str, int]]) -> Iterator[None]:
        """A context for the engine's answers; then `peaks` gives the most memory by method."""
        before = sum(map(held_bytes, self._devices))
        yield
        for name, most in peaks().items():
            if name not in self.measured:
                self._took(name, most - before)

    def done(self, names: Collection[str]) -> None:
        """The first chunk of these methods is done."""
        for name in names:
            if name not in self.measured:
                own = self._own.get(name, 0)
                self.measured[name] = MethodMemory(own, self._working.get(name, 0))

    def fits(self, name: str, missing: Iterable[str]) -> bool:
        """Whether there is room for a method and for its `missing` backbones.

        True where nothing was measured, or where memory has no limit.
        """
        if name not in self.measured:
            return True
        one, wanted = self.measured[name], dict.fromkeys(self._devices, 0)
        wanted[self._device] = one.own + one.working
        for role in missing:
            for device, held in self._roles.get(role, {}).items():
                wanted[device] += held
        rooms = {device: room_bytes(device) for device in self._devices}
        return all(room is None or wanted[device] <= room for device, room in rooms.items())

    def _took(self, name: str, took: int) -> None:
        self._working[name] = max(took, self._working.get(name, 0))


def measured_bytes(manifest: Manifest, *, together: bool) -> int | None:
    """The measured device memory of a worker, for methods and backbones.

    It is the sum over all methods if they work `together`, otherwise that of the largest. None
    where a method was not measured.
    """
    methods = {name: one for name, one in manifest.methods.items() if one.status == "ok"}
    if not methods or not set(methods) <= set(manifest.memory):
        return None
    weights = {
        role: facts.parameters * DTYPES.get(facts.dtype, DTYPES["float32"]).itemsize
        for role, facts in manifest.backbones.items()
    }
    took = {name: manifest.memory[name] for name in methods}
    if together:
        own = sum(one.own for one in took.values())
        return sum(weights.values()) + own + max(one.working for one in took.values())
    return max(
        took[name].own + took[name].working + sum(weights.get(role, 0) for role in one.backbones)
        for name, one in methods.items()
    )
