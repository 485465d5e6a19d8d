import math
from pathlib import Path

import pytest
import torch
from flmm_world import RECIPE, WORDING, Squares

from frostbench.baselines.flmm.examples import PhraseExamples
from frostbench.baselines.flmm.method import FLMM
from frostbench.baselines.flmm.model import Heads
from frostbench.baselines.flmm.recipe import FLMMRecipe, sizes, train_on
from frostbench.baselines.flmm.training import HeadTraining, HeadTrainingSettings, alike, lost
from frostbench.baselines.flmm.weights import load
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.contract.requests import Ground
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.training.processes import Processes

PLAN = RECIPE.training
ALONE = Processes(Workshop(Path(), Path()))


def workshop(at, **more):
    more.setdefault("offered", {"grounded": lambda _: Squares()})
    return Workshop(at / "pack", at / "scratch", **more)


def reader(folder, scenes=None):
    return PhraseExamples(scenes or Squares(), toys.backbones(), WORDING, "mean", folder)


class NoScenes:
    def batch(self, split, count, seed):
        raise AssertionError("these scenes were read before")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    shop = workshop(tmp_path_factory.mktemp("flmm"))
    return shop, train_on(shop, RECIPE, toys.backbones())


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return list(reader(tmp_path_factory.mktemp("read")).of("base", 4, 0))


def fresh(known):
    with toys.seeded(3):
        return Heads(sizes(RECIPE, known[0]), toys.sam().model)


def test_a_training_leaves_heads_that_load_and_figures_of_them(trained):
    shop, report = trained
    assert report.steps == 6
    heads = load(shop.pack / "flmm", toys.sam().model)
    assert not heads.training
    names = {f"{kind}_ciou" for kind in ("head", "refined", "whole", "centre")}
    splits = ("base", "validation", "novel")
    assert set(report.figures) == {f"{name} [{split}]" for name in names for split in splits}
    assert all(0 <= value <= 1 for value in report.figures.values())
    assert all(math.isfinite(v) for _, values in report.history for v in values.values())


def test_a_finished_training_that_is_resumed_leaves_the_same_file(trained):
    shop, _ = trained
    file = shop.pack / "flmm" / "model.safetensors"
    before = file.read_bytes()
    assert train_on(shop, RECIPE, toys.backbones()).steps == 6
    assert file.read_bytes() == before


def test_scenes_are_read_once_and_a_second_training_finds_them(known, tmp_path):
    made = list(reader(tmp_path).of("base", 4, 0))
    again = reader(tmp_path, scenes=NoScenes())
    for one, two in zip(made, again.of("base", 4, 0), strict=True):
        assert torch.equal(one.rows, two.rows)
        assert torch.equal(one.masks, two.masks)
        assert torch.equal(one.embedding, two.embedding)
        assert one.tokens == two.tokens


def test_heads_learn_from_what_the_method_shows_them(known):
    """A narrative's example holds the same rows and states as the method's own outcome."""
    scene = Squares().scene("base", 0, 0)
    method, image = FLMM.toy(), Image(scene.pixels)
    tokens = {image: method.tokenize(image.pixels[None], torch.tensor([image.size]))}
    request = Ground("ground", image, scene.narrative, scene.phrases)
    (outcome,) = drive([method.prompt(request, tokens)], toys.engine())
    assert outcome.error is None
    assert torch.allclose(outcome.value.seen.rows, known[0].rows.float(), atol=1e-3)
    for mine, kept in zip(outcome.value.seen.hidden, known[0].by_phrase(), strict=True):
        assert torch.allclose(mine, kept.float(), atol=1e-2)
    assert torch.allclose(outcome.value.embedding, known[0].embedding.float(), atol=1e-2)


def test_a_batch_loses_what_its_images_lose_alone(known):
    heads = fresh(known).eval()
    assert [len(group) for group in alike(known)] == [3, 1]
    some = alike(known)[0]
    with torch.no_grad():
        together = lost(heads, some)
        alone = [lost(heads, [example]) for example in some]
    for name, total in together.terms.items():
        assert torch.isclose(total, sum(one.terms[name] for one in alone), rtol=1e-4)


def test_in_bfloat16_a_batch_loses_about_the_same(known):
    heads, some = fresh(known).eval(), alike(known)[0]
    with torch.no_grad():
        single, half = lost(heads, some), lost(heads, some, bfloat16=True)
    for name, total in single.terms.items():
        assert torch.isclose(total, half.terms[name], rtol=0.05)


def test_a_training_learns_every_part_and_resumed_equals_one_that_ran_through(known):
    results = []
    for cut in (0, 2):
        training = HeadTraining(fresh(known), lambda step: known[step % 3 :][:2], PLAN, ALONE)
        before = {name: p.clone() for name, p in training.heads.named_parameters()}
        for step in range(cut):
            training.step(step)
        parts = {name: part.state_dict() for name, part in training.parts().items()}
        again = HeadTraining(fresh(known), lambda step: known[step % 3 :][:2], PLAN, ALONE)
        for name, part in again.parts().items():
            part.load_state_dict(parts[name])
        for step in range(cut, 4):
            again.step(step)
        results.append(dict(again.heads.named_parameters()))
    assert all(torch.equal(results[0][name], tensor) for name, tensor in results[1].items())
    moved = {name for name, p in results[0].items() if not torch.equal(p, before[name])}
    for part in ("mask_head.encoder", "mask_head.decoder", "text_layer", "text_proj", "sam.model"):
        assert any(name.startswith(part) for name in moved), part


def test_the_rate_rises_for_three_parts_in_a_hundred_and_falls_to_nothing():
    plan = HeadTrainingSettings(steps=1000)
    rates = [plan.rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-9)
    assert max(rates) == rates[30] == pytest.approx(1e-4)
    assert rates == [*sorted(rates[:30]), *sorted(rates[30:], reverse=True)]
    assert rates[-1] < 1e-9


def test_a_recipe_without_scenes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="trained on 'grounded', and the workshop has none"):
        train_on(workshop(tmp_path, offered={}), FLMMRecipe(), toys.backbones())
