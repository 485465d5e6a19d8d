"""A process with all imports done, from which the methods' processes are forked.

It is started once by a run or a worker, with nothing but the path of modules: no argument, file or
memory of the run comes with it. A method's process is forked from it in milliseconds, so that none
imports torch again, and ends with it, as it ends with the process that started it.
"""

import atexit
import json
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

PRELOADED = (
    "frostbench.bench.isolation.serving",
    "frostbench.bench.cli.assemble",
    "frostbench.plugins.backbones.causal_lm",
    "frostbench.plugins.backbones.clip",
    "transformers.modeling_utils",
    "transformers.models.llama.modeling_llama",
    "open_clip",
)
PATIENCE = 1.0  # seconds within which a process that closed its connection should end by itself
_SCRIPT = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.readline()); "
    "from frostbench.bench.isolation.nursery import tend; tend(int(sys.stdin.readline()))"
)
_LENGTH = struct.Struct("<q")


class Nursery:
    """The nursery of this process; `nursery` gives it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self.process = os.getpid()
        self._abandoned: list[int] = []
        self._broken = False
        with theirs:
            number = theirs.fileno()
            self._popen = subprocess.Popen(
                [sys.executable, "-c", _SCRIPT],
                stdin=subprocess.PIPE,
                pass_fds=[number],
            )
            assert self._popen.stdin is not None
            with self._popen.stdin as given:
                given.write(f"{json.dumps(sys.path)}\n{number}\n".encode())
        atexit.register(self.close)

    def close(self) -> None:
        """End the nursery, and all that it has forked."""
        if self.process == os.getpid():
            self._socket.close()
            self._popen.wait()

    def fork(self, function: Callable[[socket.socket], None]) -> tuple[int, socket.socket]:
        """Start a process that runs a function; return its number and the connection to it.

        Raises:
            OSError, EOFError: the nursery is gone.
        """
        content = pickle.dumps(function)
        ours, theirs = socket.socketpair()
        with theirs:
            self._end_abandoned()
            socket.send_fds(self._socket, [_LENGTH.pack(len(content))], [theirs.fileno()])
            self._socket.sendall(content)
            return self._answer(), ours

    def end(self, process: int, *, at_once: bool = False) -> int:
        """The exit status of a process, as from `os.waitpid`; a running process is ended.

        It gets a moment to end by itself, unless it is to be done `at_once`.

        Raises:
            OSError, EOFError: the nursery is gone.
        """
        self._socket.sendall(_LENGTH.pack(-process) + bytes([at_once]))
        return self._answer()

    def abandon(self, process: int) -> None:
        """Mark a process to be ended at the next question to the nursery.

        The garbage collector may call this at any moment.
        """
        self._abandoned.append(process)

    def _end_abandoned(self) -> None:
        while self._abandoned:
            self.end(self._abandoned.pop(), at_once=True)

    def _answer(self) -> int:
        try:
            (number,) = _LENGTH.unpack(_exactly(self._socket, _LENGTH.size))
        except BaseException:  # it would not be known what the next answer belongs to
            self._broken = True
            raise
        return int(number)

    @property
    def serves(self) -> bool:
        """Whether this process can still use it."""
        mine = self.process == os.getpid() and not self._broken
        return mine and self._popen.poll() is None


_nursery: Nursery | None = None


def nursery() -> Nursery:
    """The nursery of this process, started when it is first asked for."""
    global _nursery
    if _nursery is None or not _nursery.serves:
        _nursery = Nursery()
    return _nursery


def tend(number: int) -> None:
    """The nursery's work, until the process that started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that process is told, and ends this one
    asked = socket.socket(fileno=number)
    for name in PRELOADED:
        __import__(name)
    children: set[int] = set()
    with suppress(EOFError, OSError):
        while True:
            head, given, _, _ = socket.recv_fds(asked, _LENGTH.size, 1)
            if len(head) < _LENGTH.size:
                break
            (size,) = _LENGTH.unpack(head)
            if size < 0:
                at_once = _exactly(asked, 1) == b"\x01"
                answer = _end(-size, at_once=at_once)
                children.discard(-size)
            else:
                content = _exactly(asked, size)
                answer = _fork(asked, given[0], content)
                children.add(answer)
            asked.sendall(_LENGTH.pack(answer))
    for child in children:
        _end(child, at_once=True)
    os._exit(0)


def _fork(asked: socket.socket, given: int, content: bytes) -> int:
    process = os.fork()
    if process:
        os.close(given)
        return process
    asked.close()
    status = 1
    try:
        with socket.socket(fileno=given) as connection:
            pickle.loads(content)(connection)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)


def _end(process: int, *, at_once: bool) -> int:
    given_up = time.monotonic() + (0 if at_once else PATIENCE)
    while True:
        try:
            ended, status = os.waitpid(process, os.WNOHANG)
        except ChildProcessError:
            return 0
        if ended:
            return status
        if time.monotonic() >= given_up:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            return os.waitpid(process, 0)[1]
        time.sleep(0.002)


def _exactly(connection: socket.socket, count: int) -> bytes:
    """Exactly `size` bytes.

    Raises:
        EOFError: the other side is gone.
    """
    data = bytearray()
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
