"""A limit on memory holds."""

import os

import pytest
import torch

from frostbench.plugins.backbones.devices import _status_bytes, is_out_of_memory, limit_memory

ROOM = 12 << 20


def in_child(call):
    """What a function returns in a forked process that may hold little more than this one."""
    read, write = os.pipe()
    if os.fork() == 0:
        code = 1
        try:
            os.write(write, repr(call()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read().decode()
    assert os.wait()[1] == 0
    return eval(said)


def test_what_asks_for_more_than_the_limit_is_told_that_there_is_no_memory():
    def call():
        limit_memory(torch.device("cpu"), _status_bytes("VmData") + ROOM)
        small = torch.ones(ROOM // 16)
        try:
            torch.ones(1 << 30)  # more than any heap has free
        except RuntimeError as error:
            return is_out_of_memory(error), small.sum().item()

    assert in_child(call) == (True, ROOM / 16)


def test_a_limit_below_what_is_held_is_refused():
    with pytest.raises(ValueError, match="are held already"):
        limit_memory(torch.device("cpu"), 1 << 20)
