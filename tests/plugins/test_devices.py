"""A limit on memory holds, and what does not fit is done in smaller parts."""

import os
import traceback

import pytest
import torch
from language_models import One, language_model

from frostbench.plugins.backbones.devices import is_out_of_memory, limit_memory, release_memory
from frostbench.plugins.contract.prompts import Generate, Ids, Prompt
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.engine.settings import EngineSettings

ROOM = 24 << 20


def in_child(call):
    """What a function returns in a forked process that may hold little more than this one."""
    read, write = os.pipe()
    if os.fork() == 0:
        code = 1
        try:
            os.write(write, repr(call()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read().decode()
    assert os.wait()[1] == 0
    return eval(said)


def limited(room=ROOM):
    from frostbench.plugins.backbones.devices import _data_bytes

    limit_memory(torch.device("cpu"), _data_bytes() + room)


def test_what_asks_for_more_than_the_limit_is_told_that_there_is_no_memory():
    def call():
        limited()
        small = torch.ones(ROOM // 16)
        try:
            torch.ones(ROOM)
        except RuntimeError as error:
            return is_out_of_memory(error), small.sum().item()

    assert in_child(call) == (True, ROOM / 16)


def test_the_engine_answers_in_smaller_batches_under_a_limit(monkeypatch):
    lm = language_model("llama")
    prompts = [Prompt((Ids((5 + k % 7,) * 80 + (5 + k // 7,)),), Generate(2)) for k in range(140)]
    released: list[object] = []

    def counted(device):
        released.append(device)
        release_memory(device)

    monkeypatch.setattr("frostbench.plugins.engine.model.release_memory", counted)
    engine = FrozenEngine(One(lm), EngineSettings(token_budget=1 << 20, max_batch=512))
    whole = [answer.ids for answer in engine.run(prompts)]

    def call():
        limited(ROOM // 3)
        released.clear()
        return [answer.ids for answer in engine.run(prompts)], len(released)

    answers, backed_off = in_child(call)
    assert answers == whole
    assert backed_off


def test_a_limit_below_what_is_held_is_refused():
    with pytest.raises(ValueError, match="are held already"):
        limit_memory(torch.device("cpu"), 1 << 20)
