import pytest
import torch

from frostbench.baselines.spae.codebook import (
    CodebookSettings,
    CodebookWords,
    choose,
    input_rows,
    special_ids,
    standardised,
)
from frostbench.plugins.kit import toys


def test_every_code_is_a_word_that_encodes_to_itself():
    llm = toys.backbones().get("llm")
    words = choose(llm, special_ids(llm), CodebookSettings())
    assert len(words.ids) > 20
    for i, text in zip(words.ids, words.texts, strict=True):
        assert llm.decode([i]) == text
        assert llm.encode(text) == [i]
        assert any(character.isalpha() for character in text)
        assert i not in special_ids(llm)


def test_pieces_that_begin_no_word_can_be_left_out():
    llm = toys.backbones().get("llm")
    whole = choose(llm, special_ids(llm), CodebookSettings(whole_words=True))
    every = choose(llm, special_ids(llm), CodebookSettings(letters=False))
    assert all(text.startswith(" ") for text in whole.texts)
    assert set(whole.ids) < set(every.ids)


def test_a_vocabulary_without_words_is_refused():
    class Silent:
        vocabulary_size = 9
        eos_id = None

        def encode(self, text):
            return [0, 1]

        def decode(self, ids):
            return "x"

    with pytest.raises(ValueError, match=r"of the language model's 9 tokens 0 are words"):
        choose(Silent(), frozenset(), CodebookSettings())


def test_rows_are_the_language_models_own_centred_and_of_unit_size():
    llm = toys.backbones().get("llm")
    words = choose(llm, special_ids(llm), CodebookSettings())
    rows = input_rows(llm, words)
    assert torch.equal(rows, llm.model.get_input_embeddings().weight[list(words.ids)])
    standard = standardised(rows * 7 + 3, "mean_rms")
    assert torch.allclose(standard.mean(0), torch.zeros(rows.shape[1]), atol=1e-5)
    assert standard.square().mean().item() == pytest.approx(1)
    assert torch.equal(standardised(rows, "none"), rows)


def test_words_are_stored_with_their_ids(tmp_path):
    words = CodebookWords((3, 5), (" cat", " Bär"), "some llm")
    words.save(tmp_path / "a")
    assert CodebookWords.load(tmp_path / "a") == words


def test_missing_and_damaged_words_are_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"no words\.json in .*its codes have no known words"):
        CodebookWords.load(tmp_path)
    (tmp_path / "words.json").write_text('{"ids": [1')
    with pytest.raises(ValueError, match=r"words\.json is no JSON"):
        CodebookWords.load(tmp_path)
    (tmp_path / "words.json").write_text('{"ids": ["a"], "texts": ["b"], "llm": ""}')
    with pytest.raises(ValueError, match="'ids' are whole numbers"):
        CodebookWords.load(tmp_path)
    (tmp_path / "words.json").write_text('{"ids": [1, 2], "texts": ["b"], "llm": ""}')
    with pytest.raises(ValueError, match="2 ids for 1 words"):
        CodebookWords.load(tmp_path)
