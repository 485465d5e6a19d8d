import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from frostbench.packs.mini.recipes.sam.figures import filled, overlap
from frostbench.packs.mini.recipes.sam.prompts import KINDS, Stock, jittered, prompts_of
from frostbench.packs.mini.recipes.sam.recipe import (
    SamTraining,
    decode,
    dice_loss,
    focal_loss,
    mask_losses,
    sizes_of,
    train,
)
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.sam import Sam
from frostbench.plugins.backbones.sam_sizes import build_sam
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

MINI = embedded_pack("mini")
TINY = {
    "width": "16",
    "depth": "2",
    "heads": "2",
    "prompt_width": "16",
    "decoder_heads": "2",
    "decoder_inner": "16",
    "stock": "4",
    "steps": "4",
    "images": "2",
    "figures_scenes": "2",
    "log_every": "1",
}


@pytest.fixture(scope="module")
def scenes():
    return Scenes(MINI / "data")


def workshop(at, **settings):
    (at / "pack").mkdir(parents=True)
    (at / "pack" / "data").symlink_to(MINI / "data")
    return Workshop(at / "pack", at / "scratch", settings={**TINY, **settings})


def masks_of(scene):
    return torch.stack([glyph.mask for glyph in scene.placed])


def test_a_training_leaves_a_sam_that_loads_and_figures_of_it(tmp_path):
    shop = workshop(tmp_path)
    report = train(shop)
    assert report.steps == 4
    json.dumps(report.settings)
    assert all(0 <= value <= 1 for value in report.figures.values())
    assert 0.3 < report.figures["the box itself [novel]"] < 1
    sam = Sam.load(BackboneEntry("sam", "sam", str(shop.pack / "sam")))
    assert (sam.settings.image_size, sam.settings.side) == (64, 16)
    assert {name.split(".")[0] for name in sam.model.state_dict()} == {
        "image_encoder",
        "prompt_encoder",
        "mask_decoder",
    }


def test_a_training_stopped_midway_and_resumed_equals_one_that_ran_through(tmp_path):
    through = workshop(tmp_path / "through")
    train(through)
    halted = workshop(tmp_path / "halted", minutes="0")
    assert train(halted).steps == 1
    train(replace(halted, settings=TINY))
    files = [shop.pack / "sam" / "model.safetensors" for shop in (through, halted)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_prompts_of_all_kinds_together_train_every_weight(scenes):
    settings = SamTraining(width=16, depth=2, heads=2, prompt_width=16, decoder_heads=2)
    model = build_sam(sizes_of(settings, 64))
    draw = np.random.default_rng(0)
    masks = masks_of(scenes.scene("base", 0, 0))
    embedding = model.image_encoder(torch.rand(1, 3, 64, 64))[0]
    total = 0
    for kind in (*KINDS, "points"):
        offered = decode(model, embedding, prompts_of(kind, masks, draw))
        assert offered[0].shape == (len(masks), 4, 64, 64)
        total = total + sum(loss.sum() for loss in mask_losses(*offered, masks).values())
    total.backward()
    resting = [name for name, p in model.named_parameters() if p.grad is None]
    # Only the best of the further masks learns from a prompt.
    assert all("hypernetworks" in name for name in resting)


def test_focal_loss_is_torchvisions_and_dice_is_counted_by_hand():
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, generator=draw)
    wanted = (torch.rand(2, 3, 4, 4, generator=draw) < 0.5).float()
    theirs = sigmoid_focal_loss(logits, wanted, alpha=0.25, gamma=2).mean((2, 3))
    torch.testing.assert_close(focal_loss(logits, wanted), theirs)
    sure = torch.tensor([[[[50.0, 50.0], [-50.0, -50.0]]]])
    half = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    assert float(dice_loss(sure, half)) == pytest.approx(1 - 3 / 4)


def test_quality_is_the_overlap_and_the_best_further_mask_alone_counts():
    truth = torch.zeros(1, 4, 4, dtype=torch.bool)
    truth[0, :2] = True
    right = torch.where(truth, 9.0, -9.0)
    logits = torch.stack([right, -right, right, -right], 1)
    losses = mask_losses(logits, torch.tensor([[1.0, 0.0, 1.0, 0.0]]), truth)
    assert float(losses["quality"]) == 0
    assert float(losses["dice"]) < 0.01
    assert float(losses["focal"]) < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_lie_where_they_say(scenes, kind):
    draw = np.random.default_rng(0)
    for number in range(4):
        masks = masks_of(scenes.scene("base", 0, number))
        prompts = prompts_of(kind, masks, draw)
        assert (prompts.boxes is not None) == ("box" in kind)
        assert (prompts.masks is not None) == ("mask" in kind)
        assert (prompts.points is not None) == ("point" in kind)
        if prompts.points is not None:
            for mask, points, labels in zip(masks, prompts.points, prompts.labels, strict=True):
                assert labels[0] == 1
                columns, rows = points.long().T
                assert mask[rows, columns].float().tolist() == labels.tolist()
        if prompts.masks is not None:
            assert overlap(prompts.masks[:, 0] > 0, masks).mean() > 0.4


def test_a_tight_box_holds_the_mask_and_a_rough_one_lies_in_the_image(scenes):
    draw = np.random.default_rng(0)
    for number in range(4):
        scene = scenes.scene("base", 0, number)
        for glyph, mask in zip(scene.placed, masks_of(scene), strict=True):
            assert box_of(mask) == glyph.box
            box = torch.tensor(glyph.box)
            assert bool(filled(box[None], mask[None])[0][mask].all())
            rough = jittered(box, 64, draw)
            assert float(rough.min()) >= 0
            assert float(rough.max()) <= 64


def test_lessons_are_the_same_for_the_same_number(scenes):
    first, again, other = (Stock(scenes, 4, 0).lessons(index, 2) for index in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.pixels, b.pixels)
        assert torch.equal(a.masks, b.masks)
    assert any(
        a.pixels.shape != b.pixels.shape or not torch.equal(a.pixels, b.pixels)
        for a, b in zip(first, other, strict=True)
    )


def test_a_mistyped_setting_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="'depth'"):
        train(workshop(tmp_path, dept="3"))
