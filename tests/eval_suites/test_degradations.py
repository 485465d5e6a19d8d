import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from frostbench.eval_suites.metrics.psnr import psnr
from frostbench.eval_suites.restoration.degradations import degraded, varied
from frostbench.eval_suites.restoration.strengths import LOW_LEVEL, STRENGTHS, VARIANTS
from frostbench.eval_suites.restoration.training_pairs import TrainingPairs
from frostbench.plugins.contract.recipe import Pairs

DRAWN = [name for name in STRENGTHS if name != "deblurring"]
TURNS = [(name, variant) for name in VARIANTS for variant in VARIANTS[name].values()]


class Ramps:
    """A pack's training images, of a brightness that rises towards a corner."""

    def __init__(self, side=32):
        self.side = side

    def batch(self, split, count, seed):
        source = torch.Generator().manual_seed(seed * 2 + (split == "base"))
        ends = torch.rand(2, count, 3, 1, 1, generator=source)
        steps = torch.linspace(0, 1, self.side)
        return ends[0] + (ends[1] - ends[0]) * (2 * steps + steps[:, None]) / 3


def image(height=32, width=32, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("corruption", STRENGTHS)
def test_the_more_severe_the_further_from_the_clean_image(corruption):
    images = Ramps().batch("base", 8, 0) if corruption != "deblurring" else [image(seed=9)]
    scores = [
        np.mean([psnr(degraded(corruption, p, s, n), p) for n, p in enumerate(images)])
        for s in STRENGTHS[corruption]
    ]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


@pytest.mark.parametrize("corruption", STRENGTHS)
@pytest.mark.parametrize("size", [(32, 32), (20, 26), (12, 11)])
def test_a_degraded_image_is_an_image_and_a_seed_says_which(corruption, size):
    clean = image(*size)
    before = clean.clone()
    for strength in STRENGTHS[corruption]:
        shown = degraded(corruption, clean, strength, 5)
        assert shown.shape == clean.shape
        assert ((shown >= 0) & (shown <= 1)).all()
        assert torch.equal(shown, degraded(corruption, clean, strength, 5))
        other = degraded(corruption, clean, strength, 6)
        assert torch.equal(shown, other) == (corruption not in DRAWN)
    assert torch.equal(clean, before)


def test_noise_has_the_asked_deviation_and_no_other_colour():
    grey = torch.full((3, 64, 64), 0.5)
    noise = degraded("denoising", grey, 25.0, 0) - grey
    assert float(noise.std()) == pytest.approx(25 / 255, rel=0.03)
    assert float(noise.mean()) == pytest.approx(0, abs=0.002)
    assert abs(float(torch.corrcoef(noise.flatten(1))[0, 1])) < 0.05


def test_blur_is_scipy_s_on_the_side_it_is_meant_for():
    clean = image(128, 128).double()
    expected = [gaussian_filter(c, 4.0, mode="mirror", radius=12) for c in clean.numpy()]
    assert np.allclose(degraded("deblurring", clean, 4.0, 0).numpy(), expected, atol=1e-12)


def test_pepper_is_black_in_all_channels_on_the_asked_share_and_nothing_else_changes():
    clean = 0.1 + image(64, 64) / 2
    shown = degraded("pepper_noise", clean, 0.15, 3)
    black = (shown == 0).all(0)
    assert float(black.float().mean()) == pytest.approx(0.15, abs=0.02)
    assert torch.equal(shown[:, ~black], clean[:, ~black])


def test_rain_only_brightens_and_more_streaks_wet_more():
    dark = torch.zeros(3, 64, 64)
    wet = [
        (degraded("deraining", dark, streaks, 1) > 0).float().mean()
        for streaks in (0.0, 5.0, 50.0, 200.0)
    ]
    assert wet[0] == 0
    assert wet == sorted(wet)
    rain = degraded("deraining", dark, 50.0, 1)
    assert torch.equal(rain[0], rain[1])
    assert rain.max() <= 0.5


def test_rain_falls_alike_on_images_of_every_size():
    small, large = (degraded("deraining", torch.zeros(3, n, n), 30.0, 2)[0] for n in (64, 256))
    means = large.view(64, 4, 64, 4).mean((1, 3))
    assert float((means - small).abs().mean()) < 0.1 * float(small.mean())


def test_masks_are_grey_squares_of_a_sixteenth_of_the_side():
    clean = image(64, 64) / 3
    shown = degraded("mask_removal", clean, 0.2, 1)
    cells = (shown == 0.5).all(0).view(16, 4, 16, 4).permute(0, 2, 1, 3).flatten(2)
    assert torch.equal(cells.any(2), cells.all(2))
    assert int(cells.all(2).sum()) == round(0.2 * 256)
    hidden = (shown == 0.5).all(0)
    assert torch.equal(shown[:, ~hidden], clean[:, ~hidden])


@pytest.mark.parametrize(("corruption", "variant"), TURNS)
def test_turns_move_every_pixel_and_change_none(corruption, variant):
    clean = image(6, 6)
    shown = varied(corruption, clean, variant)
    assert not torch.equal(shown, clean)
    assert torch.equal(shown.flatten(1).sort(1)[0], clean.flatten(1).sort(1)[0])
    expected = {
        "90": np.rot90,
        "180": lambda a: np.rot90(a, 2),
        "270": lambda a: np.rot90(a, 3),
        "horizontal": np.fliplr,
        "vertical": np.flipud,
        "diagonal": lambda a: a.transpose(1, 0, 2),
    }[variant](clean.permute(1, 2, 0).numpy())
    assert np.array_equal(shown.permute(1, 2, 0).numpy(), expected)


def test_what_is_no_corruption_or_variant_is_told():
    clean = image()
    with pytest.raises(LookupError, match=r"no corruption named 'fog'; there are denoising, debl"):
        degraded("fog", clean, 1.0, 0)
    with pytest.raises(ValueError, match="rotation has no strength"):
        degraded("rotation", clean, 1.0, 0)
    with pytest.raises(LookupError, match="no variant '45'; there are 90, 180, 270"):
        varied("rotation", clean, "45")
    with pytest.raises(LookupError, match="denoising has no variant '90'; it has strengths"):
        varied("denoising", clean, "90")


@pytest.mark.parametrize("corruption", LOW_LEVEL)
def test_training_pairs_are_images_before_and_after(corruption):
    pairs = TrainingPairs(Ramps())
    assert isinstance(pairs, Pairs)
    for variant in pairs.variants(corruption):
        corrupted, clean = pairs.batch(corruption, "base", 4, 7, variant)
        assert torch.equal(clean, Ramps().batch("base", 4, 7))
        assert corrupted.shape == clean.shape
        assert not torch.equal(corrupted, clean)
        assert torch.equal(corrupted, pairs.batch(corruption, "base", 4, 7, variant)[0])
        if corruption in VARIANTS:
            expected = [varied(corruption, pixels, variant) for pixels in clean]
            assert torch.equal(corrupted, torch.stack(expected))


@given(seed=st.integers(0, 2**31 - 1))
def test_training_strengths_lie_between_the_mildest_and_the_most_severe(seed):
    corrupted, _ = TrainingPairs(Ramps(64)).batch("mask_removal", "base", 6, seed)
    shares = [float((pixels == 0.5).all(0).float().mean()) for pixels in corrupted]
    assert all(0.09 < share < 0.41 for share in shares)
    assert len(set(shares)) > 2


def test_a_method_is_told_what_cannot_be_seen_and_nothing_else():
    pairs = TrainingPairs(Ramps())
    told = {name: tuple(pairs.variants(name)) for name in LOW_LEVEL}
    assert told.pop("rotation") == ("90", "180", "270")
    assert told.pop("flipping") == ("horizontal", "vertical", "diagonal")
    assert set(told.values()) == {("",)}


def test_training_pairs_of_nothing_known_are_refused():
    pairs = TrainingPairs(Ramps())
    with pytest.raises(LookupError, match="no corruption named 'fog'"):
        pairs.variants("fog")
    with pytest.raises(LookupError, match="no corruption named 'fog'"):
        pairs.batch("fog", "base", 2, 0)
    with pytest.raises(LookupError, match="deraining has no variant '90'; it has strengths"):
        pairs.batch("deraining", "base", 2, 0, "90")
    with pytest.raises(LookupError, match="rotation has no variant ''; there are 90"):
        pairs.batch("rotation", "base", 2, 0)
