import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from training_world import NETWORK, STRIPES, TRAINING

from frostbench.baselines.vqgan import recipe as vqgan_recipe
from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.baselines.vqgan.recipe import VQGANRecipe, fit_codebook, train_on
from frostbench.baselines.vqgan.weights import load
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.autoencoder.encoder import Encoder
from frostbench.plugins.parts.autoencoder.initial import pass_through
from frostbench.plugins.parts.autoencoder.training import AdversarialTrainingSettings, perplexity
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.pool import Pool

RECIPE = VQGANRecipe(
    model=VQGANSettings(NETWORK, codes=6, embed_width=3),
    training=TRAINING,
    pool_batches=3,
    validation_batches=2,
)


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "pack", tmp_path / "scratch", offered=STRIPES)


def test_a_step_has_the_same_images_whenever_it_is_asked_and_every_other_round_is_mirrored(
    workshop,
):
    one, other = Pool(workshop, "base", 2, 3), Pool(workshop, "base", 2, 3)
    other(2)
    assert torch.equal(one(1), other(1))
    assert not torch.equal(one(0), one(1))
    assert torch.equal(one(4), one(1).flip(3))
    assert one(0).amin() >= -1
    assert one(0).amax() <= 1
    assert not torch.equal(one(0), Pool(workshop, "validation", 2, 3)(0))


def test_a_workshop_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the workshop has none"):
        train_on(Workshop(tmp_path, tmp_path), RECIPE, None)


def test_training_stores_a_model_that_scores_as_reported(workshop):
    report = train_on(workshop, RECIPE, None)
    assert report.steps == 8
    assert report.figures["pictures"] == 4
    assert 0 < report.figures["codes_used"] <= 6
    assert "discriminator" in report.history[-1][1]
    model = load(workshop.pack / "vqgan")
    assert model.settings == RECIPE.model
    assert not model.training
    pool = Pool(workshop, "validation", 2, 2)
    with torch.no_grad():
        errors = [model.decode(model.encode(pool(i))) - pool(i) for i in range(2)]
    assert float(torch.cat(errors).abs().mean()) == pytest.approx(report.figures["l1"], abs=1e-4)


def test_a_training_that_was_killed_ends_as_one_that_was_not(workshop, monkeypatch, tmp_path):
    whole = train_on(workshop, RECIPE, None)
    kept = stored.weights.read(workshop.pack / "vqgan" / "model.safetensors")

    class Killed(Exception):  # noqa: N818
        pass

    train = recipe.train

    def interrupted(workshop, name, parts, step, steps, processes, **how):
        def fragile(index):
            if index == 6:
                raise Killed
            return step(index)

        return train(workshop, name, parts, fragile, steps, processes, save_every=3, **how)

    again = replace(workshop, pack=tmp_path / "pack2", scratch=tmp_path / "scratch2")
    monkeypatch.setattr(recipe, "train", interrupted)
    with pytest.raises(Killed):
        train_on(again, RECIPE, None)
    monkeypatch.setattr(recipe, "train", train)
    resumed = train_on(again, RECIPE, None)
    assert resumed.figures == whole.figures
    tensors = stored.weights.read(again.pack / "vqgan" / "model.safetensors")
    assert all(torch.equal(tensor, kept[name]) for name, tensor in tensors.items())


def test_settings_of_the_recipe_are_overridden_by_dotted_names(workshop, monkeypatch):
    seen = []

    def remember(workshop, settings, perceptual):
        seen.append(settings)
        return Report(steps=0, seconds=0.0, figures={})

    monkeypatch.setattr(vqgan_recipe, "train_on", remember)
    values = {
        "training.steps": "7",
        "model.network.multipliers": "[1,2]",
        "training.loss.perceptual_weight": "0",
    }
    vqgan_recipe.train(replace(workshop, settings=values))
    assert seen[0].training.steps == 7
    assert seen[0].model.network.multipliers == (1, 2)
    assert seen[0].model.network.channels == VQGANRecipe().model.network.channels
    with pytest.raises(ValueError, match=r"no setting named 'step'.*'steps'"):
        vqgan_recipe.train(replace(workshop, settings={"training.step": "7"}))


def test_the_rate_warms_up_and_falls_along_half_a_cosine():
    plan = AdversarialTrainingSettings(steps=110, batch=1, rate=2.0, warmup_steps=10, cosine=True)
    assert [plan.rate_at(i) for i in (0, 4, 9, 10)] == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert plan.rate_at(60) == pytest.approx(1.0)
    assert plan.rate_at(85) == pytest.approx(1 + math.cos(0.75 * math.pi))
    assert replace(plan, cosine=False).rate_at(109) == 2.0


def test_fitting_moves_every_code_to_where_features_are():
    torch.manual_seed(0)
    model = VQGAN(VQGANSettings(NETWORK, codes=6, embed_width=3))
    points = 5 + torch.randn(200, 3)
    fit_codebook(model, points, seed=0)
    codes = model.quantize.embedding.weight.detach()
    assert torch.cdist(codes, points).amin(1).max() < 1.5
    assert model.quantize(points.T.reshape(1, 3, 10, 20)).unique().numel() == 6


def test_images_do_not_fade_in_an_encoder_that_lets_them_pass():
    torch.manual_seed(0)
    images = torch.randn(4, 3, 32, 32)
    spread = []
    for begin in (False, True):
        encoder = Encoder(replace(NETWORK, multipliers=(1, 2, 4), channels=8))
        if begin:
            pass_through(encoder, nn.Parameter(torch.zeros(1)))
        x = encoder.conv_in(images)
        for level in encoder.down:
            x = level(x)
        spread.append(x.std().item())
    assert spread[0] < 0.5
    assert 0.8 < spread[1] < 5


def test_perplexity_counts_codes_as_if_equally_used():
    assert perplexity(torch.tensor([[1, 1], [1, 1]])) == pytest.approx(1)
    assert perplexity(torch.arange(8)) == pytest.approx(8)
    assert 1 < perplexity(torch.tensor([0, 0, 0, 5])) < 2


def test_a_stored_model_of_other_settings_or_missing_is_refused(tmp_path):
    model = VQGAN(RECIPE.model)
    with pytest.raises(ValueError, match=r"no config\.json in"):
        load(tmp_path)
    stored.save(tmp_path, replace(RECIPE.model, codes=5), model.state_dict())
    with pytest.raises(ValueError, match=r"embedding\.weight is \(6, 3\) instead of \(5, 3\)"):
        load(tmp_path)
    (tmp_path / "config.json").write_text('{"kodes": 5}')
    with pytest.raises(ValueError, match="no setting named 'kodes'"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no settings"):
        load(tmp_path)


def test_what_half_precision_cannot_hold_is_not_stored(tmp_path):
    with pytest.raises(ValueError, match="a holds values that half precision cannot"):
        stored.save(tmp_path, RECIPE.model, {"a": torch.tensor([1e6])})
    assert not any(tmp_path.iterdir())
