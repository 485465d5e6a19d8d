"""Methods that mean harm, and how each is opened in a process of its own."""

import ctypes
import gc
import os
import pickle
import signal
import socket
import struct
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import runner_world
import torch
from runner_world import Blocks, Fine, OneBackbone

from frostbench.bench.isolation.method import isolated
from frostbench.bench.runner.plan import PlannedMethod
from frostbench.bench.store.writer import SampleWriter
from frostbench.plugins.contract.task import Instance
from frostbench.plugins.kit import toys


class Sinner(Blocks):
    """Does its deed at `at`, in the place of what it should."""

    card = replace(
        Blocks.card, name="sinner", capabilities=frozenset({"Classify"}), reasons={"Restore": "no"}
    )

    def __init__(self, deed: str = "", at: str = "", place: str = "") -> None:
        super().__init__()
        self.deed, self.at, self.place = deed, at, place
        self.now("build")

    def now(self, moment: str) -> None:
        if moment == self.at:
            DEEDS[self.deed](self.place)

    def tokenize(self, images: Any, sizes: Any) -> Any:
        self.now("tokenize")
        return super().tokenize(images, sizes)

    def prompt(self, request: Any, tokens: Any) -> Any:
        self.now("prompt")
        outcome = yield from super().prompt(request, tokens)
        self.now("late")
        return outcome

    def decode(self, requests: Any, outcomes: Any) -> Any:
        self.now("decode")
        return super().decode(requests, outcomes)


class Spy(Sinner):
    """Answers with the target where it finds it in memory, and tells what else it finds there."""

    def prompt(self, request: Any, tokens: Any) -> Any:
        found = [one for one in gc.get_objects() if type(one) is Instance]
        answers = [one.target for one in found if one.request.id == request.id]
        yield []
        return answers[0] if answers else f"{len(found)} targets"

    def words(self, tokens: Any) -> Any:
        kinds = {type(one) for one in gc.get_objects()}
        return {"found": [[kind.__name__ for kind in (Blocks, SampleWriter) if kind in kinds]]}


def vandalise(place: str) -> None:
    """Make another method draw black, and a metric find everything right."""
    Fine.draw = lambda self, ids: Blocks.draw(self, ids) * 0  # type: ignore[method-assign]
    runner_world.accuracy.__code__ = (lambda prediction, target: 0.25).__code__


def deaf(place: str) -> None:
    """Take no notice of a time limit."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(600)


class Pickled:
    """What makes a file where somebody unpickles it."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.place),)


def lie(place: str) -> None:
    """Answer the run by itself, with a pickle."""
    content = pickle.dumps(Pickled(place))
    message = struct.pack("<QQ", len(content), len(content)) + content
    for one in gc.get_objects():
        if isinstance(one, socket.socket) and one.fileno() >= 0:
            one.sendall(message)
    time.sleep(600)


DEEDS = {
    "exit": lambda place: os._exit(3),
    "crash": lambda place: ctypes.string_at(0),
    "kill": lambda place: os.kill(os.getpid(), signal.SIGKILL),
    "memory": lambda place: bytearray(1 << 60),
    "deaf": deaf,
    "sleep": lambda place: time.sleep(600),
    "vandalise": vandalise,
    "lie": lie,
    "halve": lambda place: SHARED.layer.weight.data.mul_(0.5),
    "argmax": lambda place: setattr(torch, "argmax", torch.argmin),
}
SHARED = OneBackbone()


@dataclass(frozen=True)
class Opened:
    """A method of these worlds in a process of its own."""

    kind: type[Blocks]
    arguments: tuple[Any, ...] = ()

    def __call__(self) -> tuple[OneBackbone, PlannedMethod]:
        return SHARED, PlannedMethod(self.kind.card, lambda: self.kind(*self.arguments))


@dataclass(frozen=True)
class Toy:
    """A method's toy, with toy backbones, in a process of its own."""

    kind: type[Any]

    def __call__(self) -> Any:
        return toys.backbones(), PlannedMethod(self.kind.card, self.kind.toy)


def apart(kind: type[Blocks], *arguments: Any) -> PlannedMethod:
    return isolated(PlannedMethod(kind.card, kind), Opened(kind, arguments))


def beside(kind: type[Blocks], *arguments: Any) -> PlannedMethod:
    """The same method in the run's own process."""
    return PlannedMethod(kind.card, lambda: kind(*arguments))
