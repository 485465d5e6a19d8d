import pytest

from frostbench.plugins.kit import toys
from frostbench.plugins.parts.prompting.shared_vocabulary import share_vocabulary

LLM = toys.backbones().get("llm")
WORDS = [LLM.decode([i]) for i in range(LLM.vocabulary_size)]


def test_the_language_models_own_vocabulary_is_shared_whole():
    shared_words = share_vocabulary(WORDS, LLM)
    assert shared_words.rows == shared_words.token_map.ids == tuple(range(len(WORDS)))
    assert shared_words.share == 1
    assert shared_words.notes("mine") == ()


def test_special_tokens_without_text_and_dropped_blanks_are_still_its_own():
    stripped = ["" if word in {"<pad>", "<bos>", "<eos>"} else word.strip(" ") for word in WORDS]
    assert share_vocabulary(stripped, LLM).share == 1


class Many:
    """A language model of a thousand tokens."""

    vocabulary_size = 1000
    eos_id = None

    def encode(self, text):
        return [int(text[1:])]

    def decode(self, ids):
        return "<unk>" if ids == [0] else f"w{ids[0]}"


def test_one_word_that_is_printed_otherwise_makes_no_other_vocabulary():
    """V2L's local_vocabulary.npy holds " ⁇ " for LLaMA's id 0, which others print as <unk>."""
    words = [" ⁇ ", *(f"w{i}" for i in range(1, 1000))]
    assert share_vocabulary(words, Many()).rows == tuple(range(1000))
    other = [f"x{i}" if i < 3 else word for i, word in enumerate(words)]
    assert share_vocabulary(other, Many()).rows == tuple(range(3, 1000))


def test_words_in_another_order_are_token_the_token_that_reads_the_same():
    shared_words = share_vocabulary(WORDS[::-1], LLM)
    for row, token in zip(shared_words.rows, shared_words.token_map.ids, strict=True):
        assert LLM.decode([token]) == WORDS[::-1][row]
    assert len(set(shared_words.token_map.ids)) == len(shared_words.rows)


def test_bytes_that_are_no_text_and_blanks_map_to_nothing():
    shared_words = share_vocabulary(WORDS[::-1], LLM)
    words = {WORDS[::-1][row] for row in shared_words.rows}
    assert all(word.strip() for word in words)
    assert not any("\ufffd" in word for word in words)
    assert shared_words.share < 1


def test_a_word_without_its_blank_is_token_the_token_behind_a_blank():
    # " dog" alone is a token of the toy.
    tokens = {word for word in WORDS if word.startswith(" ")}
    bare = next(word for word in sorted(tokens) if len(word) > 3 and word.strip() not in WORDS)
    shared_words = share_vocabulary([bare.strip(), "a", "b"], LLM)
    assert LLM.decode([shared_words.token_map.ids[0]]) == bare


def test_of_two_equal_words_the_first_gets_the_token():
    assert share_vocabulary(["b", "a", "a"], LLM).rows == (0, 1)


def test_the_share_that_does_not_map_is_told():
    (note,) = share_vocabulary(["b", "a", "an unknown word", "no"], LLM).notes("mine")
    assert "2 of the 4 words of mine's codebook (50.0%)" in note


def test_a_vocabulary_without_the_words_is_one_sentence():
    with pytest.raises(ValueError, match=r"have only 0 of the codebook's 50 words \(0\.0%\)"):
        share_vocabulary([f"word {i}" for i in range(50)], LLM)
