"""The run's side of the connection to the process of an isolated method."""

import itertools
import os
import signal
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from frostbench.bench.isolation.codec import MessageError, MessageReader, MessageWriter
from frostbench.bench.isolation.nursery import Nursery, nursery
from frostbench.bench.isolation.serving import Opening, Serve
from frostbench.bench.isolation.wire import Wire
from frostbench.bench.runner.crew import how_it_ended
from frostbench.plugins.engine.resolve import Feed
from frostbench.plugins.host.containment import DeathError, seconds_left, uncut
from frostbench.plugins.host.errors import ToldError
from frostbench.plugins.host.limits import limits

GRACE = 5.0
"""Seconds for which a process may ignore its time limit before it is ended."""


class Link:
    """The connection to a method's own process, which is asked one thing at a time.

    The process ends when this object is no longer referred to. Once it has ended for another reason
    it is not asked again.
    """

    def __init__(self, opening: Opening, device: str) -> None:
        self._feeds: weakref.WeakValueDictionary[int, _Fed] = weakref.WeakValueDictionary()
        self._writer = MessageWriter()
        me = weakref.proxy(self)  # so that nothing waits for the garbage collector
        self._reader = MessageReader([device.partition(":")[0]], lambda number: me._feed(number))
        self._numbers = itertools.count()
        self._done_with: list[int] = []
        self._ended = ""
        serve = Serve(opening, device, torch.get_num_threads(), limits())
        self._nursery = nursery()
        with uncut():
            self.process, connection = self._nursery.fork(serve)
        self._wire = Wire(connection)
        self._end = weakref.finalize(self, _end, self._wire, self._nursery, self.process)

    def new_number(self) -> int:
        """A number for an object that stays in the process until `done_with`."""
        return next(self._numbers)

    def done_with(self, number: int) -> None:
        """Let the process forget an object at the next question. May be called at any moment."""
        self._done_with.append(number)

    def ask(self, verb: str, *arguments: Any) -> Any:
        """The process's answer to a verb.

        Raises:
            ToldError: it raised something there.
            torch.OutOfMemoryError: there was not enough memory there.
            DeathError: the process has ended.
        """
        if self._ended:
            raise DeathError(self._ended)
        done, self._done_with = self._done_with, []
        with uncut():
            left = seconds_left()
            until = None if left == float("inf") else time.monotonic() + left + GRACE
            # Rounded, for the sentence on a time limit that was not kept.
            allowed = max(float(f"{left:.3g}"), 1e-6)
            try:
                self._wire.send(self._writer.write([verb, allowed, done, list(arguments)]), until)
                answer = _checked(self._reader.read(self._wire.receive(until)))
            except BaseException as error:
                self._close(error, verb)
                if isinstance(error, Exception):
                    raise DeathError(self._ended) from None
                raise
        if isinstance(answer, _Failed):
            raise (torch.OutOfMemoryError if answer.memory else ToldError)(answer.sentence)
        return answer

    def _close(self, error: BaseException, verb: str) -> None:
        """End the process, and say how it ended."""
        where = f"while it was in {verb}"
        late, strange = isinstance(error, TimeoutError), isinstance(error, MessageError)
        at_once = late or strange or not isinstance(error, Exception)
        self._wire.close()
        status = -signal.SIGKILL
        with suppress(OSError, EOFError):  # the nursery is gone, with its processes
            status = os.waitstatus_to_exitcode(self._nursery.end(self.process, at_once=at_once))
        self._end.detach()
        if late:
            said = "its process did not heed its time limit (most_seconds) and was ended"
        elif strange:
            said = f"its process was ended because of its answer: {error}"
        elif at_once:
            said = "its process was ended"
        else:
            said = f"its process ended {how_it_ended(status)}"
        self._ended = f"{said} {where}"

    def _feed(self, number: int) -> Feed:
        fed = self._feeds.get(number)
        if fed is None:
            fed = self._feeds[number] = _Fed(self, number)
        return fed


@dataclass(eq=False)
class _Fed:
    """A function in a method's prompts that runs in the method's process."""

    link: Link
    number: int

    def __call__(self, features: Tensor) -> Tensor:
        made: Tensor = self.link.ask("feed", self.number, features)
        return made


@dataclass(frozen=True)
class _Failed:
    sentence: str
    memory: bool


def _checked(answer: Any) -> Any:
    """The result, or a `_Failed`.

    Raises:
        MessageError: it is no answer.
    """
    match answer:
        case ["made", made]:
            return made
        case ["failed", str() as sentence, bool() as memory]:
            return _Failed(sentence, memory)
        case _:
            raise MessageError("it is no answer")


def _end(wire: Wire, nursery: Nursery, process: int) -> None:
    wire.close()
    nursery.abandon(process)
