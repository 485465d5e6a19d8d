import pytest
import torch

from frostbench.eval_suites.controls.cards import CARDS
from frostbench.eval_suites.restoration.masked import MaskedRestoration
from frostbench.eval_suites.restoration.settings import MaskedRestorationSettings
from frostbench.plugins.contract.datasets import ClusteredImage
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import NoContext, images_of
from frostbench.plugins.parts.hiding import random_cells


class Noise:
    """Images of noise, darker in red than in blue."""

    def __init__(self, side=64):
        self.side = side

    size = None

    def get(self, seed, index):
        source = torch.Generator().manual_seed(seed * 1000 + index)
        scale = torch.tensor([0.3, 0.5, 1.0])[:, None, None]
        pixels = torch.rand(3, self.side, self.side, generator=source) * scale
        return ClusteredImage(Image(pixels, f"noise {index}"), f"{seed}/{index}")

    def wider(self, margin):
        return Noise(self.side + 2 * margin)


def instances(limit=3, seed=0, side=64, **settings):
    task = MaskedRestoration(MaskedRestorationSettings(**settings))
    return task, list(task.instances(Noise(side), limit, seed))


def in_cells(hidden, cell):
    return hidden.unfold(0, cell, cell).unfold(1, cell, cell).flatten(2)


@pytest.mark.parametrize(("side", "cells"), [(64, 19), (128, 77)])
def test_three_tenths_of_whole_cells_are_hidden_and_grey(side, cells):
    _, made = instances(side=side)
    for one in made:
        parts = in_cells(one.request.hidden, 8)
        assert (parts.all(-1) == parts.any(-1)).all()
        assert int(parts.any(-1).sum()) == cells
        shown, clean = one.request.image.pixels, one.target.pixels
        assert (shown[:, one.request.hidden] == 0.5).all()
        assert torch.equal(shown[:, ~one.request.hidden], clean[:, ~one.request.hidden])


def test_a_request_shows_neither_the_clean_image_nor_examples():
    _, made = instances()
    for one in made:
        assert one.request.context == NoContext()
        assert one.protocol is None
        assert images_of(one.request) == (one.request.image,)
        assert one.target not in images_of(one.request)


def test_hidden_cells_are_drawn_for_each_image_and_are_the_same_for_the_same_seed():
    _, short = instances(limit=2)
    _, long = instances(limit=5)
    _, other = instances(limit=2, seed=1)
    for one, again, different in zip(short, long, other, strict=False):
        assert torch.equal(one.request.hidden, again.request.hidden)
        assert one.request.seed == again.request.seed
        assert not torch.equal(one.request.hidden, different.request.hidden)
    assert not torch.equal(long[0].request.hidden, long[1].request.hidden)


def test_the_mean_fill_is_the_mean_colour_of_visible_pixels_and_the_copy_is_the_request():
    task, made = instances()
    controls = task.controls(made)
    for one, copy, filled in zip(made, controls["copy"], controls["mean_fill"], strict=True):
        hidden = one.request.hidden
        visible = one.target.pixels[:, ~hidden]
        assert torch.equal(copy.pixels, one.request.image.pixels)
        assert torch.equal(filled.pixels[:, ~hidden], visible)
        assert torch.allclose(filled.pixels[:, hidden], visible.mean(1)[:, None], atol=1e-6)
        assert (filled.pixels - one.target.pixels).square().mean() < (
            copy.pixels - one.target.pixels
        ).square().mean()


def test_every_control_of_the_card_has_a_meaning():
    assert {"copy", "mean_fill", "ceiling", "no_adapter"} <= set(MaskedRestoration.card.controls)
    assert set(MaskedRestoration.card.controls) <= {card.name for card in CARDS}
    assert MaskedRestoration.card.protocols == ()


@pytest.mark.parametrize(
    ("height", "width", "cell", "share", "count"),
    [(64, 64, 8, 0.3, 19), (10, 7, 4, 0.3, 2), (8, 8, 4, 0.01, 1), (8, 8, 4, 0.99, 3)],
)
def test_at_least_one_cell_is_hidden_and_never_all(height, width, cell, share, count):
    hidden = random_cells(height, width, cell, share, 0)
    corners = hidden[::cell, ::cell]
    assert hidden.shape == (height, width)
    assert int(corners.sum()) == count


def test_a_image_of_one_cell_and_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="choose a smaller cell"):
        random_cells(8, 8, 8, 0.3, 0)
    for wrong in ({"share": 0.0}, {"share": 1.0}, {"cell": 0}):
        with pytest.raises(ValueError, match=r"share is a part|a cell has a side"):
            MaskedRestorationSettings(**wrong)
