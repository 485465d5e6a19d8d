import math

import pytest
import torch
from flmm_world import Squares

from few_heads import picking
from few_heads.method import FewHeads, FewHeadsSettings
from few_heads.picking import elbow, pick, spatial_entropy
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.engine.answer import answer
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.requests import requests
from frostbench.plugins.parts.grounding.masks import largest_part, refined


def test_scattered_attention_has_more_spatial_entropy():
    one, two, corner = torch.zeros(3, 6, 6)
    one[1:3, 1:3] = 1.0
    two[0, 0] = two[5, 5] = 1.0
    corner[1, 1] = corner[2, 2] = 1.0  # neighbours by their corners are one part
    assert spatial_entropy(one) == spatial_entropy(corner) == pytest.approx(0.0, abs=1e-6)
    assert spatial_entropy(two) == pytest.approx(math.log(2))
    assert spatial_entropy(torch.ones(6, 6)) == float("inf")


def test_the_elbow_parts_few_heads_that_look_from_many_that_do_not():
    sums = torch.tensor([0.01, 0.9, 0.02, 0.03, 0.8, 0.02, 0.04])
    assert (sums > elbow(sums)).nonzero().flatten().tolist() == [1, 4]


def test_heads_that_look_and_are_compact_are_picked():
    maps = torch.full((2, 4, 4, 4), 0.001)
    maps[0, 1, 1, 1] = 0.9  # looks at one place
    maps[1, 2, 0, 0] = maps[1, 2, 3, 3] = 0.45  # looks at two
    maps[1, 3, 0, 0] = 0.003  # is compact, and hardly looks
    maps[0, 0] = 0.002  # the elbow: looks a little, everywhere
    own = FewHeadsSettings(lowest=1, picked=1)
    assert pick([maps, maps], own) == ((0, 1),)
    assert pick([maps, maps], FewHeadsSettings(lowest=2, picked=2)) == ((0, 1), (1, 2))


def test_the_largest_part_of_a_mask_is_kept_and_sam_fills_its_box():
    logits = torch.full((16, 16), -1.0)
    logits[0, 0], logits[8:12, 8:12] = 5.0, 1.0
    kept = largest_part(logits)
    assert kept[0, 0] < 0
    assert torch.equal(kept[1:] > 0, logits[1:] > 0)
    image, sam = requests()["Segment"][1].image, toys.sam()
    masks = torch.zeros(2, *image.size, dtype=torch.bool)
    masks[0, 4:10, 3:12] = True
    found = refined(masks, sam, image)
    box = torch.tensor([[3.0, 4.0, 12.0, 10.0]])
    assert torch.equal(found[0], sam.masks_from_boxes(image, box)[0])
    assert not found[1].any()
    assert masks[0].sum() == 54


def test_heads_are_picked_from_phrases_and_answer(tmp_path):
    """No mask is asked for: the scenes' are taken away."""

    class Unmasked(Squares):
        def scene(self, split, seed, index):
            scene = super().scene(split, seed, index)
            object.__setattr__(scene, "masks", None)
            return scene

    several = toys.backbones()
    workshop = Workshop(
        tmp_path,
        tmp_path,
        settings={"samples": "3", "picked": "2"},
        offered={"grounded": lambda _: Unmasked()},
    )
    report = picking.picked(workshop, several)
    assert len(report.settings["heads"]) == 2
    method = FewHeads.build(Setup(several, weights=tmp_path / "few_heads", settings={"sigma": 0.5}))
    assert method.settings.heads == report.settings["heads"]
    assert method.settings.sigma == 0.5
    asked = requests()["Segment"][1]
    masks = answer(method, [asked], toys.engine())[0].masks
    assert masks.shape == (2, *asked.image.size)


def test_a_folder_without_heads_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"no heads; .*train few_heads"):
        FewHeads.build(Setup(toys.backbones(), weights=tmp_path))
