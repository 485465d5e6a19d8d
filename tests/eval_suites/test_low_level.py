from dataclasses import replace

import numpy as np
import pytest
import torch

from frostbench.eval_suites.controls.floor import corrupted_image
from frostbench.eval_suites.metrics.psnr import psnr
from frostbench.eval_suites.restoration.degradations import degraded, varied
from frostbench.eval_suites.restoration.low_level import (
    Denoising,
    Deraining,
    Flipping,
    MaskRemoval,
    PepperNoise,
)
from frostbench.eval_suites.restoration.settings import (
    LOW_LEVEL_METRICS,
    DenoisingSettings,
    FlippingSettings,
)
from frostbench.eval_suites.restoration.strengths import (
    LOW_LEVEL,
    SEVERITIES,
    STRENGTHS,
    VARIANTS,
    VERSION,
)
from frostbench.eval_suites.restoration.tasks import Deblurring, Rotation
from frostbench.plugins.contract.datasets import ClusteredImage
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import HeldOutContext, Reconstruct

DEGRADED = (Denoising, Deblurring, PepperNoise, Deraining, MaskRemoval)
VARIED = (Rotation, Flipping)
ALL = (*DEGRADED, *VARIED)


class Slopes:
    """Images whose brightness rises somewhere, with some noise; every third is of one cluster."""

    size = None

    def get(self, seed, index):
        source = torch.Generator().manual_seed(seed % 2**31 + index)
        ends = torch.rand(2, 3, 1, 1, generator=source)
        steps = torch.linspace(0, 1, 32)
        slope = ends[0] + (ends[1] - ends[0]) * (2 * steps + steps[:, None]) / 3
        pixels = (slope + 0.1 * torch.rand(3, 32, 32, generator=source)).clamp(0, 1)
        cluster = f"{seed}/{index}" if index % 3 else "same"
        return ClusteredImage(Image(pixels, f"slope {index}"), cluster)

    def wider(self, margin):
        raise AssertionError("no low-level task moves the camera")


def own_protocols(task):
    return tuple(VARIANTS[task.card.name]) if task in VARIED else SEVERITIES


def instances(task, limit=4, seed=0, **settings):
    made = task.settings(**{"protocols": own_protocols(task), **settings})
    return list(task(made).instances(Slopes(), limit, seed))


def test_every_low_level_corruption_has_a_task_of_its_name():
    assert {task.card.name for task in ALL} == set(LOW_LEVEL)


@pytest.mark.parametrize("task", ALL)
def test_every_protocol_asks_the_same_images_with_nothing_hidden(task):
    found = {}
    for instance in instances(task):
        assert instance.request.hidden is None
        assert instance.request.corruption == task.card.name
        assert isinstance(instance.request.context, HeldOutContext)
        assert instance.request.image != instance.target
        found.setdefault(instance.protocol, []).append(instance)
    assert tuple(found) == own_protocols(task)
    assert set(found) <= set(task.card.protocols)
    for several in zip(*found.values(), strict=True):
        assert len({one.target for one in several}) == 1
        assert len({one.request.seed for one in several}) == 1
        assert len({one.request.image for one in several}) == 3


@pytest.mark.parametrize("task", DEGRADED)
def test_severity_is_that_of_the_copy(task):
    scores = {}
    for one in instances(task, limit=8):
        score = psnr(one.request.image.pixels, one.target.pixels)
        scores.setdefault(one.protocol, []).append(score)
    means = [float(np.mean(scores[severity])) for severity in SEVERITIES]
    assert means == sorted(means, reverse=True)
    assert min(np.diff(means[::-1])) > 0.5


@pytest.mark.parametrize("task", DEGRADED)
def test_a_severity_is_its_strength_drawn_by_the_request_s_seed(task):
    strengths = dict(zip(SEVERITIES, STRENGTHS[task.card.name], strict=True))
    for one in instances(task, limit=2):
        expected = degraded(
            task.card.name, one.target.pixels, strengths[one.protocol], one.request.seed
        )
        assert torch.equal(one.request.image.pixels, expected)
        assert one.request.variant == ""


