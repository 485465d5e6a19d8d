"""Trainings of three steps, and batches that workers make ahead."""

import pytest
import torch

from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.parts.training.ahead import Ahead
from frostbench.plugins.parts.training.loop import train


class Told:
    def __init__(self):
        self.found = []

    def tried(self, name, steps, cost):
        self.found.append((name, steps, cost))


def test_a_rehearsal_takes_two_steps_and_the_last_and_counts_the_dearer_but_the_first(tmp_path):
    line = torch.nn.Linear(8, 4, bias=False)
    optimiser = torch.optim.SGD(line.parameters(), 0.1)
    taken, told = [], Told()

    def step(index):
        taken.append(index)
        loss = line(torch.ones({0: 9, 1: 1, 499: 2}[index], 8)).sum()
        loss.backward()
        optimiser.step()
        return {"loss": loss.item()}

    shop = Workshop(tmp_path, tmp_path, rehearsal=told)
    progress = train(shop, "line", {"line": line, "optimiser": optimiser}, step, 500)
    ((name, steps, cost),) = told.found
    assert (name, steps, taken, progress.step) == ("line", 500, [0, 1, 499], 3)
    assert cost.numbers == 32
    # One product there, one back for the weights; the input asks for no gradient.
    assert cost.work == 2 * (2 * 2 * 8 * 4)
    assert 4 < cost.calls < 40
    assert not list(tmp_path.iterdir())


def test_a_training_of_one_step_is_rehearsed_once(tmp_path):
    told = Told()
    assert train(Workshop(tmp_path, tmp_path, rehearsal=told), "one", {}, lambda _: {}, 1).step == 1
    assert told.found[0][2].work == 0


def test_a_training_without_steps_is_not_rehearsed(tmp_path):
    def step(index):
        raise AssertionError(f"step {index} was taken")

    told = Told()
    assert train(Workshop(tmp_path, tmp_path, rehearsal=told), "one", {}, step, 0).step == 0
    assert told.found == []


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_made_ahead_is_what_would_be_made_in_any_order(workers):
    made = Ahead(lambda step: (step, torch.full((2,), step)), workers, 6)
    for step in (0, 1, 2, 4, 5, 0):
        number, tensor = made(step)
        assert (number, tensor.tolist()) == (step, [step, step])
