"""What this repository offers through its own hooks."""

from frostbench.plugins.backbones.shared import KINDS
from frostbench.plugins.plugin import frostbench_backbones


def test_every_kind_of_backbone_that_loads_is_offered():
    assert {offer.card: offer.load() for offer in frostbench_backbones()} == KINDS
