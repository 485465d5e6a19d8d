import json
import shutil
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import AutoModelForCausalLM

from frostbench.packs.mini.recipes.llm.recipe import (
    LanguageModelSettings,
    build,
    losses,
    pace,
    train_llama,
    train_llm,
)
from frostbench.packs.mini.recipes.text.corpus import prose
from frostbench.packs.mini.recipes.text.exercises import (
    ExerciseRow,
    PieceRows,
    Repeats,
    RestorationExercise,
)
from frostbench.packs.mini.recipes.text.tokenizer import load_tokenizer, train_tokenizer
from frostbench.plugins.backbones import BackboneEntry
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

PACK = embedded_pack("mini")
PROSE = [f"A paragraph of plain words that says little, {'and less ' * n}" for n in range(120)]
TINY = {
    "width": "32",
    "layers": "2",
    "heads": "2",
    "inner": "32",
    "text_tokens": "96",
    "exercise_tokens": "300",
    "figures_rows": "2",
    "steps": "4",
    "log_every": "2",
}


def workshop(at: Path, **settings: str) -> Workshop:
    pack = at / "pack"
    for part in ("llm", "llama"):
        (pack / part).mkdir(parents=True, exist_ok=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(PACK / "llm" / name, pack / part / name)
    offered = {"text": lambda _: PROSE}
    return Workshop(pack, at / "scratch", settings={**TINY, **settings}, offered=offered)


def loaded(folder: Path):
    return CausalLM.load(BackboneEntry("llm", "causal_lm", str(folder))).model


@pytest.mark.parametrize(("train", "name"), [(train_llm, "llm"), (train_llama, "llama")])
def test_a_training_leaves_a_language_model_and_a_report(tmp_path, train, name):
    shop = workshop(tmp_path)
    report = train(shop)
    assert report.steps == 4
    assert report.seconds > 0
    assert 0 <= report.figures["2-way 1-shot chosen"] <= 1
    json.dumps(report.settings)
    assert loaded(shop.pack / name).config.hidden_size == 32
    half = workshop(tmp_path / "half", precision="half")
    train(half)
    model = AutoModelForCausalLM.from_pretrained(half.pack / name, local_files_only=True)
    assert model.dtype == torch.float16
    tokenizer = load_tokenizer(shop.pack / name)
    assert tokenizer("a dog").input_ids == load_tokenizer(PACK / "llm")("a dog").input_ids


def test_a_training_stopped_midway_and_resumed_equals_one_that_ran_through(tmp_path):
    through = workshop(tmp_path / "through")
    train_llm(through)
    halted = workshop(tmp_path / "halted", minutes="0")
    assert train_llm(halted).steps == 2
    train_llm(workshop(tmp_path / "halted"))
    weights = [shop.pack / "llm" / "model.safetensors" for shop in (through, halted)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_mistyped_setting_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="'layers'"):
        train_llm(workshop(tmp_path, layerz="3"))


@pytest.mark.parametrize("family", ["lfm2", "llama"])
def test_both_families_have_the_same_sizes_and_learn_from_rows(family):
    model = build(LanguageModelSettings(family=family, width=32, layers=2, heads=2, inner=32), 64)
    row = ExerciseRow(ids=(1, 5, 6, 5, 6), weights=(0.0, 0.0, 0.0, 0.0, 1.0), answer=1)
    loss, right = losses(model, [row, row])
    assert loss.shape == ()
    assert right.shape == (2,)
    loss.backward()
    assert all(p.grad is not None for p in model.lm_head.parameters())
    assert model.config.vocab_size == 64


@pytest.mark.parametrize(
    "settings",
    [LanguageModelSettings(), LanguageModelSettings(family="llama", width=144, inner=256)],
    ids=["lfm2", "llama"],
)
def test_before_any_training_a_wired_model_leans_to_what_followed_last_time(settings):
    torch.manual_seed(0)
    pieces = PieceRows(load_tokenizer(PACK / "llm"))
    model = build(settings, pieces.size).eval()
    random = Random(0)
    better = []
    for _ in range(20):
        block = random.choices(pieces.tokens, k=20)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[1, *block, *block]])).logits[0]
        foretold = logits[torch.arange(21, 40), torch.tensor(block[1:])]
        better.append((logits[21:40] < foretold[:, None]).float().mean())
    assert torch.stack(better).mean() > 0.6


def test_a_wired_llama_first_looks_at_the_token_before_at_any_distance_from_the_start():
    torch.manual_seed(0)
    model = build(LanguageModelSettings(family="llama", width=144, inner=256), 64).eval()
    model.set_attn_implementation("eager")
    ids = torch.randint(3, 64, (1, 600))
    with torch.no_grad():
        first = model(input_ids=ids, output_attentions=True).attentions[0][0]
    before = first[:, torch.arange(1, 600), torch.arange(599)]
    assert before.min() > 0.5
    assert before.mean() > 0.9


def test_a_smaller_tokenizer_of_the_same_text_has_the_first_ones_commonest_entries(tmp_path):
    train_tokenizer(tmp_path, prose(), 300)
    small, large = load_tokenizer(tmp_path), load_tokenizer(PACK / "llm")
    assert len(small) == 300
    assert small.get_vocab().keys() <= large.get_vocab().keys()
    assert small.decode(small("a tiny façade").input_ids) == "<bos>a tiny façade"


def test_the_rate_rises_stays_and_falls():
    settings = LanguageModelSettings(steps=1000, warm_up=100, cool_down=0.2)
    rates = [pace(i, settings) for i in range(1000)]
    assert rates[0] == 0.01
    assert rates[100:800] == [1.0] * 700
    assert rates[-1] < 0.06
    assert rates[800:] == sorted(rates[800:], reverse=True)


@pytest.fixture(scope="module")
def model():
    return loaded(PACK / "llm")


@pytest.fixture(scope="module")
def pieces():
    return PieceRows(load_tokenizer(PACK / "llm"))


def solved(model, rows: list[ExerciseRow]) -> float:
    hits = []
    for row in rows:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row.ids[:-1]])).logits[0, -row.answer :]
        hits += (logits.argmax(-1) == torch.tensor(row.ids[-row.answer :])).tolist()
    return sum(hits) / len(hits)


def test_the_packs_model_repeats_votes_and_copies(model, pieces):
    random = Random("fresh")
    assert solved(model, [Repeats().row(random, pieces) for _ in range(20)]) > 0.9
    assert solved(model, [RestorationExercise(2, 2).row(random, pieces) for _ in range(20)]) > 0.9
    copy = RestorationExercise(2, 2, noise=0.0, oracle=False)
    assert solved(model, [copy.row(random, pieces) for _ in range(20)]) > 0.9
