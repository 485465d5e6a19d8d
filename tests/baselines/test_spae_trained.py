from itertools import pairwise

import pytest
import torch

from frostbench.baselines.spae.codebook import CodebookWords
from frostbench.baselines.spae.recipe import Guide
from frostbench.baselines.spae.weights import load
from frostbench.bench.statistics import Inference, Sums
from frostbench.packs.mini.scenes.datasets import GlyphPortraits, RestorationImages
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.templates import embed_words
from frostbench.plugins.host.packs import embedded_pack
from frostbench.plugins.parts.autoencoder.reconstruction import psnr

PACK = embedded_pack("mini")
UPPER = 2  # layers that are guided, and shown


@pytest.fixture(scope="module")
def model():
    return load(PACK / "spae")


@pytest.fixture(scope="module")
def guide():
    clip = Clip.load(BackboneEntry("clip", "open_clip", str(PACK / "clip")))
    words = CodebookWords.load(PACK / "spae").texts
    return Guide(clip, embed_words(clip, words, ("a photo of a {}.",)))


@pytest.fixture(scope="module")
def pictures():
    kept = RestorationImages(PACK / "data")
    return torch.stack([kept.get(0, i).image.pixels for i in range(96)]) * 2 - 1


@torch.no_grad()
def upper(model, images):
    layers = model.encode(images)[:UPPER]
    return torch.cat([ids.flatten(1) for ids in layers], 1)


def least(differences):
    """The lower end of the 95 % interval of a mean."""
    entries = [(f"{i:04}", f"{i:04}", float(one)) for i, one in enumerate(differences)]
    return Sums.of_means(entries).estimate(Inference()).low


@torch.no_grad()
def test_images_never_seen_come_back_better_with_every_further_layer(model, pictures):
    layers = model.encode(pictures)
    depths = range(1, len(layers) + 1)
    decibels = [psnr(pictures, model.decode(layers[:depth])) for depth in depths]
    means = [float(one.mean()) for one in decibels]
    assert all(fine > coarse + 0.05 for coarse, fine in pairwise(means)), means
    for coarse, fine in pairwise(decibels[UPPER - 1 :]):
        assert least(fine - coarse) > 0, means
    assert means[-1] > 19


def test_words_of_the_first_layers_fit_their_own_image_better_than_another(model, guide):
    portraits = GlyphPortraits(PACK / "data")
    images = torch.stack([portraits.portrait(name, 0).pixels for name in portraits.names])
    images = images * 2 - 1
    words, scored = upper(model, images), guide.scores(images)
    own = scored.gather(1, words).mean(1)
    others = torch.stack(
        [scored.gather(1, words.roll(shift, 0)).mean(1) for shift in range(1, len(images))]
    ).mean(0)
    assert least(own - others) > 0
    for layer in (words[:, :1], words[:, 1:]):
        own = scored.gather(1, layer).mean(1)
        assert least(own - scored.gather(1, layer.roll(1, 0)).mean(1)) > 0


def test_two_portraits_of_a_class_share_more_words_than_portraits_of_two_classes(model):
    portraits = GlyphPortraits(PACK / "data")
    sets = []
    for number in (0, 1):
        pixels = [portraits.portrait(name, number).pixels for name in portraits.names]
        sets.append([set(row) for row in upper(model, torch.stack(pixels) * 2 - 1).tolist()])
    same = torch.tensor([len(a & b) / len(a | b) for a, b in zip(*sets, strict=True)])
    other = torch.tensor(
        [len(a & b) / len(a | b) for a, b in zip(sets[0], [*sets[1][1:], sets[1][0]], strict=True)]
    )
    assert least((same - other).double()) > 0
