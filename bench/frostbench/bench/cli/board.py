"""What a working process tells the one that waits for it, in memory that both see."""

import json
import math
import mmap
import struct
from dataclasses import dataclass
from functools import lru_cache

from frostbench.plugins.host.containment import Call

SIZE = 1 << 14
_HEAD = struct.Struct("=iidH")  # whether it came to its end, exit code, deadline, length of text


@dataclass(frozen=True)
class Told:
    """What a process was in when it was last looked at.

    `status` is the exit code of its work, None where it has not come to its end; `deadline` is when
    the call is to be over, in seconds of the monotonic clock.
    """

    status: int | None
    call: Call | None
    scene: str
    deadline: float


class Board:
    """Writing is cheap, since it happens around every call of a stranger's code."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)
        self.tell(None, "", math.inf)

    def tell(self, call: Call | None, scene: str, deadline: float) -> None:
        """The process is in this call now."""
        text = _text(call, scene)
        # A process that dies in between leaves no text rather than half of one.
        _HEAD.pack_into(self._memory, 0, 0, 0, deadline, 0)
        self._memory[_HEAD.size : _HEAD.size + len(text)] = text
        _HEAD.pack_into(self._memory, 0, 0, 0, deadline, len(text))

    def finish(self, status: int) -> None:
        """The process has done its work."""
        _HEAD.pack_into(self._memory, 0, 1, status, math.inf, 0)

    def read(self) -> Told:
        """What is told now."""
        ended, status, deadline, length = _HEAD.unpack_from(self._memory)
        text = self._memory[_HEAD.size : _HEAD.size + length]
        *call, scene = json.loads(text) if text else [""]
        return Told(status if ended else None, Call(*call) if call else None, scene, deadline)


@lru_cache(maxsize=256)
def _text(call: Call | None, scene: str) -> bytes:
    names = [] if call is None else [call.kind, call.name, call.verb]
    return json.dumps([one[:200] for one in (*names, scene)]).encode()
