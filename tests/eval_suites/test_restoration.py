from collections import Counter

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from frostbench.eval_suites.restoration.corruptions import (
    Blur,
    blurred,
    central_square,
    crop,
    draw_blur,
    lower_half,
)
from frostbench.eval_suites.restoration.settings import (
    PROTOCOLS,
    DeblurringSettings,
    ReconstructionSettings,
    RestorationSettings,
    RotationSettings,
    ShiftSettings,
)
from frostbench.eval_suites.restoration.tasks import (
    Deblurring,
    Inpainting,
    Outpainting,
    Reconstruction,
    Rotation,
    Shift,
)
from frostbench.plugins.contract.datasets import ClusteredImage
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import HeldOutContext, OracleContext
from frostbench.plugins.parts.hiding import hide

ALL = (Inpainting, Outpainting, Deblurring, Shift, Rotation)
SIDE = 32


class Noise:
    """Images of noise; every third belongs to the cluster "same"."""

    def __init__(self, side=SIDE):
        self.side = side

    size = None

    def get(self, seed, index):
        source = torch.Generator().manual_seed(seed % 2**31 + index)
        pixels = torch.rand(3, self.side, self.side, generator=source)
        cluster = f"{seed}/{index}" if index % 3 else "same"
        return ClusteredImage(Image(pixels, f"noise {index}"), cluster)

    def wider(self, margin):
        return Noise(self.side + 2 * margin)


def instances(task, limit=4, seed=0, **settings):
    if task is not Reconstruction:
        settings = {"protocols": PROTOCOLS, **settings}
    return list(task(task.settings(**settings)).instances(Noise(), limit, seed))


