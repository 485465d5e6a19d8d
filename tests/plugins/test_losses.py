import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from frostbench.plugins.parts.autoencoder.losses import (
    LeCam,
    LossSettings,
    balance,
    discriminator_loss,
    generator_loss,
)


class SquaredDistance:
    def distance(self, a, b):
        return (a - b).square().mean((1, 2, 3))


class Critic(nn.Module):
    def forward(self, images):
        return 3 * images[:, :1]


PLAIN = LossSettings(perceptual_weight=0.0, adversarial_weight=0.0)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 4, 4, generator=generator) * 2 - 1
    scale = torch.ones((), requires_grad=True)
    return images, scale, images.flip(3) * scale


def loss_of(batch, settings, step=0, perceptual=None, discriminator=None):
    images, scale, reconstruction = batch
    return generator_loss(
        images,
        reconstruction,
        torch.tensor(0.5),
        settings,
        step,
        last_layer=scale,
        perceptual=perceptual,
        discriminator=discriminator,
    )


def test_without_networks_the_loss_is_pixels_and_codebook(batch):
    images, _, reconstruction = batch
    loss = loss_of(batch, replace(PLAIN, codebook_weight=2.0))
    assert loss.total.item() == pytest.approx((images - reconstruction).abs().mean().item() + 1)
    assert loss.perceptual == loss.adversarial == loss.weight == 0


def test_the_perceptual_network_sees_images_between_0_and_1(batch):
    images, _, reconstruction = batch
    loss = loss_of(batch, replace(PLAIN, perceptual_weight=4.0), perceptual=SquaredDistance())
    expected = (images - reconstruction).square().mean() / 4
    assert torch.isclose(loss.perceptual, expected)
    assert torch.isclose(loss.total, loss.pixel + 4 * expected + 0.5)


def test_the_adversary_takes_part_from_its_first_step_on(batch):
    settings = LossSettings(perceptual_weight=0.0, adversarial_weight=0.8, adversarial_start=3)
    assert loss_of(batch, settings, step=2, discriminator=Critic()).adversarial == 0
    loss = loss_of(batch, settings, step=3, discriminator=Critic())
    assert torch.isclose(loss.adversarial, -3 * batch[2][:, 0].mean())
    assert torch.isclose(loss.total, loss.pixel + 0.5 + loss.weight * loss.adversarial)


def test_the_adaptive_weight_is_the_ratio_of_gradients_within_bounds():
    layer = torch.ones(4, requires_grad=True)
    strong, weak, none = layer.sum() * 3, layer.sum() * 0.5, layer.sum() * 0
    assert balance(strong, weak, layer).item() == pytest.approx(6 / (1 + 1e-4))
    assert balance(strong, none, layer).item() == 1e4
    assert balance(none, strong, layer).item() == 0
    assert not balance(strong, weak, layer).requires_grad


@pytest.mark.parametrize("term", ["perceptual_weight", "adversarial_weight"])
def test_a_weight_without_its_network_is_refused(batch, term):
    with pytest.raises(ValueError, match="set the weight to 0"):
        loss_of(batch, replace(PLAIN, adversarial_start=0, **{term: 1.0}))


def test_the_discriminator_is_content_beyond_the_hinge():
    content = torch.full((1, 1, 2, 2), 1.5)
    assert discriminator_loss(content, -content) == 0
    assert discriminator_loss(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == 1


def test_pixels_can_count_by_their_squares(batch):
    images, _, reconstruction = batch
    loss = loss_of(batch, replace(PLAIN, pixel="squared"))
    assert torch.isclose(loss.pixel, (images - reconstruction).square().mean())


def test_the_adversary_can_have_a_fixed_weight_and_a_loss_that_does_not_saturate(batch):
    settings = LossSettings(
        perceptual_weight=0.0,
        adversarial_weight=0.1,
        adversarial_start=0,
        adaptive=False,
        adversary="logistic",
    )
    loss = loss_of(batch, settings, discriminator=Critic())
    expected = torch.nn.functional.softplus(-3 * batch[2][:, :1]).mean()
    assert torch.isclose(loss.adversarial, expected)
    assert loss.weight.item() == pytest.approx(0.1)
    assert torch.isclose(loss.total, loss.pixel + 0.5 + 0.1 * expected)


@pytest.mark.parametrize(("guidance", "largest"), [(4.0, 100.0), (1e-4, 100.0), (1e-4, 7.0)])
def test_guidance_counts_as_much_as_all_else_up_to_a_limit(batch, guidance, largest):
    images, scale, reconstruction = batch
    settings = replace(PLAIN, guidance_weight=2.0, guidance_largest=largest)
    given = torch.tensor(guidance, requires_grad=True)
    plain = loss_of(batch, PLAIN).total.detach()
    total = generator_loss(
        images,
        reconstruction,
        torch.tensor(0.5),
        settings,
        0,
        last_layer=scale,
        perceptual=None,
        discriminator=None,
        guidance=given,
    ).total
    weight = min(float(plain) / guidance, largest)
    assert total.item() == pytest.approx(float(plain) + 2 * weight * guidance, rel=1e-5)
    (slope,) = torch.autograd.grad(total, given)
    assert float(slope) == pytest.approx(2 * weight, rel=1e-5)


def test_lecam_is_nothing_while_both_sides_lie_within_each_others_mean():
    lecam = LeCam(decay=0.0)
    assert float(lecam(torch.full((1, 1, 2, 2), 1.0), torch.full((1, 1, 2, 2), 1.0))) == 0
    apart = lecam(torch.full((1, 1, 2, 2), 2.0), torch.full((1, 1, 2, 2), -1.0))
    assert float(apart) == pytest.approx(9 + 9)
    slow = LeCam(decay=0.9)
    slow(torch.full((1, 1, 2, 2), 1.0), torch.full((1, 1, 2, 2), -1.0))
    assert float(slow.real) == pytest.approx(0.1)
    assert float(slow.fake) == pytest.approx(-0.1)


def test_the_logistic_discriminator_wants_both_sides_apart():
    real, fake = torch.full((1, 1, 2, 2), 2.0), torch.full((1, 1, 2, 2), -1.0)
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert float(discriminator_loss(real, fake, "logistic")) == pytest.approx(expected)
