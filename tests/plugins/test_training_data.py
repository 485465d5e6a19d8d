from pathlib import Path

import pytest
from training_world import STRIPES

from frostbench.plugins.contract.recipe import Workshop


def test_training_data_are_made_once_of_the_workshop_and_of_one_another():
    made = []

    def twice(workshop):
        made.append(workshop)
        images = workshop.data.get("images").batch("base", 2, workshop.seed)
        return images.repeat(2, 1, 1, 1)

    workshop = Workshop(Path("pack"), Path("scratch"), seed=3, offered={**STRIPES, "twice": twice})
    assert made == []
    first = workshop.data.get("twice")
    assert len(first) == 4
    assert workshop.data.get("twice") is first
    assert made == [workshop]


def test_training_data_that_nobody_offers_are_said_with_those_there_are():
    workshop = Workshop(Path("pack"), Path("scratch"), offered=STRIPES)
    with pytest.raises(ValueError, match=r"trained on 'pairs', and .* none; there are 'images'"):
        workshop.data.get("pairs")
