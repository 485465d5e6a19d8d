"""Versions of software and facts about the hardware, for manifests and packs' cards."""

import importlib.metadata
import os
import platform
from pathlib import Path

from frostbench.bench.store.hardware import Hardware

_PACKAGES = (
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "timm",
    "peft",
    "safetensors",
    "numpy",
    "pillow",
    "lpips",
    "torch-fidelity",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers can depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def hardware(device: str) -> Hardware:
    """The hardware of the run."""
    import psutil

    memory = int(psutil.virtual_memory().total)
    return Hardware(_processor(), _cores(), memory, _accelerator(device), _threads())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _accelerator(device: str) -> str | None:
    if device == "mps":
        import torch

        return f"{torch.backends.mps.get_name()} (Metal)"
    if not device.startswith("cuda"):
        return None
    import torch

    # The process that keeps a run for workers on other machines may have no card.
    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else None
