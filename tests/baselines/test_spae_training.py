from dataclasses import replace

import pytest
import torch
from training_world import NETWORK, STRIPES, TRAINING

from frostbench.baselines.spae import recipe as spae_recipe
from frostbench.baselines.spae.codebook import CodebookSettings, CodebookWords
from frostbench.baselines.spae.model import SPAE, SPAESettings
from frostbench.baselines.spae.projection import ProjectionSettings
from frostbench.baselines.spae.recipe import (
    PUBLISHED_TRAINING,
    Guide,
    SPAERecipe,
    fit_codes,
    train_on,
)
from frostbench.baselines.spae.semantic import SemanticSettings
from frostbench.baselines.spae.weights import load
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.autoencoder.reconstruction import psnr
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.plugins.parts.training.pool import Pool

LOSS = replace(
    TRAINING.loss,
    pixel="squared",
    adversary="logistic",
    lecam_weight=1e-2,
    guidance_weight=1.0,
    codebook_weight=0.1,
)
RECIPE = SPAERecipe(
    model=SPAESettings(NETWORK, (1, 2, 4, 8, 8), code_projection=4, equal_norms=True, own_heads=2),
    projection=ProjectionSettings(meaning=2),
    semantic=SemanticSettings(thresholds=(0.9, 0.8), templates=("{}",)),
    training=replace(TRAINING, loss=LOSS, average=0.5, fit_steps=(2,)),
    pool_batches=3,
    validation_batches=2,
)


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "pack", tmp_path / "scratch", offered=STRIPES)


def test_training_stores_a_tokenizer_with_its_words_that_scores_as_reported(workshop):
    report = train_on(workshop, RECIPE, toys.llm(), toys.clip(), None)
    folder = workshop.pack / "spae"
    model, words = load(folder), CodebookWords.load(folder)
    assert len(words.texts) == model.settings.words
    assert words.llm == "toy"
    assert report.history[-1][1]["guidance"] > 0
    pool = Pool(workshop, "validation", 2, 2)
    for depth in (1, 3, 5):
        with torch.no_grad():
            decibels = [
                psnr(pool(i), model.decode(model.encode(pool(i))[:depth])) for i in range(2)
            ]
        expected = report.figures[f"psnr from {depth} layers"]
        assert float(torch.cat(decibels).mean()) == pytest.approx(expected, abs=1e-3)
    assert 0 <= report.figures["score of layer 1, own words"] <= 1
    assert any("projection" in note for note in report.notes)


def test_the_stored_codebook_is_the_language_models_own_to_the_precision_of_a_byte(workshop):
    settings = replace(RECIPE, model=replace(RECIPE.model, code_projection=None))
    settings = replace(settings, training=replace(RECIPE.training, fit_steps=()))
    train_on(workshop, settings, toys.llm(), toys.clip(), None)
    model, words = load(workshop.pack / "spae"), CodebookWords.load(workshop.pack / "spae")
    rows = toys.llm().embed(words.ids).float()
    rows = (rows - rows.mean(0)) / (rows - rows.mean(0)).square().mean().sqrt()
    assert torch.allclose(model.codes(), rows, atol=float(rows.abs().max()) / 200)


def test_a_codebook_of_clips_texts_is_as_wide_as_clip(workshop):
    settings = replace(RECIPE, codebook=CodebookSettings(source="clip_text"))
    train_on(workshop, settings, toys.llm(), toys.clip(), None)
    assert load(workshop.pack / "spae").settings.width == 16


def test_a_training_that_was_killed_ends_as_one_that_was_not(workshop, monkeypatch, tmp_path):
    whole = train_on(workshop, RECIPE, toys.llm(), toys.clip(), None)
    kept = stored.weights.read(workshop.pack / "spae" / "model.safetensors")

    class Killed(Exception):  # noqa: N818
        pass

    train = recipe.train

    def interrupted(workshop, name, parts, step, steps, processes, **how):
        def fragile(index):
            if index == 7:
                raise Killed
            return step(index)

        return train(workshop, name, parts, fragile, steps, processes, save_every=3, **how)

    again = replace(workshop, pack=tmp_path / "pack2", scratch=tmp_path / "scratch2")
    monkeypatch.setattr(recipe, "train", interrupted)
    with pytest.raises(Killed):
        train_on(again, RECIPE, toys.llm(), toys.clip(), None)
    monkeypatch.setattr(recipe, "train", train)
    resumed = train_on(again, RECIPE, toys.llm(), toys.clip(), None)
    assert resumed.figures == whole.figures
    tensors = stored.weights.read(again.pack / "spae" / "model.safetensors")
    assert all(torch.equal(tensor, kept[name]) for name, tensor in tensors.items())


def test_words_without_a_projection_cannot_be_fitted():
    model = SPAE(SPAESettings(NETWORK, (1, 2), words=9, width=3))
    guide = Guide(toys.clip(), torch.zeros(9, 16))
    with pytest.raises(ValueError, match="set fit_steps to nothing"):
        fit_codes(model, guide, torch.zeros(5, 3), ProjectionSettings())


def test_settings_of_the_recipe_are_overridden_by_dotted_names(workshop, monkeypatch):
    seen = []

    def remember(workshop, settings, *networks):
        seen.append(settings)
        return Report(steps=0, seconds=0.0, figures={})

    monkeypatch.setattr(spae_recipe, "train_on", remember)
    for name, toy in (("llm", toys.llm()), ("clip", toys.clip())):
        loader = spae_recipe.CausalLM if name == "llm" else spae_recipe.Clip
        monkeypatch.setattr(loader, "load", lambda entry, device, toy=toy: toy)
    values = {
        "semantic.thresholds": "[0.7]",
        "codebook.source": "clip_text",
        "training.loss.perceptual_weight": "0",
        "model.layers": "[1,2,4]",
    }
    spae_recipe.train(replace(workshop, settings=values))
    assert seen[0].semantic.thresholds == (0.7,)
    assert seen[0].codebook.source == "clip_text"
    assert seen[0].model.layers == (1, 2, 4)


def test_the_published_training_is_told_apart_from_that_of_the_mini_pack():
    assert PUBLISHED_TRAINING.steps == 450_000
    assert PUBLISHED_TRAINING.loss.pixel == "squared"
    assert not PUBLISHED_TRAINING.loss.adaptive
    assert SPAERecipe().training.steps < 10_000
