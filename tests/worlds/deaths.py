"""A command whose parts die in several ways. Run as a script: deaths.py HOW [FOLDER]."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

from frostbench.bench.cli.supervising import supervised
from frostbench.plugins.host.containment import Call, DeathError, contain, interruptible, scene

HOW = sys.argv[1]


def crash() -> None:
    ctypes.string_at(0)


def deaf() -> None:
    """Take no notice of a time limit: the signal waits until the main thread comes back."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(600)


def wait() -> None:
    Path(sys.argv[2], "waiting").write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)


def stubborn() -> None:
    while True:
        try:
            wait()
        except BaseException as error:
            Path(sys.argv[2], type(error).__name__).touch()


def kill(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(600)


SINS = {
    "exit 0": lambda: os._exit(0),
    "exit 3": lambda: os._exit(3),
    "crash": crash,
    "abort": os.abort,
    "thread": lambda: (threading.Thread(target=lambda: os._exit(0)).start(), time.sleep(600)),
    "kill": lambda: kill(signal.SIGKILL),
    "term": lambda: kill(signal.SIGTERM),
    "deaf": deaf,
    "wait": wait,
    "stubborn": stubborn,
    "none": lambda: None,
    "fail": lambda: 1 / 0,
    "outside": lambda: None,
    "raise": lambda: None,
    "late": lambda: None,
}


def work() -> int:
    failed = 0
    with interruptible(), scene("task 'naming'"):
        for name in ("sound", "sinner", "last"):
            call = Call("method", name, "tokenize")
            seconds = 0.05 if HOW == "deaf" else 3600.0
            try:
                contain(call, SINS[HOW] if name == "sinner" else int, seconds=seconds)
            except DeathError as error:
                print(f"{name} failed: {error}", flush=True)
                failed = 1
            except ZeroDivisionError:
                failed = 1
            else:
                print(f"{name} is done", flush=True)
    if HOW == "outside":
        os._exit(0)
    if HOW == "raise":
        raise RuntimeError("a mistake of ours")
    if HOW == "late":
        import atexit

        atexit.register(os._exit, 7)
    return failed


if __name__ == "__main__":
    sys.exit(supervised(work, grace=0.1, tick=0.05))
