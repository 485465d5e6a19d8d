"""Leases: which worker does which part of a run, in a folder that several machines may share.

    leases/KEY~1/owner     the first who took the part: worker and session
    leases/KEY~2/owner     who took it over, since the first gave no sign of life
    leases/KEY~2/done      it is finished
    workers/NAME.beat      a worker's session, and a number that grows while it lives
    workers/NAME.log       what a worker's process complains of

A lease is a folder that is made under a name of its own and renamed. A rename onto a folder that
holds something fails on every file system, so that only one of several workers gets the part,
without a lock. No lease is removed or renamed: a worker that takes a part over takes the next
number. Clocks are not compared: a worker is gone when its number has not changed for `expiry`
seconds of the observer's clock, or when a later session has its name.
"""

import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from frostbench.bench.store.atomic import regular, write_whole, writing

EXPIRY = 60.0  # seconds without a sign of life
BEATS = 12  # signs of life within them
OWNER, DONE, BEAT, LOG = "owner", "done", ".beat", ".log"
WORKERS = ("leases", "workers")  # folders of a run while it is at work

State = Literal["free", "held", "done"]


@dataclass(frozen=True)
class Owner:
    """The holder of a lease: a worker, in one of the sessions with its name."""

    worker: str
    session: str


@dataclass(frozen=True)
class Lease:
    """A part of a run that was taken; the worker that took it as `number` holds it or has done it.

    `owner` is None where it cannot be read any more.
    """

    key: str
    number: int
    owner: Owner | None
    done: bool


@dataclass(frozen=True)
class Beat:
    """A worker's last sign of life: its session, and its time by the file system's clock.

    The session is "" after the last one, or where the worker was declared dead.
    """

    worker: str
    session: str
    at: float


class Leases:
    """The leases of a run, as one session of a worker sees them.

    Attributes:
        owner: that session.
        taken_over: what this session took over, with the worker who had held it.
    """

    def __init__(self, run: Path, worker: str, expiry: float = EXPIRY) -> None:
        self.owner = Owner(worker, uuid.uuid4().hex[:12])
        self.taken_over: list[tuple[str, str]] = []
        self._folder = run / "leases"
        self._workers = run / "workers"
        self._expiry = expiry
        self._seen: dict[str, tuple[str, float]] = {}
        self._beats = 0

    def beat(self, *, last: bool = False) -> None:
        """Give a sign of life; after the `last` one, what is held counts as given back."""
        self._beats += 1
        session = "" if last else self.owner.session
        path = self._workers / f"{quote(self.owner.worker, safe='')}{BEAT}"
        write_whole(path, f"{session} {self._beats}\n".encode(), sync=False)

    @contextmanager
    def beating(self, lives: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Give signs of life from a thread, as long as `lives` says so."""
        ended = threading.Event()
        every = self._expiry / BEATS

        def beats() -> None:
            while not ended.wait(every):
                if lives():
                    with suppress(Exception):  # a full disk ends the run elsewhere
                        self.beat()

        self.beat()
        thread = threading.Thread(target=beats, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with suppress(Exception):
                self.beat(last=True)

    def bury(self, worker: str) -> None:
        """Declare a worker dead: what it held is free at once."""
        write_whole(self._workers / f"{quote(worker, safe='')}{BEAT}", b" 0\n", sync=False)

    def state(self, key: str) -> State:
        """Whether a part is free, held by a living worker, or done."""
        return self._state(self._last(key))

    def abandoned(self, key: str) -> bool:
        """Whether a part was taken and not finished by a worker that is gone."""
        place = self._last(key)
        return place is not None and self._state(place) == "free"

    def mine(self, key: str) -> bool:
        """Whether this session holds the part now."""
        place = self._last(key)
        return place is not None and _owner(place) == self.owner

    def claim(self, key: str) -> bool:
        """Take a free part; return whether this session has it now."""
        last = self._last(key)
        if self._state(last) != "free":
            return False
        number = 1 if last is None else _number(last) + 1
        place = self._folder / f"{_name(key)}~{number}"
        made = self._folder / f".{_name(key)}.{self.owner.session}"
        with writing(made):
            made.mkdir(parents=True, exist_ok=True)
            (made / OWNER).write_text(f"{self.owner.worker} {self.owner.session}")
        try:
            os.rename(made, place)
        except OSError:  # another worker was faster
            shutil.rmtree(made, ignore_errors=True)
            return False
        if last is not None and (before := _owner(last)) is not None:
            self.taken_over.append((key, before.worker))
        return True

    def finish(self, key: str) -> None:
        """Mark a part as done, if this session still holds it."""
        place = self._last(key)
        if place is not None and _owner(place) == self.owner:
            with writing(place):
                (place / DONE).touch()

    def _state(self, place: Path | None) -> State:
        if place is None:
            return "free"
        if (place / DONE).exists():
            return "done"
        owner = _owner(place)
        if owner == self.owner or (owner and self.lives(owner.worker, owner.session)):
            return "held"
        return "free"

    def session_of(self, worker: str) -> str:
        """The session of a worker's last sign of life; "" without one."""
        return self._told(worker).partition(" ")[0]

    def lives(self, worker: str, session: str) -> bool:
        """Whether a session of a worker has given a recent sign of life."""
        told = self._told(worker)
        if not session or told.partition(" ")[0] != session:
            return False
        now = time.monotonic()
        before, since = self._seen.get(session, ("", now))
        if told != before:
            before, since = told, now
        self._seen[session] = before, since
        return now - since < self._expiry

    def _told(self, worker: str) -> str:
        try:
            return (self._workers / f"{quote(worker, safe='')}{BEAT}").read_text()
        except OSError:
            return ""

    def _last(self, key: str) -> Path | None:
        """The lease with the highest number."""
        name, found = _name(key), None
        number = 1
        while (place := self._folder / f"{name}~{number}").exists():
            found, number = place, number + 1
        return found


def forget_leases(run: Path) -> None:
    """Remove all leases and signs of life; only while no worker is at work."""
    for name in WORKERS:
        shutil.rmtree(run / name, ignore_errors=True)


def leases_of(run: Path) -> list[Lease]:
    """All leases of a run, for observers; those of a part in the order of their numbers.

    The owner of a part is read only where it was taken over, or is not done.
    """
    folder = run / "leases"
    found: dict[str, list[int]] = {}
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            key, _, written = name.rpartition("~")
            if key and not key.startswith(".") and written.isdecimal():
                found.setdefault(key, []).append(int(written))
    leases = []
    for key, numbers in sorted(found.items()):
        for number in sorted(numbers):
            place = folder / f"{key}~{number}"
            done = (place / DONE).exists()
            owner = None if done and len(numbers) == 1 else _owner(place)
            leases.append(Lease(unquote(key), number, owner, done))
    return leases


def beats_of(run: Path) -> list[Beat]:
    """The last sign of life of every worker of a run."""
    beats = []
    for path in sorted((run / "workers").glob(f"[!.]*{BEAT}")):
        with suppress(OSError):
            session = regular(path).read_text().partition(" ")[0]
            worker = unquote(path.name.removesuffix(BEAT))
            beats.append(Beat(worker, session, path.stat().st_mtime))
    return beats


def _owner(place: Path) -> Owner | None:
    try:
        worker, _, session = regular(place / OWNER).read_text().rpartition(" ")
    except OSError:
        return None
    return Owner(worker, session)


def _number(place: Path) -> int:
    return int(place.name.rpartition("~")[2])


def _name(key: str) -> str:
    """The key as the name of a folder."""
    return quote(key, safe="@.,=-")