def picture(height=20, width=26, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def test_hidden_parts_are_the_central_quarter_and_the_lower_half():
    square, half = central_square(16, 16), lower_half(16, 16)
    assert square.sum() == 64
    assert square[4:12, 4:12].all()
    assert half.sum() == 128
    assert half[8:].all()
    assert torch.equal(square, square.flip(0).flip(1))


def test_hidden_pixels_are_grey_and_the_others_untouched():
    pixels, hidden = picture(), central_square(20, 26)
    corrupted = hide(pixels, hidden)
    assert (corrupted[:, hidden] == 0.5).all()
    assert torch.equal(corrupted[:, ~hidden], pixels[:, ~hidden])


@pytest.mark.parametrize(("kernel", "sigma"), [(5, 1.1), (7, 1.4), (11, 2.0)])
def test_blur_agrees_with_scipy(kernel, sigma):
    pixels = picture().double()
    expected = [
        gaussian_filter(channel, sigma, mode="mirror", radius=kernel // 2)
        for channel in pixels.numpy()
    ]
    assert np.allclose(blurred(pixels, Blur(kernel, sigma)).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "half"),
    [
        (3, (128, 64)),
        (5, (96, 64, 16)),
        (7, (72, 56, 28, 8)),
        (9, (60, 51, 30, 13, 4)),
        (11, (51.34474604513814, 45.31157934882706, 31.142162691535262, 16.669198489441968)),
    ],
)
def test_kernels_of_a_size_alone_are_opencv_s(kernel, half):
    """`cv2.getGaussianKernel(kernel, 0)` of OpenCV 4.8.1 and 5.0, times 256, from its middle on."""
    weights = Blur(kernel).weights(torch.float64)
    assert float(weights.sum()) == pytest.approx(1)
    assert torch.equal(weights, weights.flip(0))
    assert weights[kernel // 2 :][: len(half)].mul(256).tolist() == pytest.approx(half, rel=1e-12)
    dot = torch.zeros(3, 31, 31, dtype=torch.float64)
    dot[:, 15, 15] = 1
    seen = blurred(dot, Blur(kernel))[0].sum(0)
    assert seen[15:][: len(half)].mul(256).tolist() == pytest.approx(half)


def test_blurs_at_128_pixels_are_the_published_ones_with_the_published_odds():
    counts = Counter(draw_blur(seed, 128) for seed in range(7000))
    assert {blur.sigma for blur in counts} == {0}
    odds = {blur.kernel: count / 1000 for blur, count in counts.items()}
    assert odds == pytest.approx({5: 1, 7: 2, 9: 2, 11: 2}, abs=0.15)


def test_blurs_scale_with_the_image():
    for seed in range(20):
        large, small = draw_blur(seed, 256), draw_blur(seed, 64)
        assert large.sigma == pytest.approx(4 * small.sigma)
        assert small.kernel % 2 == large.kernel % 2 == 1
        assert 1.8 < small.kernel // 2 / small.sigma <= 3
    assert {draw_blur(seed, 64).kernel for seed in range(50)} == {3, 5, 7}


def test_a_crop_outside_the_image_is_refused():
    pixels = picture()
    assert torch.equal(crop(pixels, 2, 3, 18), pixels[:, 2:20, 3:21])
    with pytest.raises(ValueError, match="row 3 and column 0 on does not lie within"):
        crop(pixels, 3, 0, 18)


@pytest.mark.parametrize("task", ALL)
def test_a_restoration_asks_both_protocols_on_the_same_images(task):
    found = {}
    for instance in instances(task):
        found.setdefault(instance.protocol, []).append(instance)
    assert tuple(found) == ("oracle_context", "held_out_context")
    assert "oracle_context" in task.card.protocols
    for oracle, held_out in zip(*found.values(), strict=True):
        assert oracle.target == held_out.target
        assert oracle.request.image == held_out.request.image
        assert oracle.request.seed == held_out.request.seed
        assert oracle.request.context == OracleContext(oracle.target, 10)
        assert isinstance(held_out.request.context, HeldOutContext)
        assert oracle.request.image.size == oracle.target.size == (SIDE, SIDE)
        assert oracle.request.image != oracle.target
        assert oracle.request.corruption == task.card.name


@pytest.mark.parametrize("task", ALL)
def test_held_out_examples_are_other_images_of_other_clusters(task):
    for instance in instances(task, limit=6, protocols=("held_out_context",), others=10):
        pairs = instance.request.context.pairs
        cleans = {pair.clean for pair in pairs}
        assert len(cleans) == 10
        assert instance.target not in cleans
        if instance.cluster == "same":
            numbers = [int(pair.clean.name.split()[1]) for pair in pairs]
            assert all(number % 3 for number in numbers)


@pytest.mark.parametrize("task", ALL)
def test_held_out_examples_show_the_task_s_own_corruption(task):
    (instance,) = instances(task, limit=1, protocols=("held_out_context",))
    for pair in instance.request.context.pairs:
        clean, corrupted = pair.clean.pixels, pair.corrupted.pixels
        match task.card.name:
            case "inpainting" | "outpainting":
                assert torch.equal(corrupted, hide(clean, instance.request.hidden))
            case "rotation":
                assert torch.equal(corrupted, torch.rot90(clean, 1, (1, 2)))
            case "shift":
                assert torch.equal(corrupted[:, :, : SIDE - 5], clean[:, :, 5:])
            case "deblurring":
                kinds = {draw_blur(seed, SIDE) for seed in range(40)}
                assert any(torch.equal(corrupted, blurred(clean, blur)) for blur in kinds)


@pytest.mark.parametrize("task", [*ALL, Reconstruction])
def test_a_longer_run_contains_a_shorter_and_a_seed_is_kept_to(task):
    short = instances(task, limit=2, seed=3)
    long = {(i.protocol, i.request.id): i for i in instances(task, limit=4, seed=3)}
    for instance in short:
        again = long[instance.protocol, instance.request.id]
        assert again.request.image == instance.request.image
        assert again.target == instance.target
        assert again.request.seed == instance.request.seed
        if instance.protocol is not None:
            assert again.request.context == instance.request.context
    other = instances(task, limit=2, seed=4)
    assert [i.target for i in other] != [i.target for i in short]


def test_blurs_of_queries_differ():
    drawn = {draw_blur(i.request.seed, SIDE) for i in instances(Deblurring, limit=20)}
    assert len(drawn) == 4


def test_shift_brings_in_the_scene_s_own_content():
    (instance,) = instances(Shift, limit=1, protocols=("oracle_context",), right=0.25, down=0.125)
    whole = Noise(SIDE + 16).get(0, 0).image.pixels
    assert torch.equal(instance.target.pixels, whole[:, 8:40, 8:40])
    assert torch.equal(instance.request.image.pixels, whole[:, 12:44, 16:48])


def test_the_published_shift_is_21_pixels_of_128():
    assert int(ShiftSettings().right * 128) == 21


def test_only_in_and_outpainting_hide_pixels():
    for task in ALL:
        hidden = instances(task, limit=1)[0].request.hidden
        assert (hidden is not None) == (task in (Inpainting, Outpainting))


@pytest.mark.parametrize("task", ALL)
def test_copy_hands_back_the_corrupted_image(task):
    drawn = instances(task, limit=2)
    copies = task(task.settings()).controls(drawn)["copy"]
    assert all(c.pixels is i.request.image.pixels for c, i in zip(copies, drawn, strict=True))


def test_reconstruction_is_of_the_clean_image_and_its_floor_is_the_mean_colour():
    drawn = instances(Reconstruction)
    assert all(i.request.image == i.target and i.protocol is None for i in drawn)
    assert Reconstruction.card.protocols == ()
    task = Reconstruction(ReconstructionSettings())
    (flat, *_) = task.controls(drawn)["mean_colour"]
    assert flat.pixels.shape == (3, SIDE, SIDE)
    assert torch.allclose(flat.pixels[:, 3, 4], drawn[0].target.pixels.mean((1, 2)))


def test_restorations_and_reconstruction_ask_the_same_images():
    clean = [i.target for i in instances(Reconstruction)]
    for task in (Inpainting, Outpainting, Deblurring, Rotation):
        assert [i.target for i in instances(task, protocols=("oracle_context",))] == clean


@pytest.mark.parametrize("task", [*ALL, Reconstruction])
def test_every_restoration_ranks_by_psnr_and_names_its_controls(task):
    assert task.card.ranks_by == "psnr[rgb]"
    assert {"psnr[rgb]", "ssim[rgb]", "lpips[mini]", "fid[mini]"} <= set(task.card.metrics)
    assert {"copy", "ceiling"} <= set(task.card.controls) or "mean_colour" in task.card.controls


def test_tokens_of_another_image_are_a_control_for_those_who_ask():
    assert "shuffled_tokens" not in Rotation.card.controls
    task = Rotation(RotationSettings(shuffled_tokens=True))
    assert "shuffled_tokens" in task.card.controls


def test_settings_choose_protocols_metrics_and_data():
    task = Rotation(
        RotationSettings(
            others=3, protocols=("held_out_context",), metrics=("psnr[y]",), data="mine"
        )
    )
    assert task.card.protocols == ("held_out_context",)
    assert task.card.metrics == ("psnr[rgb]", "psnr[y]")
    assert task.data == "mine"
    (instance,) = task.instances(Noise(), 1, 0)
    assert len(instance.request.context.pairs) == 3


def test_wrong_settings_and_images_are_told():
    with pytest.raises(ValueError, match="protocols are among oracle_context, held_out_context"):
        RestorationSettings(protocols=("oracle",))
    with pytest.raises(ValueError, match="kernels are odd sizes of 3 or more"):
        DeblurringSettings(kernels=(4,))
    with pytest.raises(ValueError, match=r"parts of the side in \[0, 0.5\]"):
        ShiftSettings(right=0.7)
    with pytest.raises(ValueError, match=r"of the pool's 12 there are 8"):
        instances(Rotation, limit=1, pool=12, others=10)

    class Wide(Noise):
        size = None

        def get(self, seed, index):
            return ClusteredImage(Image(torch.zeros(3, 8, 9), "wide"), "wide")

    with pytest.raises(ValueError, match="need square images; wide is 8 x 9"):
        list(Rotation(RotationSettings()).instances(Wide(), 1, 0))
