"""What a stranger's code raises, swallows or never ends is its failure, and nothing else's."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from frostbench.plugins.host.containment import (
    Call,
    DeathError,
    EscapedError,
    contain,
    failed_by_death,
    interruptible,
    report_to,
    scene,
)
from frostbench.plugins.host.errors import cut, describe, text_of
from frostbench.plugins.host.limits import Limits, limited

CALL = Call("method", "mine", "tokenize")


def raising(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(0),
        SystemExit("no"),
        GeneratorExit(),
        KeyboardInterrupt(),
        BaseException("all"),
        asyncio.CancelledError("gone"),
    ],
    ids=repr,
)
def test_what_is_no_exception_becomes_one_that_is_described_by_its_cause(error):
    with interruptible(), pytest.raises(EscapedError) as caught:
        contain(CALL, raising(error))
    assert describe(caught.value).startswith(f"{type(error).__name__}: {error or 'no message'}")


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(3), MemoryError()], ids=repr)
def test_an_exception_comes_out_as_it_is(error):
    with pytest.raises(type(error)) as caught:
        contain(CALL, raising(error))
    assert caught.value is error


class Mute(Exception):  # noqa: N818
    def __init__(self, text):
        self.text = text

    def __str__(self):
        if isinstance(self.text, BaseException):
            raise self.text
        return self.text

    __repr__ = __str__


class Odd(str):
    def strip(self, *characters):
        raise SystemExit(5)

    splitlines = __len__ = strip


NONE = "its text cannot be had, because asking for it raised"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ValueError("never"), f"{NONE} ValueError"),
        (SystemExit(0), f"{NONE} SystemExit"),
        (3, f"{NONE} TypeError"),
        (Odd("odd"), "odd"),
        ("", "no message"),
        ("one\ntwo", "one"),
    ],
    ids=range(6),
)
def test_an_exception_is_described_whatever_its_text_does(text, expected):
    assert describe(Mute(text)) == f"Mute: {expected}"


def test_a_text_of_megabytes_is_cut_in_the_middle_with_a_count():
    said = describe(ValueError("a" * 5_000_000))
    assert len(said) < 1100
    assert "characters left out" in said
    with limited(Limits(error_length=100)):
        assert len(describe(ValueError("a" * 5_000_000))) < 200
    assert text_of(ValueError("short")) == "short"
    assert cut("a" * 10, 10) == "a" * 10


@pytest.mark.parametrize("swallows", [Exception, BaseException])
def test_what_takes_too_long_is_ended_also_where_it_swallows_that_once(swallows):
    told = []

    def forever():
        while len(told) < 2:
            try:
                while True:
                    time.sleep(0.01)
            except swallows:
                told.append(1)

    if swallows is BaseException:
        contain(CALL, forever, seconds=0.05)
        assert len(told) == 2
        return
    with pytest.raises(EscapedError) as caught:
        contain(CALL, forever, seconds=0.05)
    assert "TimeLimitError: not done after 0.05 seconds (most_seconds)" in describe(caught.value)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_alarm_of_somebody_else_rings_all_the_same():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        contain(CALL, time.sleep, 0.05)
        while not rung:
            time.sleep(0.001)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert rung == [signal.SIGALRM]


def test_a_call_within_a_call_ends_with_the_one_around_it():
    def inner():
        return contain(None, time.sleep, 30)

    begun = time.monotonic()
    with pytest.raises(EscapedError):
        contain(CALL, inner, seconds=0.05)
    assert time.monotonic() - begun < 20


def test_a_part_in_which_the_process_died_is_not_called_again():
    with failed_by_death({CALL.part: "the process died with signal SIGSEGV"}):
        with pytest.raises(DeathError, match="SIGSEGV") as caught:
            contain(CALL, int)
        assert describe(caught.value) == "the process died with signal SIGSEGV"
        assert contain(Call("method", "other", "tokenize"), int) == 0
    assert contain(CALL, int) == 0


def test_a_listener_is_told_of_each_call_and_of_its_end():
    told = []
    report_to(lambda call, where, deadline: told.append((call, where)))
    try:
        with scene("task 'naming'"):
            contain(CALL, lambda: contain(None, int))
    finally:
        report_to(None)
    here = "task 'naming'"
    inside = [(CALL, here)] * 3  # entered, entered once more, left once
    assert told == [(None, here), *inside, (None, here), (None, "")]


SWALLOWING = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from frostbench.plugins.host.containment import Call, Interrupted, contain, interruptible

def swallow():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
    except BaseException as error:
        print(type(error).__name__)
    if "replaces" in sys.argv:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return
    os.kill(os.getpid(), signal.SIGINT)  # the same Ctrl-C, from the parent

try:
    with interruptible():
        contain(Call("method", "mine", "tokenize"), swallow)
except Interrupted:
    print("interrupted")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


@pytest.mark.parametrize("how", ["twice", "replaces"])
def test_the_users_own_ctrl_c_comes_through_also_where_it_is_swallowed(how):
    # In a process of its own: a worker of pytest may ignore SIGINT.
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWING, how],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert (done.stdout, done.returncode) == ("Interrupted\ninterrupted\n", 0), done.stderr


@pytest.mark.parametrize("changes", [("most_waves", 0), ("error_length", 3)])
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_limit_of_nothing_is_refused(changes, seconds):
    with pytest.raises(ValueError, match=f"{changes[0]}={changes[1]}: at least"):
        Limits(**dict([changes]))
    with pytest.raises(ValueError, match="most_seconds="):
        Limits(most_seconds=seconds)
