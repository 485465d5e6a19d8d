import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from frostbench.eval_suites.metrics.accuracy import accuracy_exact, accuracy_prefix
from frostbench.eval_suites.metrics.facts import METRICS
from frostbench.eval_suites.metrics.luma import studio_luma
from frostbench.eval_suites.metrics.psnr import psnr, psnr_rgb
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import ImagePrediction, TextPrediction

FACTS = {offer.card.id: offer.card for offer in METRICS}
BY_ID = {
    offer.card.id: offer.load() for offer in METRICS if offer.card.id.startswith(("psnr", "ssim"))
}


def pair(seed, height=40, width=52, noise=0.1):
    source = torch.Generator().manual_seed(seed)
    truth = torch.rand(3, height, width, generator=source)
    ours = (truth + noise * torch.randn(3, height, width, generator=source)).clamp(0, 1)
    return ours, truth


def score(metric, ours, truth):
    return BY_ID[metric](ImagePrediction(ours), Image(truth))


def as_array(pixels):
    return pixels.permute(1, 2, 0).double().numpy()


@pytest.mark.parametrize("seed", range(5))
def test_psnr_agrees_with_scikit_image(seed):
    ours, truth = pair(seed)
    a, b = as_array(truth), as_array(ours)
    expected = peak_signal_noise_ratio(a, b, data_range=1)
    assert score("psnr[rgb]", ours, truth) == pytest.approx(expected, abs=1e-9)
    cropped = peak_signal_noise_ratio(a[4:-4, 4:-4], b[4:-4, 4:-4], data_range=1)
    assert score("psnr[rgb-crop4]", ours, truth) == pytest.approx(cropped, abs=1e-9)
    luma = peak_signal_noise_ratio(rgb2ycbcr(a)[..., 0], rgb2ycbcr(b)[..., 0], data_range=255)
    assert score("psnr[y]", ours, truth) == pytest.approx(luma, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_ssim_agrees_with_scikit_image(seed):
    ours, truth = pair(seed)
    a, b = as_array(truth), as_array(ours)
    options = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
    }
    expected = structural_similarity(a, b, data_range=1, channel_axis=-1, **options)
    assert score("ssim[rgb]", ours, truth) == pytest.approx(expected, abs=1e-9)
    inner = (slice(4, -4), slice(4, -4))
    cropped = structural_similarity(a[inner], b[inner], data_range=1, channel_axis=-1, **options)
    assert score("ssim[rgb-crop4]", ours, truth) == pytest.approx(cropped, abs=1e-9)
    a, b = rgb2ycbcr(a)[..., 0], rgb2ycbcr(b)[..., 0]
    luma = structural_similarity(a, b, data_range=255, **options)
    assert score("ssim[y]", ours, truth) == pytest.approx(luma, abs=1e-9)


def test_luma_is_that_of_scikit_image_in_studio_range():
    truth = pair(0)[1].double()
    expected = rgb2ycbcr(as_array(truth))[..., 0] / 255
    assert np.allclose(studio_luma(truth)[0].numpy(), expected, atol=1e-12)
    corners = studio_luma(torch.stack([torch.zeros(3, 1), torch.ones(3, 1)], dim=-1))
    assert (corners * 255).flatten().tolist() == pytest.approx([16, 235])


@given(seed=st.integers(0, 1000), noise=st.floats(0.01, 0.5))
@settings(max_examples=20)
def test_scores_are_symmetric_within_bounds_and_best_for_the_truth(seed, noise):
    ours, truth = pair(seed, 24, 20, noise)
    for name in BY_ID:
        facts, value = FACTS[name], score(name, ours, truth)
        assert value == pytest.approx(score(name, truth, ours))
        assert facts.lower <= value < score(name, truth, truth) == pytest.approx(facts.upper)


def test_psnr_of_almost_identical_images_is_not_above_that_of_identical_ones():
    truth = torch.full((3, 8, 8), 0.5, dtype=torch.float64)
    assert psnr(truth, truth) == psnr(truth + 1e-9, truth) == 100.0


def test_psnr_is_per_image_not_of_the_mean_error():
    near, far = pair(0, noise=0.05), pair(1, noise=0.3)
    mean = (psnr(*near) + psnr(*far)) / 2
    pooled = psnr(torch.cat([near[0], far[0]]), torch.cat([near[1], far[1]]))
    assert mean > pooled + 1


@pytest.mark.parametrize("name", BY_ID)
def test_a_image_metric_refuses_what_it_cannot_score(name):
    truth = torch.full((3, 24, 24), 0.5)
    broken = truth.clone()
    broken[0, 3, 4] = torch.nan
    with pytest.raises(ValueError, match=r"NaN or infinity in 1 values"):
        score(name, broken, truth)
    with pytest.raises(ValueError, match=r"image is 24 x 23 and the target 24 x 24"):
        score(name, truth[:, :, :23], truth)
    with pytest.raises(ValueError, match=r"values from -1 to 0.5, not \[0, 1\]"):
        score(
            name, torch.where(truth.isnan(), truth, truth).index_fill(0, torch.tensor(0), -1), truth
        )
    with pytest.raises(ValueError, match=r"the prediction is a TextPrediction"):
        BY_ID[name](TextPrediction("lion"), Image(truth))
    with pytest.raises(ValueError, match=r"the target is a str"):
        BY_ID[name](ImagePrediction(truth), "lion")


def test_images_too_small_for_the_window_or_the_crop_are_unscored():
    with pytest.raises(ValueError, match="11 x 11 pixels, the image only 10 x 30"):
        score("ssim[rgb]", torch.zeros(3, 10, 30), torch.zeros(3, 10, 30))
    for metric in ("psnr[rgb-crop4]", "ssim[rgb-crop4]"):
        with pytest.raises(ValueError, match="has no inside"):
            score(metric, torch.zeros(3, 8, 30), torch.zeros(3, 8, 30))


def test_exact_accuracy_wants_the_whole_label_and_prefix_accuracy_its_beginning():
    table = {  # text: (exact, prefix), for the label "lion"
        "lion": (1, 1),
        "  lion\n": (1, 1),
        "lionfish": (0, 1),
        "lion cub": (0, 1),
        "Lion": (0, 0),
        "a lion": (0, 0),
        "lio": (0, 0),
        "": (0, 0),
    }
    for text, expected in table.items():
        prediction = TextPrediction(text)
        found = accuracy_exact(prediction, "lion"), accuracy_prefix(prediction, "lion")
        assert found == expected
    assert accuracy_exact(TextPrediction("two"), ("2", "two")) == 1


def test_accuracy_refuses_images():
    with pytest.raises(ValueError, match="the prediction is a ImagePrediction"):
        accuracy_exact(ImagePrediction(torch.zeros(3, 2, 2)), "lion")
    with pytest.raises(ValueError, match="the target is a Image"):
        accuracy_exact(TextPrediction("lion"), Image(torch.zeros(3, 2, 2)))


def test_a_score_does_not_depend_on_how_an_image_lies_in_memory():
    for seed in range(20):
        images = torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(seed))
        one, two = images.permute(0, 3, 1, 2)
        apart = psnr_rgb(ImagePrediction(one), Image(two))
        assert psnr_rgb(ImagePrediction(one.contiguous()), Image(two.contiguous())) == apart
