import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.plugins.contract.tokens import (
    Grid,
    Texts,
    VisualTokens,
    discrete_ids,
    join,
    sentences_of,
)
from frostbench.plugins.contract.validity import check_tokens

sentences = st.text(st.characters(codec=None), max_size=12)
rows = st.lists(st.lists(sentences, max_size=4).map(tuple), min_size=1, max_size=4).map(tuple)


def tokens(texts):
    return VisualTokens({"captions": Texts(texts)})


@settings(max_examples=60)
@given(texts=rows)
def test_texts_survive_being_stored_split_and_joined(texts):
    made = tokens(texts)
    assert len(made) == len(texts)
    assert VisualTokens.from_tensors(made.tensors()).texts("captions") == texts
    assert join(made.split()).texts("captions") == texts
    for one, row in zip(made.split(), texts, strict=True):
        assert one.texts("captions") == (row,)


@settings(max_examples=30)
@given(texts=rows)
def test_a_row_of_what_is_stored_is_the_image_alone(texts):
    named = tokens(texts).tensors()
    for i, row in enumerate(texts):
        cut = {key: tensor[i : i + 1] for key, tensor in named.items()}
        assert VisualTokens.from_tensors(cut).texts("captions") == (row,)


def test_sentences_are_no_codes_and_stand_beside_them():
    both = VisualTokens(
        {"local": Grid(torch.zeros(2, 1, 2).long()), "captions": Texts((("a cat",), ("a", "b")))}
    )
    assert [len(ids) for ids in discrete_ids(both)] == [2, 2]
    assert sentences_of(both) == [["a cat"], ["a", "b"]]
    with pytest.raises(TypeError, match="'local' are no texts but Grid"):
        both.texts("local")


@pytest.mark.parametrize(
    ("texts", "error", "why"),
    [
        (["a"], TypeError, "no tuple of tuples of texts in 'captions'"),
        ((("a", 3),), TypeError, "returned a int among the texts in 'captions'"),
        ((("a",), ("b",)), ValueError, "given 1 images and returned 2 in 'captions'"),
    ],
)
def test_what_is_no_texts_of_the_images_is_refused(texts, error, why):
    part = Texts(())
    object.__setattr__(part, "texts", texts)
    with pytest.raises(error, match=why):
        check_tokens(VisualTokens({"captions": part}), 1)
