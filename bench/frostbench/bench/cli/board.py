"""The current activity of a working process, in memory shared with the process that watches it."""

import json
import math
import mmap
import struct
from dataclasses import dataclass
from functools import lru_cache

from frostbench.plugins.host.containment import Call

SIZE = 1 << 14
# Number of writes (odd during one), whether the work has ended, exit code, deadline, and length of
# the text.
_HEAD = struct.Struct("=IiidH")
_TURN = struct.Struct("=I")
LOOKS = 1000  # attempts at reading during a write


@dataclass(frozen=True)
class Told:
    """The call in which a process was last seen.

    `status` is the exit code of its work, None before its end; `deadline` is the call's time limit,
    in seconds of the monotonic clock.
    """

    status: int | None
    call: Call | None
    scene: str
    deadline: float


class Board:
    """Writing is cheap, since it happens around every call of a stranger's code."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)
        self._turn = 0
        self.tell(None, "", math.inf)

    def tell(self, call: Call | None, scene: str, deadline: float) -> None:
        """Record that the process is in this call."""
        self._write(0, 0, deadline, _text(call, scene))

    def finish(self, status: int) -> None:
        """Record that the process has done its work."""
        self._write(1, status, math.inf, b"")

    def read(self) -> Told:
        """The current state; a text that was being written when its process died is left out."""
        for _ in range(LOOKS):
            head = self._memory[: _HEAD.size]
            turn, ended, status, deadline, length = _HEAD.unpack(head)
            text = self._memory[_HEAD.size : _HEAD.size + length]
            if turn % 2 == 0 and self._memory[: _HEAD.size] == head:
                break
        else:
            text = b""
        *call, scene = json.loads(text) if text else [""]
        return Told(status if ended else None, Call(*call) if call else None, scene, deadline)

    def _write(self, ended: int, status: int, deadline: float, text: bytes) -> None:
        self._turn = (self._turn + 2) & 0xFFFFFFFE
        odd = self._turn | 1
        # While the number is odd, readers ignore the content.
        _TURN.pack_into(self._memory, 0, odd)
        self._memory[_HEAD.size : _HEAD.size + len(text)] = text
        _HEAD.pack_into(self._memory, 0, odd, ended, status, deadline, len(text))
        _TURN.pack_into(self._memory, 0, self._turn)


@lru_cache(maxsize=256)
def _text(call: Call | None, scene: str) -> bytes:
    names = [] if call is None else [call.kind, call.name, call.verb]
    return json.dumps([one[:200] for one in (*names, scene)]).encode()