@pytest.mark.parametrize("task", VARIED)
def test_a_method_is_told_the_variant(task):
    for one in instances(task, limit=2):
        assert one.request.variant == VARIANTS[task.card.name][one.protocol]
        expected = varied(task.card.name, one.target.pixels, one.request.variant)
        assert torch.equal(one.request.image.pixels, expected)


def test_the_published_rotation_is_told_too():
    published = instances(Rotation, protocols=("oracle_context", "held_out_context"))
    assert {one.request.variant for one in published} == {"90"}


@pytest.mark.parametrize("task", ALL)
def test_examples_are_others_under_the_same_corruption(task):
    for one in instances(task, limit=4, others=3, pool=9):
        pairs = one.request.context.pairs
        assert len({pair.clean for pair in pairs}) == 3
        assert one.target not in {pair.clean for pair in pairs}
        for pair in pairs:
            assert pair.corrupted != pair.clean
            if task in VARIED:
                expected = varied(task.card.name, pair.clean.pixels, one.request.variant)
                assert torch.equal(pair.corrupted.pixels, expected)
        if one.cluster == "same":
            assert all(int(pair.clean.name.split()[1]) % 3 for pair in pairs)


@pytest.mark.parametrize("task", ALL)
def test_a_longer_run_contains_a_shorter_and_a_seed_is_kept_to(task):
    long = {(i.protocol, i.request.id): i for i in instances(task, limit=4, seed=3)}
    short = instances(task, limit=2, seed=3)
    for one in short:
        again = long[one.protocol, one.request.id]
        assert again.request.image == one.request.image
        assert again.request.context == one.request.context
        assert (again.target, again.request.seed) == (one.target, one.request.seed)
    assert [i.target for i in instances(task, limit=2, seed=4)] != [i.target for i in short]


@pytest.mark.parametrize("task", ALL)
def test_low_level_tasks_score_as_the_bench_ranks_and_as_the_paper_does(task):
    assert task.card.ranks_by == "psnr[rgb]"
    assert set(LOW_LEVEL_METRICS) <= set(task.card.metrics)
    assert {"copy", "majority_vote", "no_llm", "floor", "ceiling"} <= set(task.card.controls)
    assert ("fid[mini]" in task.card.metrics) == (task in (Deblurring, Rotation))


@pytest.mark.parametrize("task", ALL)
def test_the_version_of_the_corruptions_stands_in_the_settings(task):
    assert task.settings().degradations == VERSION


def test_the_floor_is_the_reconstruction_of_the_corrupted_image():
    (one,) = instances(Denoising, limit=1, protocols=("mild",))
    asked = corrupted_image(one)
    assert asked == Reconstruct(one.request.id, one.request.image, one.request.seed)
    with pytest.raises(ValueError, match="only restorations have a floor"):
        corrupted_image(replace(one, request=asked))


def test_wrong_settings_are_told():
    with pytest.raises(ValueError, match="strengths are one for each of mild, moderate, severe"):
        DenoisingSettings(strengths=(1.0, 2.0))
    with pytest.raises(ValueError, match="each above the one before"):
        DenoisingSettings(strengths=(1.0, 3.0, 2.0))
    with pytest.raises(ValueError, match="strengths are above 0"):
        DenoisingSettings(strengths=(0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="protocols are among mild, moderate, severe"):
        DenoisingSettings(protocols=("oracle_context",))
    with pytest.raises(ValueError, match="degradations are 'v1' in this version"):
        FlippingSettings(degradations="v0")
    with pytest.raises(ValueError, match="others are 1 or more"):
        FlippingSettings(others=0)


def test_what_is_asked_by_default_is_asked_once():
    assert Rotation.card.protocols == ("oracle_context", *VARIANTS["rotation"])
    assert Deblurring.card.protocols == ("oracle_context", *SEVERITIES)
    turned = instances(Rotation, protocols=("held_out_context", "90 degrees"))
    half = len(turned) // 2
    for one, other in zip(turned[:half], turned[half:], strict=True):
        assert one.request.image == other.request.image
        assert one.request.context == other.request.context
