"""A training in several processes is that of one."""

import math
from pathlib import Path

import pytest
import torch
from together import KINDS, launched

from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.parts.training.checkpoint import Checkpoint
from frostbench.plugins.parts.training.processes import Processes, cut

STEPS = 20
TOLERANCE = 1e-4
"""Of the losses of 20 steps, relative: rounding, which differs with the order of sums."""


def assert_alike(losses, others):
    assert len(losses) == len(others) == STEPS
    for step, (one, other) in enumerate(zip(losses, others, strict=True)):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert math.isclose(value, other[name], rel_tol=TOLERANCE, abs_tol=1e-6), (step, name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return launched("vqgan", tmp_path_factory.mktemp("alone"), STEPS, 1)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"vqgan"}))
def test_two_processes_lose_what_one_loses(kind, tmp_path):
    one = launched(kind, tmp_path / "one", STEPS, 1)
    assert_alike(one, launched(kind, tmp_path / "two", STEPS, 2))
    assert one[0] != one[-1]


def test_two_processes_that_were_killed_are_gone_on_from_by_one_and_then_by_four(alone, tmp_path):
    launched("vqgan", tmp_path, STEPS, 2, die_at=9)
    assert not (tmp_path / "losses.json").exists()
    launched("vqgan", tmp_path, STEPS, 1, die_at=14)
    assert_alike(alone, launched("vqgan", tmp_path, STEPS, 4))


def test_shares_computed_one_after_another_add_up_to_the_batch(tmp_path):
    one = launched("lm4lv", tmp_path / "one", STEPS, 1)
    assert_alike(one, launched("lm4lv", tmp_path / "two", STEPS, 1, accumulate=2))


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="a batch of 7 is not cut into 2 equal shares"):
        cut(list(range(7)), 0, 2)
    shop = Workshop(Path(), Path(), accumulate=2)
    parts = Processes(shop).shares(lambda step: list(range(6)), 0)
    assert parts == [[0, 1, 2], [3, 4, 5]]


def test_a_checkpoint_that_changed_or_is_of_another_training_is_refused(tmp_path):
    layer = torch.nn.Linear(2, 2)
    path = tmp_path / "one.pt"
    assert Checkpoint(path, {"layer": layer}).read() is None
    Checkpoint(path, {"layer": layer}).write((3, 1.5, [(3, {"loss": 0.5})]))
    other = torch.nn.Linear(2, 2)
    assert Checkpoint(path, {"layer": other}).read() == (3, 1.5, [(3, {"loss": 0.5})])
    assert torch.equal(other.weight, layer.weight)
    with pytest.raises(ValueError, match=r"one\.pt lacks 'body', which is trained here"):
        Checkpoint(path, {"body": other}).read()
    with pytest.raises(ValueError, match=r"one\.pt cannot be gone on from"):
        Checkpoint(path, {"layer": torch.nn.Linear(3, 2)}).read()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"one\.pt has changed since it was written"):
        Checkpoint(path, {"layer": layer}).read()
