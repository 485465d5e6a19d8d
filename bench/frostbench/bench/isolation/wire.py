"""Sends and receives messages over a socket, whole or not at all."""

import socket
import struct
import time
from collections.abc import Sequence

from frostbench.bench.isolation.codec import MOST_BYTES, MessageError

_LENGTH = struct.Struct("<Q")


class Wire:
    """One end of a connection between two processes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, message: Sequence[bytes | memoryview], until: float | None = None) -> None:
        """Send a message that a `MessageWriter` wrote.

        Raises:
            TimeoutError: it was not received by the deadline, in seconds of the monotonic clock.
            OSError: the other side is gone.
        """
        self._limit(until)
        for piece in message:
            self._connection.sendall(piece)
            self._limit(until)

    def receive(self, until: float | None = None) -> memoryview:
        """The next message, as a `MessageReader` reads it.

        Raises:
            TimeoutError: it did not arrive by the deadline.
            MessageError: it is longer than any may be.
            EOFError: the other side is gone.
        """
        (size,) = _LENGTH.unpack(self._exactly(_LENGTH.size, until))
        if size > MOST_BYTES:
            raise MessageError(f"a message of {size} bytes is longer than any may be")
        return self._exactly(_LENGTH.size + size, until)

    def close(self) -> None:
        """Close this end."""
        self._connection.close()

    def _exactly(self, count: int, until: float | None) -> memoryview:
        data = bytearray(count)
        view = memoryview(data)
        at = 0
        while at < count:
            self._limit(until)
            got = self._connection.recv_into(view[at:])
            if not got:
                raise EOFError
            at += got
        return view

    def _limit(self, until: float | None) -> None:
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
