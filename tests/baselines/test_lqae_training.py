import math

import pytest
import torch
from lqae_world import RECIPE, SIZES
from training_world import Stripes

from frostbench.baselines.lqae.lesson import cells, in_halves, prepare
from frostbench.baselines.lqae.model import LQAE
from frostbench.baselines.lqae.recipe import train, train_on, whole
from frostbench.baselines.lqae.training import LQAETraining, LQAETrainingSettings
from frostbench.baselines.lqae.weights import load
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.training import folder as stored


@pytest.fixture(scope="module")
def mlm():
    return toys.mlm()


def workshop(at, **settings):
    return Workshop(at / "pack", at / "scratch", settings=settings, pictures=Stripes())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, mlm):
    shop = workshop(tmp_path_factory.mktemp("lqae"))
    return shop, train_on(shop, RECIPE, mlm)


def test_a_training_leaves_a_model_that_loads_and_figures_of_it(trained, mlm):
    shop, report = trained
    assert report.steps == 8
    model = load(shop.pack / "lqae")
    assert model.settings == SIZES
    assert not model.training
    channel = whole(mlm, SIZES)
    images = Stripes().batch("validation", 4, 0)
    assert model.decode(model.encode(images, channel), channel).shape == images.shape
    assert report.figures["codes"] == channel.size
    assert 0 < report.figures["codes_used"] <= channel.size
    assert all(math.isfinite(value) for value in report.figures.values())


def test_a_finished_training_that_is_resumed_leaves_the_same_file(trained, mlm):
    shop, _ = trained
    file = shop.pack / "lqae" / "model.safetensors"
    before = file.read_bytes()
    assert train_on(shop, RECIPE, mlm).steps == 8
    assert file.read_bytes() == before


def cut_in_two(model, channel, pictures, settings, cut):
    """Weights after a training that is stopped at a step and goes on in a new object."""
    torch.manual_seed(0)
    training = LQAETraining(model, channel, pictures, settings, seed=0)
    for step in range(cut):
        training.step(step)
    parts = {name: part.state_dict() for name, part in training.parts().items()}
    again = LQAETraining(LQAE(SIZES), channel, pictures, settings, seed=0)
    for name, part in again.parts().items():
        part.load_state_dict(parts[name])
    for step in range(cut, settings.steps):
        again.step(step)
    return again.model.state_dict()


def test_a_training_resumed_within_the_lesson_equals_one_that_ran_through(mlm):
    channel = whole(mlm, SIZES)

    def pictures(step):
        return Stripes().batch("base", 2, step) * 2 - 1

    results = []
    for cut in (0, 2, 5):
        with toys.seeded(1):
            model = LQAE(SIZES)
        results.append(cut_in_two(model, channel, pictures, RECIPE.training, cut))
    for other in results[1:]:
        assert all(torch.equal(results[0][name], other[name]) for name in other)


def test_the_language_model_is_not_touched_by_a_training(tmp_path):
    mlm = toys.mlm()
    before = checksum(mlm.model)
    train_on(workshop(tmp_path), RECIPE, mlm)
    assert checksum(mlm.model) == before
    assert all(p.grad is None for p in mlm.model.parameters())


def test_every_trained_tensor_is_decayed_and_none_of_the_language_models_is_trained(mlm):
    channel = whole(mlm, SIZES)
    model = LQAE(SIZES)
    training = LQAETraining(model, channel, lambda _: None, LQAETrainingSettings(), seed=0)
    (group,) = training.optimiser.param_groups
    assert group["weight_decay"] == 5e-4
    assert group["betas"] == (0.9, 0.95)
    assert len(group["params"]) == len(list(model.parameters()))


def test_the_published_schedule_rises_for_five_epochs_and_falls_along_a_cosine():
    published = LQAETrainingSettings()
    assert published.steps == 250_200
    assert published.rate_at(0) == 0
    assert published.rate_at(12_510) == 3e-4
    assert published.rate_at((12_510 + 250_200) // 2) == pytest.approx(1.5e-4)
    assert published.rate_at(250_199) == pytest.approx(0, abs=1e-12)
    assert published.ratio_at(0) == (0.5, 0.5)
    assert published.lesson_steps == 0


def test_the_mask_ratio_rises_where_it_is_asked_to():
    plan = LQAETrainingSettings(mask_steps=(4, 14), mask_ratio=(0.2, 0.5))
    assert plan.ratio_at(0) == plan.ratio_at(4) == (0, 0)
    assert plan.ratio_at(9) == (0.1, 0.25)
    assert plan.ratio_at(30) == (0.2, 0.5)


def test_cells_are_cut_as_the_encoder_cuts_them():
    images = torch.rand(2, 3, 8, 8)
    kernel = torch.rand(5, 3, 4, 4)
    features = torch.nn.functional.conv2d(images, kernel, stride=4).movedim(1, -1)
    assert torch.allclose(cells(images, 4) @ kernel.flatten(1).T, features, atol=1e-5)


def test_a_lesson_gives_equal_cells_one_code_and_every_cluster_another():
    images = Stripes().batch("base", 8, 0)
    rows = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    lesson = prepare(images, 4, rows, 12, rounds=3, seed=0)
    assert len(set(lesson.codes.tolist())) == 12
    ids = lesson(torch.cat([images, images]))
    assert torch.equal(ids[:8], ids[8:])
    again = prepare(images, 4, rows, 12, rounds=3, seed=0)
    assert torch.equal(again.codes, lesson.codes)


def test_similar_clusters_get_similar_codes():
    order = in_halves(torch.tensor([[3.0], [1.0], [4.0], [1.5], [9.0], [2.6]]))
    assert order.tolist() in ([1, 3, 5, 0, 2, 4], [4, 2, 0, 5, 3, 1])
    line = torch.rand(50, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0, 0.1])
    assert line[in_halves(line)][:, 0].diff().ge(-0.5).all()


def test_more_clusters_than_codes_are_refused():
    with pytest.raises(ValueError, match="50 clusters need a code each, and there are 40"):
        prepare(torch.rand(2, 3, 8, 8), 4, torch.rand(40, 6), 50, rounds=1, seed=0)


def test_a_recipe_without_its_language_model_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"no masked language model at .*mlm"):
        train(workshop(tmp_path))


def test_a_mistyped_setting_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"lqae.*'steps'"):
        train(workshop(tmp_path, **{"training.stepz": "3"}))


def test_a_stored_model_is_a_byte_a_number(trained):
    shop, _ = trained
    file = shop.pack / "lqae" / "model.safetensors"
    numbers = sum(p.numel() for p in LQAE(SIZES).parameters())
    assert file.stat().st_size < 2 * numbers + 12_000
    assert stored.stored_settings(shop.pack / "lqae", SIZES) == SIZES
