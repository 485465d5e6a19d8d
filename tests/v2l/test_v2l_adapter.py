from dataclasses import replace

import pytest
import torch
from training_world import STRIPES

from frostbench.plugins.backbones.adapters import LoraSettings, adapted
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.prompts import Adapter
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.prompting.masked import MaskedSettings
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe
from frostbench.v2l import codebook
from frostbench.v2l.adapter_recipe import AdapterRecipe, exercises_of, train_on
from frostbench.v2l.masked_exercises import Masking, WordLikeness, answered
from frostbench.v2l.method import V2L
from frostbench.v2l.weights import load

RECIPE = AdapterRecipe(
    lora=LoraSettings(rank=4, alpha=32),
    masking=Masking(MaskedSettings(opening="Restore.\n"), share=0.3, cell=4),
    batch=4,
    batches=2,
    draws=2,
    steps=8,
    rate=2e-2,
    warmup_steps=2,
    validation_batches=1,
    restored=1,
)


@pytest.fixture
def workshop(tmp_path):
    workshop = Workshop(tmp_path / "pack", tmp_path / "scratch", offered=STRIPES)
    toy = V2L.toy()
    folder = workshop.pack / "v2l"
    stored.save(folder, toy._model.settings, toy._model.state_dict())
    codebook.save_words(folder, toy.local_words, toy.global_words)
    return workshop


def exercises(workshop, split="base", settings=RECIPE):
    tokenizer = load(workshop.pack / "v2l")
    return exercises_of(workshop, split, tokenizer, toys.llm(), settings)


def test_an_exercise_hides_cells_and_asks_for_the_clean_words_there_alone(workshop):
    made = exercises(workshop)
    language = toys.llm()
    assert len(made) == 4 * 2 * 2
    assert (made.hidden.sum(1) == round(0.3 * 16)).all()
    prompt = made.inputs[:, : -made.answers.shape[1] + 1]
    shown = prompt[:, -16 - len(language.encode(" >\nOutput: ")) :][:, :16]
    assert (shown[made.hidden] == 0).all()
    assert (shown == made.answers)[~made.hidden].all()
    assert language.decode(prompt[0].tolist()).startswith("<bos>Restore.\n###\nInput: < ")


def test_training_lowers_the_loss_of_hidden_cells_and_leaves_the_frozen_model_alone(workshop):
    backbones = toys.backbones()
    before = checksum(backbones.get("llm").model)
    report = train_on(workshop, RECIPE, backbones)
    assert checksum(backbones.get("llm").model) == before
    base = exercises(workshop)
    everything = torch.arange(len(base))
    language = backbones.get("llm")
    under = adapted(language, Adapter("mine", workshop.pack / "v2l_adapter"))
    with torch.inference_mode():
        frozen, _ = answered(language.model, base, everything, bfloat16=False)
        trained, _ = answered(under.model, base, everything, bfloat16=False)
    assert trained < frozen - 0.1
    figures = report.figures
    assert figures["numbers"] == 2 * 2 * (32 * 4 + 4 * 32)
    assert {"psnr", "psnr [no adapter]", "psnr [copy]", "psnr [mean]"} <= figures.keys()
    assert figures["loss"] != figures["loss [no adapter]"]


def test_a_resumed_training_equals_an_uninterrupted_one(workshop, monkeypatch):
    train_on(workshop, RECIPE, toys.backbones())
    whole = (workshop.pack / "v2l_adapter" / "adapter_model.safetensors").read_bytes()
    again = replace(workshop, scratch=workshop.scratch / "again")
    run = recipe.train

    def halted(*arguments, **how):
        return run(*arguments, **how, save_every=3, stop=lambda progress: True, log_every=5)

    monkeypatch.setattr(recipe, "train", halted)
    train_on(again, RECIPE, toys.backbones())
    monkeypatch.setattr(recipe, "train", run)
    assert (workshop.pack / "v2l_adapter" / "adapter_model.safetensors").read_bytes() != whole
    train_on(again, RECIPE, toys.backbones())
    assert (workshop.pack / "v2l_adapter" / "adapter_model.safetensors").read_bytes() == whole


def test_a_word_that_looks_like_the_right_one_costs_less_than_one_that_does_not():
    looks = WordLikeness(torch.tensor([[0.0], [0.1], [3.0]]), torch.tensor([7, 3, 5]), alike=0.1)
    wanted = torch.tensor([7])
    costs = {}
    for said in (7, 3, 5):
        logits = torch.zeros(1, 9)
        logits[0, said] = 6.0
        costs[said] = float(looks.loss(logits, wanted))
    assert costs[7] < costs[3] < costs[5] - 1
    exact = WordLikeness(looks.points, looks.ids, alike=1e-4)
    plain = torch.nn.functional.cross_entropy(logits, wanted)
    assert float(exact.loss(logits, wanted)) == pytest.approx(float(plain), abs=1e-4)
