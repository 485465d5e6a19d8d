"""Runs the work in a second process and watches it, so that a crash is noticed and explained.

The console script forks before anything heavy is imported. The working process reports on a
`Board`; an end that it does not report is a death. A death caused by a part (an exit code, a crash)
fails that part, and the work starts again without it; each part gets one chance. A death from
outside (no memory, a kill) fails no part.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from frostbench.bench.cli.board import Board, Told
from frostbench.bench.printable import complain
from frostbench.plugins.host.containment import ONE_PRESS, failed_by_death, report_to

TICK = 5.0
GRACE = 30.0
"""Seconds for which a call may ignore its time limit before its process is ended."""

_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP")
CRASHES = {getattr(signal, name) for name in _CRASHES if hasattr(signal, name)}
PASSED_ON = (signal.SIGINT, signal.SIGTERM)


def supervised(work: Callable[[], int], grace: float = GRACE, tick: float = TICK) -> int:
    """Do some work in a second process, if the system can fork; return its exit code.

    After a death it is never 0: it is 1 where the process ended by its own code, even if the work
    continued without that, and 128 plus the signal's number where it was ended from outside.
    """
    if not hasattr(os, "fork"):
        return work()
    deaths: dict[str, str] = {}
    while True:
        board = Board()
        lifeline, held = os.pipe()  # closes when this process is gone
        _flush()
        waiting = _Waiting(board, grace, tick)
        if waiting.fork() == 0:
            os.close(held)
            return _working(work, deaths, board, lifeline)
        os.close(lifeline)
        end = waiting.end()
        os.close(held)
        if end.seen.status is not None:
            return end.seen.status or (1 if deaths else 0)
        again = end.part is not None and end.part not in deaths
        _show_cursor()
        complain(f"frostbench: {end.sentence(again=again)}")
        if end.part is None or not again:
            return end.code
        deaths[end.part] = end.clause


@dataclass(frozen=True)
class End:
    """How a working process ended: its last report, and its exit code or the signal's number.

    `overdue` if it was ended for a call that did not heed its time limit.
    """

    seen: Told
    exit_code: int = 0
    by_signal: int = 0
    overdue: bool = False

    @property
    def part(self) -> str | None:
        """The part that caused the end; None if there is none or it is unknown."""
        return self.seen.call.part if self._own and self.seen.call is not None else None

    @property
    def code(self) -> int:
        """The exit code of the whole command, if it ends here."""
        return 1 if self._own else 128 + self.by_signal

    @property
    def clause(self) -> str:
        """The clause stored for the part in which it ended."""
        assert self.seen.call is not None
        return f"{self._how} while it was in {self.seen.call.verb}{self._scene}"

    def sentence(self, *, again: bool) -> str:
        """The message for the user; `again` if the work starts once more."""
        call = self.seen.call
        where = f" while {call.part} was in {call.verb}{self._scene}" if call else self._scene
        if again and call is not None and call.kind == "methods":
            # Running their prompts one after another shows which of them it was.
            return f"{self._how}{where}; the work goes on with one of them at a time."
        if again:
            return f"{self._how}{where}; the work goes on without it."
        return f"{self._how}{where}; the same command goes on from there."

    @property
    def _own(self) -> bool:
        """Whether the code that ran caused it."""
        return self.overdue or not self.by_signal or self.by_signal in CRASHES

    @property
    def _how(self) -> str:
        if self.overdue:
            return "the process did not heed its time limit (most_seconds) and was ended"
        if not self.by_signal:
            return f"the process ended by itself with exit code {self.exit_code}"
        try:
            name = signal.Signals(self.by_signal).name
        except ValueError:
            name = str(self.by_signal)
        why = " (for want of memory, or by hand)" if self.by_signal == signal.SIGKILL else ""
        return f"the process died with signal {name}{why}"

    @property
    def _scene(self) -> str:
        return f", {self.seen.scene}" if self.seen.scene else ""


class _Waiting:
    """The process that waits: it passes signals on, and ends what does not heed its limit."""

    def __init__(self, board: Board, grace: float, tick: float) -> None:
        self._board = board
        self._grace = grace
        self._tick = tick
        self._pid = 0
        self._before: dict[int, Any] = {}
        self._times: dict[int, int] = {}
        self._last = 0.0
        self._late = 0.0

    def fork(self) -> int:
        """Start the working process; 0 in that process itself."""
        with _held_back(PASSED_ON):
            self._pid = os.fork()
            if self._pid:
                for number in PASSED_ON:
                    if signal.getsignal(number) is not signal.SIG_IGN:
                        self._before[number] = signal.signal(number, self._pass_on)
                self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._look)
                signal.setitimer(signal.ITIMER_REAL, self._tick, self._tick)
        return self._pid

    def end(self) -> End:
        """Wait until the process has ended."""
        _, status = os.waitpid(self._pid, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        seen, overdue = self._board.read(), self._late >= self._grace
        if not os.WIFSIGNALED(status):
            return End(seen, exit_code=os.WEXITSTATUS(status))
        number = os.WTERMSIG(status)
        insisted = [one for one, times in self._times.items() if times > 1]
        if number == signal.SIGKILL and insisted:  # ended by this process, when it was told twice
            number = insisted[0]
        return End(seen, by_signal=number, overdue=overdue and number == signal.SIGKILL)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """A second Ctrl-C, or a second SIGTERM, ends a process that did not heed the first."""
        last, self._last = self._last, time.monotonic()
        if self._times.get(number) and self._last - last < ONE_PRESS:
            return
        self._times[number] = self._times.get(number, 0) + 1
        with suppress(ProcessLookupError):
            os.kill(self._pid, number if self._times[number] == 1 else signal.SIGKILL)

    def _look(self, number: int, frame: FrameType | None) -> None:
        # Counted in ticks, so that a suspended command is not late by the time it slept.
        late = time.monotonic() > self._board.read().deadline
        self._late = self._late + self._tick if late else 0.0
        if self._late >= self._grace:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)


def _working(
    work: Callable[[], int], deaths: Mapping[str, str], board: Board, lifeline: int
) -> int:
    """The exit code of the work, reported on the board before this process ends."""
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
    report_to(board.tell)
    try:
        with failed_by_death(deaths):
            status = work()
    except KeyboardInterrupt:  # before a command had begun
        status = 130
    except BaseException:
        board.finish(1)
        raise
    report_to(None)
    _flush()
    board.finish(status)
    return status


def _die_with(lifeline: int) -> None:
    """End this process when the one that waits for it is gone."""
    try:
        gone = os.read(lifeline, 1) == b""
    except OSError:  # somebody closed all files
        return
    if gone:
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _held_back(numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # a reader that has gone, or no stream
            stream.flush()


def _show_cursor() -> None:
    """Show the cursor again, which an interrupted progress bar has hidden."""
    with suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")
