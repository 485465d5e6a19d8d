"""Energy as a card's driver counts it (NVML), and the cost of a piece of work."""

import os
import sys
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import torch

from frostbench.plugins.contract.completions import Cost


class Energy:
    """The joules that devices have used, as their driver counts them.

    The counter is the whole card's: it includes other programs, and what the card takes when idle.
    """

    def __init__(self, devices: Iterable[torch.device]) -> None:
        self._devices = tuple(devices)

    def joules(self) -> float | None:
        """All that the devices have used since their driver began to count.

        None where one of them is no CUDA device, where the package `nvidia-ml-py` or the driver is
        not there, and for cards that do not count (before Volta, and parts of a card under MIG).
        """
        told = [_joules(device) for device in self._devices]
        known = [joules for joules in told if joules is not None]
        return sum(known) if told and len(known) == len(told) else None


class Outlay:
    """Seconds and joules from now on."""

    def __init__(self, energy: Energy) -> None:
        self._energy = energy
        self._begun, self._before = time.perf_counter(), energy.joules()

    def cost(self) -> Cost:
        """Seconds and joules spent until now."""
        seconds, now = time.perf_counter() - self._begun, self._energy.joules()
        joules = None if now is None or self._before is None else now - self._before
        return Cost(seconds, joules=joules)


def _joules(device: torch.device) -> float | None:
    counter = _counter(device, os.getpid())
    if counter is None:
        return None
    nvml, handle = counter
    try:
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
    except nvml.NVMLError:
        return None


@cache
def _counter(device: torch.device, process: int) -> tuple[Any, Any] | None:
    """NVML and its handle of a device; a process that was forked opens its own."""
    if device.type != "cuda":
        return None
    try:
        import pynvml  # type: ignore[import-not-found]

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except Exception as error:  # a missing package, driver or right: no figure, and said once
        print(f"no energy figures for {device}: {error}", file=sys.stderr)
        return None
