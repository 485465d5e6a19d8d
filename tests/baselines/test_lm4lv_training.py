import json
import shutil
from dataclasses import replace

import pytest
import torch
from lm4lv_world import TINY, Pairs

from frostbench.baselines.lm4lv import recipe
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.baselines.lm4lv.pairs import FeaturePairs, FeaturePool, tasks_of
from frostbench.baselines.lm4lv.recipe import RECIPES, train_on
from frostbench.baselines.lm4lv.training import (
    Objective,
    losses,
    predicted,
    restored,
    teacher_forced,
)
from frostbench.baselines.lm4lv.weights import load
from frostbench.baselines.lm4lv.wording import Wording, frame
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.kit import toys

LM = toys.backbones().get("llm")
MAE = toys.backbones().get("mae")
TEXTS = frame(Wording(), LM)


def adapters():
    with toys.seeded():
        return Adapters(AdapterSettings(MAE.width, LM.width, 2, ("denoising", "rotation/90")))


def features(count=2):
    torch.manual_seed(0)
    return torch.randn(count, MAE.tokens, MAE.width), torch.randn(count, MAE.tokens, MAE.width)


def spoken(clean, degraded, rows=(0, 1)):
    with torch.no_grad():
        return teacher_forced(
            LM, adapters(), TEXTS, degraded, clean, torch.tensor(rows[: len(clean)])
        )


@pytest.mark.parametrize("place", [0, 1, 8, 16])
def test_a_feature_is_said_before_it_is_read(place):
    degraded, clean = features()
    other = clean.clone()
    other[:, place] += 1
    one, two = spoken(clean, degraded), spoken(other, degraded)
    same = (one.clean - two.clean).abs().amax((0, 2))
    assert same[: place + 1].max() < 1e-6
    if place < 16:
        assert same[place + 1] > 1e-4
    assert torch.equal(one.degraded, two.degraded)


def test_every_feature_of_the_clean_image_is_said_from_the_degraded_one():
    degraded, clean = features()
    other = degraded.clone()
    other[:, -1] += 1
    change = (spoken(clean, degraded).clean - spoken(clean, other).clean).abs().amax((0, 2))
    assert (change > 1e-5).all()


def test_rows_of_a_batch_do_not_see_one_another():
    degraded, clean = features()
    together = spoken(clean, degraded).clean
    for row in range(2):
        alone = spoken(clean[[row]], degraded[[row]], (row,)).clean
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)


def test_the_published_objective_counts_the_clean_image_and_the_texts_of_the_answer():
    degraded, clean = features()
    said = spoken(clean, degraded)
    plain = losses(LM, said, TEXTS, degraded, clean, Objective(False, 0.0))
    assert plain.total == plain.clean == (said.clean - clean).square().mean()
    assert plain.text == 0
    both = losses(LM, said, TEXTS, degraded, clean, Objective(True, 0.0))
    torch.testing.assert_close(both.total, (both.clean + both.degraded) / 2)
    whole = losses(LM, said, TEXTS, degraded, clean, Objective())
    torch.testing.assert_close(whole.total, plain.total + whole.text)
    logits = LM.model.get_output_embeddings()(said.hidden)
    places = [*range(said.begin.start, said.begin.stop)]
    places += range(said.closing.start, said.closing.stop)
    wanted = torch.tensor([TEXTS.begin_ids + TEXTS.closing_ids] * 2)
    chosen = logits[:, places].log_softmax(-1).gather(-1, wanted[..., None])
    torch.testing.assert_close(whole.text, -chosen.mean())


def test_the_texts_that_are_to_be_said_stand_where_they_are_read():
    degraded, clean = features()
    said = spoken(clean, degraded)
    prefix = len(TEXTS.opening) + MAE.tokens + len(TEXTS.end) + 2 + len(TEXTS.assistant)
    assert said.begin == slice(prefix - 1, prefix - 1 + len(TEXTS.begin_ids))
    assert said.closing.stop == said.hidden.shape[1] - 1


def test_own_features_are_read_as_restoring_makes_them():
    degraded, clean = features()
    pairs = FeaturePairs(degraded, clean, torch.tensor([0, 1]))
    made = restored(LM, adapters(), TEXTS, degraded, pairs.tasks)
    # Each is what those before it say next, the first from none: there is one such sequence.
    said = spoken(made, degraded).clean
    torch.testing.assert_close(made, said, atol=1e-5, rtol=1e-5)

    def lost(own):
        return predicted(LM, adapters(), TEXTS, pairs, Objective(False, 0.0), own=own)

    torch.testing.assert_close(lost(True).clean, (said - clean).square().mean())
    assert not torch.isclose(lost(True).clean, lost(False).clean)
    assert lost(True).total.requires_grad


def workshop(at, **settings):
    return Workshop(
        at / "pack", at / "scratch", settings=settings, offered={"pairs": lambda _: Pairs()}
    )


def test_a_training_leaves_adapters_linear_maps_and_figures(tmp_path):
    shop = workshop(tmp_path)
    report = train_on(shop, TINY, toys.backbones())
    assert report.steps == 6
    trained = load(shop.pack / "lm4lv" / "degradations")
    assert trained.adapters.settings.tasks == ("denoising", "rotation/90", "rotation/180")
    assert trained.adapters.learnable_task_token.any()
    for task in trained.adapters.settings.tasks:
        for row in ("", ", no_llm", ", copy", ", floor", ", ceiling"):
            assert 0 < report.figures[f"psnr [{task}{row}]"] < 60
    json.dumps(report.settings)


