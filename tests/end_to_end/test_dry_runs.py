"""Trainings at published sizes, counted without a number: figures of the papers' own code."""

import math
from pathlib import Path

import pytest

from frostbench.baselines.flmm import dry_run as flmm
from frostbench.baselines.lm4lv import dry_run as lm4lv
from frostbench.baselines.spae import dry_run as spae
from frostbench.baselines.vqgan import dry_run as vqgan
from frostbench.bench.cli import main
from frostbench.plugins.contract.recipe import Workshop
from frostbench.v2l import dry_run as v2l

GIB = 1 << 30


def counted(method, accumulate=1, **more):
    more.setdefault("published", True)
    return method.plan(Workshop(Path(), Path(), accumulate=accumulate, **more))


def test_vqgan_has_the_parameters_of_its_checkpoint_and_of_its_discriminator():
    made = counted(vqgan, accumulate=12)
    assert made.trained == {
        "model": 29_298_176 + 42_449_795 + 2 * 65_792 + 1024 * 256,
        "discriminator": 2_765_633,
    }
    assert made.batch == 12
    numbers = sum(made.trained.values())
    assert made.bytes_["gradients"] == 4 * numbers
    assert made.bytes_["optimiser"] == 8 * numbers


def test_shares_one_after_another_are_the_same_work_and_keep_less():
    # In bfloat16 each pass keeps copies of the weights, however few images it is of.
    tiny = {
        "training.batch": "4",
        "training.bfloat16": "false",
        "model.network.multipliers": "[1,2]",
    }
    whole, half = (counted(vqgan, n, published=False, settings=tiny) for n in (1, 2))
    assert sum(whole.work.values()) == pytest.approx(sum(half.work.values()), rel=0.02)
    assert whole.kept == pytest.approx(2 * half.kept, rel=0.1)


def test_v2l_has_the_parameters_of_its_networks_and_projection():
    made = counted(v2l)
    convolutions = 256 * 768 + 768 + 768 * 256 + 256
    assert made.trained == {
        "model": 26_455_936 + 48_746_499 + convolutions + 768 * 768 + 768,
        "discriminator": 663_361,
    }
    assert made.frozen["model"] == (32_000 + 11_908) * 768
    assert (made.steps, made.batch) == (16_000_000, 8)


def test_spae_keeps_a_running_mean_and_reads_a_codebook_of_65000_words():
    made = counted(spae, accumulate=32)
    assert (made.steps, made.batch) == (450_000, 256)
    assert made.bytes_["average"] > 4 * made.trained["model"]
    assert made.bytes_["weights"] > 4 * 65_000 * 4096
    assert made.frozen["clip"] == pytest.approx(304e6, rel=0.01)


def test_lm4lv_trains_eight_million_numbers_around_seven_billion():
    made = counted(lm4lv, accumulate=16)
    assert made.trained == {"adapters": 8_434_688}
    assert made.frozen["llm"] == 6_738_415_616
    assert (made.steps, made.batch) == (4651, 256)
    # Twice the products of all layers, there and back, with 437 tokens; embeddings are looked up.
    layers = 32 * (4 * 4096**2 + 3 * 4096 * 11_008)
    expected = 2 * 2 * 256 * 437 * layers
    assert made.work["language model"] == pytest.approx(expected, rel=0.04)
    assert made.bytes_["weights"] == pytest.approx(13.8 * GIB, rel=0.01)


def test_flmm_trains_mask_head_words_and_sams_decoder():
    made = counted(flmm, accumulate=8)
    trained = 7_772_609 + 1_048_832 + 32 + 4_058_340
    assert made.trained["heads"] == trained + 6_220  # what SAM's prompt encoder learns
    assert (made.steps, made.batch) == (190_160, 8)
    assert made.frozen["sam"] == pytest.approx(308e6, rel=0.01)
    assert made.work["heads"] < made.work["SAM's image encoder"] < made.work["multimodal model"]


def test_the_command_prints_parameters_memory_steps_and_an_estimate(capsys):
    assert main(["train", "vqgan", "dry=true", "peak=100"]) == 0
    said = capsys.readouterr().out
    for words in (
        "vqgan: 6,000 steps of 8 images",
        "trained parameters:",
        "optimiser:",
        "kept for gradients",
        "estimate, not measured: at most",
        "at the whole of 100 TFLOP/s",
    ):
        assert words in said
    fastest = float(said.split("at most ")[1].split()[0])
    work = float(said.split("work in all: ")[1].split()[0])
    assert math.isclose(fastest * work, 100, rel_tol=0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dry=true"], "name some of"),
        (["mae", "published=true"], "name some of"),
        (["vqgan", "dry=true", "accumulate=3"], "a batch of 8 is not cut into 3 equal shares"),
        (["lm4lv", "dry=true", "recipe.lm4lv.lora_rank=4"], "with a LoRA is not counted"),
    ],
)
def test_what_cannot_be_counted_is_said_in_a_sentence(words, said, capsys):
    assert main(["train", *words]) == 2
    assert said in capsys.readouterr().err
