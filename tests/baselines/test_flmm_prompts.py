import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.baselines.flmm.phrases import phrases_of
from frostbench.baselines.flmm.prompts import (
    ChatWording,
    PhrasedPrompt,
    attention_prompt,
    expressions,
    narrative,
    questioned,
    spoken,
    tokens_of,
)
from frostbench.baselines.flmm.thought import RegionSettings, cut_out, region_of
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Ids, ImagePiece, Text
from frostbench.plugins.kit import toys

IMAGE = Image(torch.rand(3, 20, 32, generator=torch.Generator().manual_seed(0)), "an image")
WORDS = ChatWording(blanks="word", lead=" ")


@pytest.fixture(scope="module")
def lmm():
    return toys.backbones().get("lmm")


def texts(phrased):
    return [part.text for part in phrased.pieces if isinstance(part, Text)]


def phrase_texts(phrased):
    return ["".join(phrased.pieces[i].text for i in phrase) for phrase in phrased.phrases]


def test_expressions_are_read_one_after_another_with_a_stop_behind_each():
    phrased = expressions(ChatWording(), IMAGE, ("the owl", "a cat "))
    asked = "\nPlease give me a description of the image. ASSISTANT:"
    assert texts(phrased) == ["USER: ", asked, "the owl", ".", "a cat", "."]
    assert phrase_texts(phrased) == ["the owl", "a cat"]
    assert texts(expressions(WORDS, IMAGE, ("the owl", "a cat")))[2:] == [
        " the owl",
        ".",
        " a cat",
        ".",
    ]


def test_a_narrative_is_cut_at_its_phrases_and_blanks_are_left_out_or_go_with_words():
    apart = narrative(ChatWording(), IMAGE, "an owl and a cat.", ((0, 6), (11, 16)))
    assert texts(apart)[2:] == ["an owl", "and", "a cat", "."]
    assert phrase_texts(apart) == ["an owl", "a cat"]
    phrased = narrative(WORDS, IMAGE, "an owl and a cat.", ((0, 6), (11, 16)))
    assert texts(phrased)[2:] == [" an owl", " and", " a cat", "."]
    assert phrase_texts(phrased) == [" an owl", " a cat"]


@settings(max_examples=50)
@given(st.data())
def test_a_narrative_is_read_whole_and_every_phrase_as_it_stands(data):
    words = data.draw(st.lists(st.sampled_from(["owl", "a", "red", "cat,"]), min_size=1))
    text = " ".join(words)
    cuts = st.integers(0, len(text))
    spans = [
        (min(pair), max(pair))
        for pair in data.draw(st.lists(st.tuples(cuts, cuts), min_size=1, max_size=3))
        if text[min(pair) : max(pair)].strip()
    ]
    phrased = narrative(WORDS, IMAGE, text, spans)
    assert "".join(texts(phrased)[2:]) == " " + text
    for said, (start, end) in zip(phrase_texts(phrased), spans, strict=True):
        assert said.strip() == text[start:end].strip()


def test_queries_are_the_phrases_own_tokens_and_keys_the_images(lmm):
    phrased = narrative(WORDS, IMAGE, "an owl and a cat.", ((0, 6), (11, 16), (0, 16)))
    looked = attention_prompt(phrased, lmm)
    ids = [*lmm.opening_ids]
    for part in phrased.pieces:
        ids += (
            [None] * len(lmm.shown(part.image))
            if isinstance(part, ImagePiece)
            else lmm.encode(part.text)
        )
    ask = looked.prompt.ask
    own = [[ids[ask.queries[row]] for row in phrase] for phrase in looked.phrases]
    assert own[0] == lmm.encode(" an owl")
    assert own[1] == lmm.encode(" a cat")
    assert own[2] == [*lmm.encode(" an owl"), *lmm.encode(" and"), *lmm.encode(" a cat")]
    assert [ids[key] for key in ask.keys] == [None] * 16
    assert len(set(ask.queries)) == len(ask.queries)


