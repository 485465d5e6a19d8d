"""Running strangers' code: whatever it raises is its own failure, and it has a time limit.

`contain` is the one door through which the bench calls a plugin. What comes out of it is a value,
an `Exception`, or the user's own Ctrl-C, and nothing else: `sys.exit`, a `KeyboardInterrupt` that
the code raises itself, a `GeneratorExit` and the like become an `EscapedError`.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeAlias, TypeVar

from frostbench.plugins.host.limits import limits

T = TypeVar("T")

ONE_PRESS = 1.0
"""Seconds in which a second SIGINT is the same Ctrl-C: a terminal sends one to every process, and
a process that waits for another passes its own on."""

REMINDER = 1.0
"""Seconds after which code that swallowed its time limit is told again."""


@dataclass(frozen=True)
class Call:
    """Whose code is called, and what for: Call("method", "mine", "tokenize")."""

    kind: str
    name: str
    verb: str

    @property
    def part(self) -> str:
        """The part that counts as failed if the process dies in it."""
        return f"{self.kind} {self.name!r}"


class EscapedError(Exception):
    """What a stranger's code raised, as `__cause__`, that is no `Exception`."""


class DeathError(Exception):
    """The process died in this code before; the message is a clause that says how."""


class TimeLimitError(BaseException):
    """A stranger's code takes too long. Not an `Exception`, which that code might catch itself."""


class Interrupted(KeyboardInterrupt):
    """The user's own Ctrl-C."""


Listener: TypeAlias = Callable[[Call | None, str, float], None]
"""Is told of each call with its scene and deadline (seconds of the monotonic clock)."""


class _State:
    """State that a process has once: one clock for alarms, one handler of Ctrl-C."""

    call: Call | None = None
    scene = ""
    deadline = math.inf
    allowed = ""  # how long the call was allowed to take
    alarm: tuple[Any, float, float, float] | None = None  # handler, timer, and when it was taken
    held = False  # whether the alarm must not end what is done now
    apart = False  # whether SIGINT comes to our handler
    pressed = -math.inf  # when Ctrl-C came last
    interrupted = False
    listener: Listener | None = None
    died: Mapping[str, str] = {}


def contain(
    call: Call | None,
    function: Callable[..., T],
    *arguments: Any,
    seconds: float | None = None,
    key: str = "most_seconds",
) -> T:
    """Call a stranger's function and return what it returns.

    Without a `call` it counts as part of the call that it is made in. Where the operating system
    and the thread allow it, the function is ended after `seconds`, or `most_seconds` of the limits
    that hold, or with the call around it; `key` is the setting that allows more, if one does.

    Raises:
        Exception: what the function raised; an `EscapedError` where that is no `Exception` or it
            took too long; a `DeathError` where the process died in it before.
        Interrupted: the user pressed Ctrl-C, also where the function swallowed it.
    """
    _stop_if_interrupted()
    if call is not None and call.part in _State.died:
        raise DeathError(_State.died[call.part])
    before = _State.call, _State.deadline, _State.allowed
    try:
        try:
            _enter(call or before[0], limits().most_seconds if seconds is None else seconds, key)
            result = function(*arguments)
        finally:
            _leave(*before)
    except Exception:
        _stop_if_interrupted()
        raise
    except BaseException as error:
        _leave(*before)  # an alarm may have come while the call was left
        _stop_if_interrupted()
        # Another handler does not tell whose KeyboardInterrupt it is.
        users = isinstance(error, KeyboardInterrupt) and not _told_apart()
        if users or isinstance(error, Interrupted):
            raise
        raise EscapedError from error
    _stop_if_interrupted()
    return result


@contextmanager
def interruptible() -> Iterator[None]:
    """Tell the user's Ctrl-C, `Interrupted`, from a `KeyboardInterrupt` of a stranger's code."""
    ours = _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    _State.apart = True
    try:
        yield
    finally:
        _State.apart = _State.interrupted = False
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def scene(words: str) -> Iterator[None]:
    """Name what the calls inside are made for: "task 'inpainting'"."""
    before, _State.scene = _State.scene, words
    _tell()
    try:
        yield
    finally:
        _State.scene = before
        _tell()


@contextmanager
def failed_by_death(parts: Mapping[str, str]) -> Iterator[None]:
    """Never call these parts again; the clauses, by `Call.part`, say how the process died."""
    before, _State.died = _State.died, {**_State.died, **parts}
    try:
        yield
    finally:
        _State.died = before


def deaths() -> Mapping[str, str]:
    """The parts that are not called again, with clauses that say how the process died in them."""
    return _State.died


def overdue() -> float:
    """Seconds by which the running call is past its deadline; 0 where it is not."""
    return max(0.0, time.monotonic() - _State.deadline)


def seconds_left() -> float:
    """Seconds until the deadline of the running call; infinity where there is none."""
    return _State.deadline - time.monotonic()


@contextmanager
def uncut() -> Iterator[None]:
    """Let no time limit end the code inside, which keeps to one by itself."""
    before, _State.held = _State.held, True
    try:
        yield
    finally:
        _State.held = before


def report_to(listener: Listener | None) -> None:
    """Tell each call to a listener, which may be another process that waits for this one."""
    _State.listener = listener


def _enter(call: Call | None, seconds: float, key: str) -> None:
    _State.call = call
    deadline = time.monotonic() + seconds
    if deadline < _State.deadline:
        _State.allowed = f"{seconds:g} seconds{f' ({key})' if key else ''}"
        _State.deadline = deadline
        _set_alarm()
    _tell()


def _leave(call: Call | None, deadline: float, allowed: str) -> None:
    changed = deadline != _State.deadline
    _State.call, _State.deadline, _State.allowed = call, deadline, allowed
    if changed:
        _set_alarm()
    if _State.apart and signal.getsignal(signal.SIGINT) is not _interrupt:
        signal.signal(signal.SIGINT, _interrupt)
    _tell()


def _tell() -> None:
    if _State.listener is not None:
        _State.listener(_State.call, _State.scene, _State.deadline)


def _set_alarm() -> None:
    if not hasattr(signal, "setitimer") or not _in_main_thread():
        return
    left = _State.deadline - time.monotonic()
    if math.isinf(left):
        _give_alarm_back()
        return
    handler = signal.getsignal(signal.SIGALRM)
    if handler is not _ring:
        signal.signal(signal.SIGALRM, _ring)
    timer = signal.setitimer(signal.ITIMER_REAL, max(left, 1e-6), REMINDER)
    if _State.alarm is None:
        _State.alarm = (handler, *timer, time.monotonic())


def _give_alarm_back() -> None:
    """Restore an alarm that was set before ours, for example by a test runner."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    theirs, _State.alarm = _State.alarm, None
    if theirs is None or not theirs[1]:
        return
    handler, delay, interval, begun = theirs
    signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
    left = max(delay - (time.monotonic() - begun), 1e-6)
    signal.setitimer(signal.ITIMER_REAL, left, interval)


def _ring(number: int, frame: FrameType | None) -> None:
    if time.monotonic() >= _State.deadline and not _State.held:
        raise TimeLimitError(f"not done after {_State.allowed}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    last, _State.pressed = _State.pressed, time.monotonic()
    _State.interrupted = True
    if _State.pressed - last >= ONE_PRESS:
        raise Interrupted


def _stop_if_interrupted() -> None:
    if _State.interrupted:
        raise Interrupted


def _told_apart() -> bool:
    """Whether a KeyboardInterrupt that our handler did not raise cannot come from the user."""
    if _State.apart or not _in_main_thread():
        return True
    return signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, signal.SIG_DFL)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
