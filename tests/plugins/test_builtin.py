"""What this repository offers through its own hooks."""

from frostbench.plugins.backbones.shared import built_in


def test_every_kind_of_backbone_that_is_offered_has_a_loader():
    assert {f"load_{kind}" for kind in built_in()} == {
        loader.__name__ for loader in built_in().values()
    }
