"""Starts the workers of a run in processes of their own, watches and restarts them."""

import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from frostbench.bench.store.leases import Leases

ATTEMPTS = 5
"""How often in a row a worker may die, while nothing is stored, before it is left dead."""
PATIENCE = 10.0  # seconds in which a process should end when it is asked to


@runtime_checkable
class Process(Protocol):
    """A process that was started; `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit code, or minus the number of the signal that ended it; None while it lives."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


@runtime_checkable
class Elsewhere(Process, Protocol):
    """A process that a scheduler places, on this machine or another."""

    def queued(self) -> bool:
        """Whether it still waits for a place."""
        ...

    def how(self) -> str:
        """How it ended, in words."""
        ...


Launch: TypeAlias = Callable[[str], Process]
"""Starts the worker of a name."""


class CrewError(ChildProcessError):
    """All workers died repeatedly; the message says how. What is stored can be resumed."""


@dataclass
class _Member:
    name: str
    process: Process
    code: int | None = None
    stored: int = 0  # samples stored by all, when it was started
    in_vain: int = 0
    deaths: int = 0
    last: str = ""


class Crew:
    """Workers, each in a process of its own.

    A worker that dies is started again, unless it has died `ATTEMPTS` times in a row while nobody
    stored anything: then the others go on without it. `ready` is called before they are started,
    when the run's folder holds its manifest.

    Attributes:
        names: of the workers.
    """

    def __init__(
        self, names: Sequence[str], launch: Launch, ready: Callable[[], None] = lambda: None
    ) -> None:
        self.names = tuple(names)
        self._launch = launch
        self._ready = ready
        self._members: dict[str, _Member] = {}
        self._lost: dict[str, _Member] = {}

    def start(self) -> None:
        """Start all workers."""
        self._ready()
        for name in self.names:
            self._members[name] = _Member(name, self._launch(name))

    def poll(self) -> None:
        """See which processes have ended; what they wrote can be read after this."""
        for member in self._members.values():
            member.code = member.process.poll()

    def look(self, stored: int, finished: Collection[str], leases: Leases) -> bool:
        """Restart workers that had died when polled; return whether any is still at work.

        `stored` is the number of samples that all have stored, `finished` the workers that are
        done. A worker is done when nothing is left to take, so that one still waiting for a place
        then is not waited for.

        Raises:
            CrewError: no worker is left.
        """
        for member in list(self._members.values()):
            process = member.process
            if member.code is None:
                if finished and isinstance(process, Elsewhere) and process.queued():
                    process.kill()
                    del self._members[member.name]
                continue
            if member.name in finished:
                del self._members[member.name]
                continue
            leases.bury(member.name)
            member.deaths += 1
            member.last = (
                process.how() if isinstance(process, Elsewhere) else how_it_ended(member.code)
            )
            self._lost[member.name] = member
            member.in_vain = 0 if stored > member.stored else member.in_vain + 1
            if member.in_vain < ATTEMPTS:
                member.stored = stored
                member.process, member.code = self._launch(member.name), None
                continue
            del self._members[member.name]
            if not self._members and not finished:
                raise CrewError(
                    f"all workers died again and again, the last {member.last}; the same command "
                    "goes on from there, with fewer workers if memory is short (workers=1)."
                )
        return bool(self._members)

    @property
    def notes(self) -> list[str]:
        """A sentence on each worker that died."""
        return [
            f"worker {member.name} died {member.deaths} times before its work was done, the last "
            f"time {member.last}; what it was doing was done again."
            for _, member in sorted(self._lost.items())
        ]

    def stop(self) -> None:
        """End all workers that are still at work."""
        for member in self._members.values():
            member.process.terminate()
        given_up = time.monotonic() + PATIENCE
        for member in self._members.values():
            while member.process.poll() is None:
                if time.monotonic() > given_up:
                    member.process.kill()
                time.sleep(0.02)
        self._members.clear()


def how_it_ended(code: int) -> str:
    """An exit code, or minus the number of the signal that a process died of, in words."""
    number = -code if code < 0 else code - 128
    try:
        named = signal.Signals(number).name
    except ValueError:
        return f"with exit code {code}"
    why = " (for want of memory, or by hand)" if number == signal.SIGKILL else ""
    return f"of signal {named}{why}"