def test_a_phrase_without_a_token_is_refused_in_a_sentence(lmm):
    phrased = PhrasedPrompt((ImagePiece(IMAGE), Text("a"), Text("")), ((1,), (2,)))
    with pytest.raises(ValueError, match=r"phrase 2 of 2 has no token of its own to look with; "):
        attention_prompt(phrased, lmm)


def test_what_the_model_wrote_is_read_again_token_for_token(lmm):
    ids = lmm.encode(" an owl and a cat")
    text = lmm.decode(ids)
    spans = [(1, 7), (12, 17)]
    tokens = tokens_of(lmm, ids, spans)
    for (start, end), (first, last) in zip(spans, tokens, strict=True):
        assert text[start:end] in lmm.decode(ids[first:last])
    asked = WORDS.asking(IMAGE, "What is there?")
    phrased = spoken(asked, ids, tokens)
    assert sum((part.ids for part in phrased.pieces if isinstance(part, Ids)), ()) == tuple(ids)
    for phrase, (first, last) in zip(phrased.phrases, tokens, strict=True):
        assert sum((phrased.pieces[i].ids for i in phrase), ()) == tuple(ids[first:last])


def test_a_question_can_be_the_phrase_itself():
    phrased = questioned(ChatWording(), IMAGE, "Where is the owl?")
    assert texts(phrased) == ["USER: ", "\n", "Where is the owl?"]
    assert phrase_texts(phrased) == ["Where is the owl?"]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("An owl at the top and a red apple on the left.", ["An owl", "a red apple"]),
        ("Two dogs, a cat", ["Two dogs", "a cat"]),
        ("All the dogs", ["All the dogs"]),
        ("it is the", []),
        ("yes", []),
        ("", []),
    ],
)
def test_phrases_of_an_answer_are_runs_of_words_that_name_something(text, phrases):
    assert [text[start:end] for start, end in phrases_of(text)] == phrases


def test_given_names_are_found_whole_with_their_article_and_the_longest_first():
    text = "The red apple, an apple and pineapple"
    spans = phrases_of(text, ("apple", "red apple"))
    assert [text[a:b] for a, b in spans] == ["The red apple", "an apple"]


@settings(max_examples=100)
@given(st.text("aA .,-\nthe", max_size=40))
def test_phrases_stand_in_order_and_apart_and_begin_and_end_with_words(text):
    spans = phrases_of(text)
    ends = [0]
    for start, end in spans:
        assert ends[-1] <= start < end <= len(text)
        assert text[start].isalnum()
        assert text[end - 1].isalnum()
        ends.append(end)


def test_a_region_is_the_masks_box_at_least_so_large_and_within_the_image():
    mask = torch.zeros(40, 60, dtype=torch.bool)
    mask[10:31, 20:41] = True
    assert region_of(mask, RegionSettings()) == (20, 10, 40, 30)
    mask[:] = False
    mask[0, 59] = True
    assert region_of(mask, RegionSettings()) == (51, 0, 60, 8)
    assert region_of(mask, RegionSettings(scale=2.0)) == (43, 0, 60, 16)


def test_an_empty_mask_looks_at_everything_again_and_a_pixel_at_a_pixel():
    empty = torch.zeros(3, 5, dtype=torch.bool)
    assert region_of(empty, RegionSettings()) == (0, 0, 5, 3)
    one = torch.ones(1, 1, dtype=torch.bool)
    assert region_of(one, RegionSettings()) == (0, 0, 1, 1)
    assert region_of(one, RegionSettings(least=0.1)) == (0, 0, 1, 1)


def test_a_region_is_cut_out_with_its_edges_rounded_outwards():
    part = cut_out(IMAGE, (2.5, 3.0, 7.2, 20.0))
    assert torch.equal(part.pixels, IMAGE.pixels[:, 3:20, 2:8])
