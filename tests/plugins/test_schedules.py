"""Each schedule against the formula that its training was first written with."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.baselines.flmm.training import HeadTrainingSettings
from frostbench.baselines.lm4lv.recipe import LM4LVRecipe
from frostbench.baselines.lqae.training import LQAETrainingSettings
from frostbench.packs.mini.recipes.llm import recipe as llm
from frostbench.packs.mini.recipes.lmm import recipe as lmm
from frostbench.plugins.parts.autoencoder.training import AdversarialTrainingSettings
from frostbench.plugins.parts.training.schedules import cosine_fall, linear_fall, rise, set_rate
from frostbench.v2l.adapter_recipe import AdapterRecipe

SAME = {"rel": 1e-12, "abs": 1e-15}
LENGTHS = [(100, 10), (100, 0), (7, 7), (5, 50), (1, 0)]


def half_cosine(step: int, warm: int, steps: int) -> float:
    return (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


@pytest.mark.parametrize(("steps", "warm"), LENGTHS)
@pytest.mark.parametrize("cosine", [True, False])
def test_an_autoencoder_is_warmed_up_by_whole_steps_and_falls_only_if_asked(steps, warm, cosine):
    settings = AdversarialTrainingSettings(steps, 8, 1e-3, warmup_steps=warm, cosine=cosine)
    for step in range(steps):
        fall = half_cosine(step, warm, steps) if cosine else 1.0
        wanted = 1e-3 * (step + 1) / warm if step < warm else 1e-3 * fall
        assert settings.rate_at(step) == pytest.approx(wanted, **SAME)


@pytest.mark.parametrize(("steps", "warm"), LENGTHS)
def test_v2l_s_adapter_is_warmed_up_by_whole_steps_and_falls_along_a_cosine(steps, warm):
    settings = AdapterRecipe(steps=steps, warmup_steps=warm)
    for step in range(steps):
        up = 3e-3 * (step + 1) / warm if step < warm else 3e-3 * half_cosine(step, warm, steps)
        assert settings.rate_at(step) == pytest.approx(up, **SAME)


@pytest.mark.parametrize(("steps", "warm"), LENGTHS)
def test_lqae_begins_at_nothing_and_falls_along_a_cosine(steps, warm):
    settings = LQAETrainingSettings(steps=steps, warmup_steps=warm)
    for step in range(steps):
        wanted = 3e-4 * step / warm if step < warm else 3e-4 * half_cosine(step, warm, steps)
        assert settings.rate_at(step) == pytest.approx(wanted, **SAME)


@pytest.mark.parametrize("steps", [1, 10, 333])
def test_f_lmm_begins_at_a_share_of_its_rate_and_falls_along_a_cosine(steps):
    settings = HeadTrainingSettings(steps=steps, warm_up=0.3)
    warm = max(1, round(0.3 * steps))
    for step in range(steps):
        up = 1e-4 * (1e-5 + (1 - 1e-5) * step / warm)
        wanted = up if step < warm else 1e-4 * half_cosine(step, warm, steps)
        assert settings.rate_at(step) == pytest.approx(wanted, **SAME)


@pytest.mark.parametrize("steps", [1, 10, 333])
def test_lm4lv_is_warmed_up_by_whole_steps_and_falls_in_a_line(steps):
    settings = LM4LVRecipe(steps=steps)
    warm = max(1, round(0.1 * steps))
    for step in range(steps):
        down = (steps - step) / max(1, steps - warm)
        wanted = 3e-3 * ((step + 1) / warm if step < warm else down)
        assert settings.rate_at(step) == pytest.approx(wanted, **SAME)


@pytest.mark.parametrize("steps", [3, 200, 997])
def test_the_mini_packs_language_model_falls_at_the_end_to_a_twentieth(steps):
    settings = llm.LanguageModelSettings(steps=steps)
    down = steps * (1 - settings.cool_down)
    for step in range(steps):
        done = min(1.0, (step - down) / (steps - down))
        low = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))
        wanted = min(1.0, (step + 1) / settings.warm_up) if step < down else low
        assert llm.pace(step, settings) == pytest.approx(wanted, **SAME)


@pytest.mark.parametrize("steps", [3, 200, 997])
def test_the_mini_packs_multimodal_model_is_warmed_up_in_both_stages(steps):
    settings = lmm.MultimodalTraining(steps=steps, naming=steps // 2)
    down = steps * (1 - settings.cool_down)
    for step in range(steps):
        stage = step - settings.naming if step >= settings.naming else step
        done = min(1.0, (step - down) / (steps - down))
        low = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)) if step >= down else 1.0
        wanted = min(1.0, (stage + 1) / settings.warm_up) * low
        assert lmm.pace(step, settings) == pytest.approx(wanted, **SAME)


@given(
    step=st.integers(0, 400),
    start=st.integers(0, 200),
    length=st.integers(1, 200),
    low=st.floats(0, 1),
)
def test_no_share_leaves_its_bounds(step, start, length, low):
    assert low - 1e-9 <= rise(step, length, low) <= 1
    assert low - 1e-9 <= cosine_fall(step, start, start + length, low) <= 1 + 1e-9
    assert 0 <= linear_fall(step, start, start + length) <= 1


def test_a_rate_is_set_for_every_group_of_an_optimiser():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimiser = torch.optim.SGD([{"params": [one]} for one in weights], lr=1.0)
    set_rate(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 0.25]
