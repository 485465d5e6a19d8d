import json
import shutil
from dataclasses import replace

import pytest
import torch

from frostbench.packs.mini.recipes.mlm import MaskedRows, MaskedTraining, masked_tokenizer, train
from frostbench.packs.mini.recipes.text.tokenizer import load_tokenizer
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

LLM = embedded_pack("mini") / "llm"
PROSE = [f"A paragraph of plain words that says little, {'and less ' * n}" for n in range(120)]
TINY = {
    "width": "16",
    "layers": "1",
    "heads": "2",
    "inner": "16",
    "longest": "32",
    "shortest": "16",
    "tokens": "64",
    "figures_rows": "2",
    "steps": "4",
    "log_every": "1",
}


@pytest.fixture(scope="module")
def tokenizer():
    return masked_tokenizer(LLM)


@pytest.fixture(scope="module")
def rows(tokenizer):
    return MaskedRows(tokenizer, PROSE, MaskedTraining(), seed=0)


def workshop(at, **settings):
    (at / "pack" / "llm").mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(LLM / name, at / "pack" / "llm" / name)
    offered = {"text": lambda _: PROSE}
    return Workshop(at / "pack", at / "scratch", settings={**TINY, **settings}, offered=offered)


def test_a_training_leaves_a_masked_language_model_and_a_report(tmp_path):
    shop = workshop(tmp_path)
    report = train(shop)
    assert report.steps == 4
    assert 0 <= report.figures["masked accuracy [15%]"] <= 1
    assert report.figures["perplexity [50%]"] > 1
    json.dumps(report.settings)
    mlm = MaskedLM.load(BackboneEntry("mlm", "masked_lm", str(shop.pack / "mlm")))
    assert (mlm.width, mlm.longest) == (16, 32)
    assert mlm.position_ids(torch.tensor([[9, 9, 9]])).tolist() == [[2, 3, 4]]
    assert mlm.mask_id == mlm.vocabulary_size - 1


def test_a_training_stopped_midway_and_resumed_equals_one_that_ran_through(tmp_path):
    through = workshop(tmp_path / "through")
    train(through)
    halted = workshop(tmp_path / "halted", minutes="0")
    assert train(halted).steps == 1
    train(replace(halted, settings=TINY))
    files = [shop.pack / "mlm" / "model.safetensors" for shop in (through, halted)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_special_tokens_stand_where_robertas_stand(tokenizer):
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3]) == ["<s>", "<pad>", "</s>", "<unk>"]
    assert tokenizer.mask_token_id == len(tokenizer) - 1
    assert tokenizer.pad_token_id == 1
    first, *_, last = tokenizer("a red apple").input_ids
    assert (first, last) == (0, 2)


def test_text_is_read_in_the_same_words_as_by_the_language_model(tokenizer):
    other = load_tokenizer(LLM)
    for text in ("a red apple on the left.", "Ünïcödé 123", " returns None\n"):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.convert_ids_to_tokens(ids) == other.tokenize(text)
        assert tokenizer.decode(ids) == text
    assert len(tokenizer) == len(other) + 2


def test_a_tokenizer_with_other_special_tokens_is_refused(tmp_path):
    content = json.loads((LLM / "tokenizer.json").read_text())
    content["added_tokens"][2]["content"] = "<end>"
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"must have <pad>, <bos> and <eos>, and no other"):
        masked_tokenizer(tmp_path)


def test_a_sixth_or_so_of_the_tokens_is_asked_for_and_eight_tenths_of_those_are_hidden(
    rows, tokenizer
):
    batches = [rows.make(index) for index in range(10)]
    ids, shown, asked = (
        torch.cat([getattr(batch, name).flatten() for batch in batches])
        for name in ("ids", "shown", "asked")
    )
    assert float(asked[ids > 3].float().mean()) == pytest.approx(0.15, abs=0.015)
    hidden = shown[asked] == tokenizer.mask_token_id
    kept = shown[asked] == ids[asked]
    assert float(hidden.float().mean()) == pytest.approx(0.8, abs=0.04)
    assert float(kept.float().mean()) == pytest.approx(0.1, abs=0.03)
    assert torch.equal(shown[~asked], ids[~asked])
    assert not asked[ids < 4].any()


def test_batches_are_the_same_for_the_same_number_and_rows_go_from_start_to_end(rows):
    first, again, other = rows.make(3), rows.make(3), rows.make(4)
    assert torch.equal(first.shown, again.shown)
    assert first.ids.shape != other.ids.shape or not torch.equal(first.ids, other.ids)
    assert set(first.ids[:, 0].tolist()) == {0}
    assert set(first.ids[:, -1].tolist()) == {2}


def test_a_mistyped_setting_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="'layers'"):
        train(workshop(tmp_path, layerz="3"))