def test_a_training_brings_the_error_down(tmp_path):
    report = train_on(workshop(tmp_path), replace(TINY, steps=40), toys.backbones())
    assert report.history[-1][1]["clean"] < 0.7 * report.history[0][1]["clean"]


@pytest.mark.parametrize("rank", [0, 2])
def test_a_training_stopped_midway_and_resumed_equals_one_that_ran_through(
    tmp_path, monkeypatch, rank
):
    settings = replace(
        TINY,
        steps=3,
        own_steps=3,
        lora_rank=rank,
        lora_targets=("q_proj", "v_proj"),
        restored=1,
        linear_batches=1,
    )
    through = workshop(tmp_path / "through")
    train_on(through, settings, toys.backbones())
    stopped = workshop(tmp_path / "stopped")
    whole = recipe.predicted

    def tired(*arguments, own):
        tired.steps += 1
        read.append(own)
        if tired.steps == 4:
            raise KeyboardInterrupt
        return whole(*arguments, own=own)

    tired.steps, read = 0, []
    monkeypatch.setattr(recipe, "predicted", tired)
    with pytest.raises(KeyboardInterrupt):
        train_on(stopped, settings, toys.backbones())
    assert read == [False, False, False, True]
    monkeypatch.setattr(recipe, "predicted", whole)
    train_on(stopped, settings, toys.backbones())
    for one in sorted((through.pack / "lm4lv").rglob("*.safetensors")):
        other = stopped.pack / one.relative_to(through.pack)
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_lora_is_trained_beside_the_adapters_and_the_model_stays_frozen(tmp_path):
    before = toys.checksums()
    settings = replace(TINY, lora_rank=2, lora_targets=("q_proj", "v_proj"), restored=1)
    shop = workshop(tmp_path)
    report = train_on(shop, settings, toys.backbones())
    trained = load(shop.pack / "lm4lv" / "degradations")
    assert trained.lora is not None
    plain = train_on(workshop(tmp_path / "plain"), replace(TINY, restored=1), toys.backbones())
    assert report.figures["numbers"] > plain.figures["numbers"]
    assert report.figures["psnr [denoising]"] != plain.figures["psnr [denoising]"]
    assert toys.checksums() == before


def test_a_second_training_begins_with_the_maps_of_the_first(tmp_path):
    shop = workshop(tmp_path)
    train_on(shop, TINY, toys.backbones())
    first = load(shop.pack / "lm4lv" / "degradations").adapters
    settings = replace(
        TINY,
        name="more",
        corruptions=("rotation",),
        start="degradations",
        steps=1,
        rate=0.0,
        own_steps=0,
    )
    train_on(shop, settings, toys.backbones())
    second = load(shop.pack / "lm4lv" / "more").adapters
    assert torch.equal(first.adapter.weight, second.adapter.weight)
    assert second.settings.tasks == ("rotation/90", "rotation/180")


def test_a_training_of_the_same_name_goes_on_with_its_tokens_and_lora(tmp_path):
    lora = replace(TINY, lora_rank=2, lora_targets=("q_proj", "v_proj"), restored=1)
    first, again = workshop(tmp_path / "first"), workshop(tmp_path / "again")
    train_on(first, lora, toys.backbones())
    shutil.copytree(first.pack, again.pack)
    train_on(
        again, replace(lora, start="degradations", steps=1, rate=0.0, own_steps=0), toys.backbones()
    )
    names = ("lora/adapter_model.safetensors", "model.safetensors")
    for name in names:
        before, after = (
            (shop.pack / "lm4lv" / "degradations" / name).read_bytes() for shop in (first, again)
        )
        assert before == after
    train_on(again, replace(lora, start="degradations"), toys.backbones())
    after = (again.pack / "lm4lv" / "degradations" / names[0]).read_bytes()
    assert after != (first.pack / "lm4lv" / "degradations" / names[0]).read_bytes()


def test_pairs_of_a_step_are_those_of_its_number_and_seed(tmp_path):
    tasks = tasks_of(workshop(tmp_path), ("denoising", "rotation"))
    one = FeaturePool(workshop(tmp_path), MAE, tasks, "base", 2, 3)
    two = FeaturePool(workshop(tmp_path), MAE, tasks, "base", 2, 3)
    later = two(2)
    assert torch.equal(one(5).degraded, later.degraded)
    assert not torch.equal(one(0).degraded, later.degraded)
    assert one(0).tasks.tolist() == [0, 0, 1, 1, 2, 2]


def test_without_pairs_a_training_says_what_is_missing(tmp_path):
    with pytest.raises(ValueError, match="the workshop has none"):
        train_on(Workshop(tmp_path, tmp_path), TINY, toys.backbones())


def test_every_recipe_is_offered_by_its_name_and_trains_by_it():
    from frostbench.baselines.lm4lv.plugin import frostbench_recipes

    offered = {one.name: one for one in frostbench_recipes()}
    assert offered.keys() == RECIPES.keys()
    for name, one in offered.items():
        settings = RECIPES[name]
        assert one.makes[0] == f"{settings.method}/{settings.name}/config.json"
        function = getattr(recipe, one.target.partition(":")[2])
        assert function.args == (name,)
