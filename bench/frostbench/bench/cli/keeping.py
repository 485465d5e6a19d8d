"""Starts a worker on the machine where it should run. Imports no torch."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from frostbench.bench.store.leases import LOG
from frostbench.plugins.host.packs import digest_of

APPEARING = 10.0  # seconds, at most, until a file is visible on other machines
_LOOK = 0.2
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Order:
    """An order to start a worker of the run in a folder, which has a seal.

    `words` follow `frostbench work`, and `place` is the folder in which it was ordered.
    """

    folder: str
    seal: str
    name: str
    words: Sequence[str]
    threads: int
    place: str


class Keeper:
    """A Ray actor that holds a worker's process on a node; the process ends with the actor."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None

    def placed(self) -> str:
        """The machine on which it was placed."""
        return platform.node()

    def work(self) -> int:
        """The exit code of the worker's process, once it has ended.

        Raises:
            FileNotFoundError: the run is not there on this machine.
        """
        order = self._order
        if not sees(order.folder, order.seal):
            raise FileNotFoundError(f"{platform.node()} does not see the run in {order.folder}")
        place = order.place if Path(order.place).is_dir() else None
        self._process = start_worker(order.folder, order.name, order.words, order.threads, place)
        return self._process.wait()

    def end(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.terminate()


def start_worker(
    folder: str, name: str, words: Sequence[str], threads: int, place: str | None = None
) -> "subprocess.Popen[bytes]":
    """Start a worker of the run in a folder, with `place` (or this folder) as its working folder.

    Its output goes into a file that the run reads.
    """
    log = Path(folder) / "workers" / f"{name}{LOG}"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "frostbench", "work", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, **dict.fromkeys(_THREADS, str(threads))},
            cwd=place,
        )


def seal_of(folder: str) -> str:
    """A seal that identifies a run, however far it is."""
    manifest = json.loads((Path(folder) / "manifest.json").read_bytes())
    return digest_of([manifest["created"], manifest["identity"]])


def sees(folder: str, seal: str) -> bool:
    """Whether this machine sees the run with this seal in a folder."""
    given_up = time.monotonic() + APPEARING
    while True:
        with suppress(OSError, ValueError, LookupError, TypeError):
            if seal_of(folder) == seal:
                return True
        if time.monotonic() > given_up:
            return False
        time.sleep(_LOOK)


def cards_here() -> list[int]:
    """The memory in bytes of each card of this machine; empty where the driver does not tell."""
    # Ray hides cards from tasks that ask for none; the driver's own program shows them.
    asked = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        return [int(line) << 20 for line in said.split()]
    except (OSError, subprocess.CalledProcessError, ValueError):
        return []
