"""`frostbench run` under torchrun or srun: the rank of this process.

Each process has a rank. That of rank 0 keeps the run and works on it; the others work on it.
"""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from frostbench.bench.cli.config import RunConfig, UsageError
from frostbench.plugins.host.errors import missing

LAUNCHERS = ("auto", "local", "torchrun", "slurm", "ray")
NUMBERED: Mapping[Literal["torchrun", "slurm"], tuple[str, ...]] = {
    "torchrun": ("RANK", "LOCAL_RANK", "WORLD_SIZE"),
    # A batch script has the others too; only a step that srun starts has this one.
    "slurm": ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS", "SLURM_STEP_ID"),
}
"""The variables of the environment by which a launcher numbers processes."""


@dataclass(frozen=True)
class ProcessRank:
    """One of several processes: its number, that on its own machine, and who started it."""

    number: int
    local: int
    launcher: Literal["torchrun", "slurm"]

    def launch(self) -> str:
        """A mark shared by the processes that were started together, and by no others.

        Raises:
            UsageError: the processes cannot reach each other.
        """
        if self.launcher == "torchrun":
            return _agreed()
        job, step = os.environ.get("SLURM_JOB_ID", "0"), os.environ["SLURM_STEP_ID"]
        return f"{job}.{step}.{os.environ.get('SLURM_RESTART_COUNT', '0')}"

    def configured(self, config: RunConfig) -> RunConfig:
        """The configuration of this process, on its own device; only rank 0 shows how far it is.

        Raises:
            UsageError: the configuration sets what the launcher sets.
            ValueError: there is no such device.
        """
        from frostbench.plugins.backbones.devices import device_of

        kind, _, number = config.device.partition(":")
        if config.devices or config.workers != "auto" or number:
            raise UsageError(
                f"{self.launcher} says how many workers there are, and the local rank which card "
                "each has: leave workers= and devices= out, and write device=cuda or device=cpu."
            )
        device = f"{kind}:{self._card()}" if kind == "cuda" else kind
        device_of(device)
        quiet = config.quiet or self.number > 0
        return replace(config, device=device, devices=[device], quiet=quiet)

    def _card(self) -> int:
        """The card of this process: the only one, where Slurm shows it no other."""
        import torch

        return 0 if self.launcher == "slurm" and torch.cuda.device_count() == 1 else self.local


def rank_of(config: RunConfig, environment: Mapping[str, str] = os.environ) -> ProcessRank | None:
    """The rank of this process; None where it is the only one of its run.

    Raises:
        UsageError: there is no such launcher, or it has not started this process.
    """
    if config.launcher not in LAUNCHERS:
        raise UsageError(missing("launcher", config.launcher, LAUNCHERS))
    if config.address and config.launcher != "ray":
        raise UsageError(f"address={config.address} is that of a Ray cluster: add launcher=ray.")
    for launcher, names in NUMBERED.items():
        if config.launcher not in ("auto", launcher):
            continue
        if absent := [name for name in names if name not in environment]:
            if config.launcher == launcher:
                raise UsageError(
                    f"launcher={launcher}: {absent[0]} is not in the environment; start it with "
                    f"`{'torchrun ... -m' if launcher == 'torchrun' else 'srun'} frostbench run`."
                )
            continue
        try:
            number, local, size = (int(environment[name]) for name in names[:3])
            size = int(environment.get("SLURM_STEP_NUM_TASKS", size)) if names[3:] else size
        except ValueError as error:
            raise UsageError(f"{', '.join(names[:3])} in the environment: {error}.") from error
        return ProcessRank(number, local, launcher) if size > 1 else None
    return None


@cache
def _agreed() -> str:
    """A word that torchrun's processes agree on: the first one that any of them gives."""
    from torch.distributed.rendezvous import rendezvous

    try:
        store, _, _ = next(rendezvous("env://"))
        word: bytes = store.compare_set("frostbench", "", uuid.uuid4().hex[:12])
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"the processes of torchrun cannot meet: {error}") from error
    _STORES.append(store)  # the others may query this process
    return word.decode()


_STORES: list[object] = []
