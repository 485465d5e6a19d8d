import copy
import io
import json

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from language_models import WORDS, tokenizer
from sentencepiece_world import PUBLISHED, SAID, write_llama

from frostbench.plugins.backbones.sentencepieces import converted, sentencepiece_at
from frostbench.plugins.backbones.tokenizer import (
    TEXTS,
    DepartingTokenizerWarning,
    faithful,
    opening_ids,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def pieces(folder):
    return sentencepiece_at(folder / "tokenizer.model")


@pytest.fixture(scope="module")
def made(folder, pieces):
    return converted(folder / "tokenizer.model", pieces, SAID)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize("text", [*PUBLISHED, *TEXTS])
def test_texts_of_prompts_are_what_sentencepiece_makes_of_them(made, pieces, text):
    assert ids(made, text) == pieces.encode(text)
    assert made.decode(ids(made, text)) == pieces.decode(pieces.encode(text))


@given(text=st.text(st.sampled_from(" ab\n\u2581é日.1T#<x"), max_size=24))
def test_any_text_is_what_sentencepiece_makes_of_it(made, pieces, text):
    assert ids(made, text) == pieces.encode(text)
    assert made.decode(ids(made, text)) == pieces.decode(pieces.encode(text))


def test_single_ids_read_as_sentencepiece_reads_them(made, pieces):
    """All but special ones, which keep their names, and the byte of a blank, which is taken off."""
    shown = {i for i in range(pieces.vocab_size()) if made.decode([i]) != pieces.decode([i])}
    assert shown == {0, 1, 2, pieces.piece_to_id("<0x20>")}


def test_a_text_is_opened_as_llama_opens_one(made):
    assert opening_ids(made) == (1,)
    assert made("a").input_ids == [1, *ids(made, "a")]


def test_a_folder_with_sentencepiece_alone_is_followed_where_the_class_departs(folder, pieces):
    automatic = transformers.AutoTokenizer.from_pretrained(folder)
    assert ids(automatic, " a") != pieces.encode(" a"), "transformers follows SentencePiece now"
    with pytest.warns(DepartingTokenizerWarning, match="LlamaTokenizer reads .* the file is foll"):
        read = faithful(automatic, str(folder))
    assert ids(read, " >\nOutput: ") == pieces.encode(" >\nOutput: ")


def test_a_folder_is_read_as_its_tokenizer_json_says(folder, made, pieces, tmp_path):
    """LLaMA-2's own folder: 29871 1405 13 ... for " >...", a blank before the blank."""
    made.save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(SAID))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    automatic = transformers.AutoTokenizer.from_pretrained(tmp_path)
    with pytest.warns(DepartingTokenizerWarning, match=r"than its tokenizer\.json says"):
        read = faithful(automatic, str(tmp_path))
    for text in (*PUBLISHED, *TEXTS):
        assert ids(read, text) == pieces.encode(text)
    assert opening_ids(read) == (1,)


def test_a_class_that_keeps_to_its_file_is_taken_as_it_is(tmp_path):
    tokenizer().save_pretrained(tmp_path)
    automatic = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert faithful(automatic, str(tmp_path)) is automatic


def test_a_class_that_cannot_be_loaded_is_no_matter_where_there_is_a_file(tmp_path):
    tokenizer().save_pretrained(tmp_path)
    read = faithful(ImportError("`tiktoken` is required"), str(tmp_path))
    assert ids(read, "a dog") == ids(tokenizer(), "a dog")


def test_no_tokenizer_at_all_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"neither a tokenizer.json nor a SentencePiece"):
        faithful(ValueError("nothing here"), str(tmp_path))


def test_a_model_that_normalises_is_refused(tmp_path):
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS] * 20),
        model_writer=model,
        vocab_size=60,
        model_type="bpe",
        minloglevel=2,
        hard_vocab_limit=False,
    )
    path = tmp_path / "tokenizer.model"
    path.write_bytes(model.getvalue())
    with pytest.raises(ValueError, match="not, as LLaMA's, BPE without normalisation"):
        converted(path, sentencepiece_at(path), {})


@pytest.mark.parametrize("adds", [True, False])
def test_a_beginning_is_added_when_and_only_when_the_tokenizer_adds_it(adds):
    from tokenizers import processors

    made = copy.deepcopy(tokenizer())
    template = "<bos> $A" if adds else "$A"
    special = [("<bos>", 1)] if adds else []
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=special
    )
    assert made.bos_token_id == 1
    assert opening_ids(made) == ((1,) if adds else ())
