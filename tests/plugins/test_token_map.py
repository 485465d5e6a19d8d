import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.plugins.parts.prompting.token_map import TokenMap, map_codes


@given(
    codes=st.integers(1, 60),
    spare=st.integers(0, 40),
    first=st.integers(0, 40),
    how=st.sampled_from(["identity", "offset", "permutation"]),
)
def test_what_is_lent_comes_back(codes, spare, first, how):
    first = 0 if how == "identity" else first
    token_map = map_codes(codes, first + codes + spare, how, first)
    grid = torch.arange(codes).flip(0)
    ids = token_map.ids_of(grid)
    assert len(set(ids)) == codes
    assert min(ids) >= first
    assert token_map.codes_of(ids) == grid.tolist()
    assert token_map.allowed == (None if first + spare == 0 else frozenset(ids))


def test_identity_and_offset_are_what_they_say():
    assert map_codes(4, 10).ids == (0, 1, 2, 3)
    assert map_codes(4, 10, "offset", 3).ids == (3, 4, 5, 6)


def test_the_permutation_is_always_the_same_and_not_the_order():
    one = map_codes(50, 100, "permutation", 10)
    assert one == map_codes(50, 100, "permutation", 10)
    assert list(one.ids) != sorted(one.ids)


@pytest.mark.parametrize(
    ("codes", "vocabulary", "first"), [(1025, 1024, 0), (1000, 1024, 25), (1, 0, 0)]
)
def test_too_small_a_vocabulary_is_refused_with_both_numbers(codes, vocabulary, first):
    with pytest.raises(ValueError, match=f"need {first + codes} ids.* has {vocabulary}"):
        map_codes(codes, vocabulary, "offset", first)


def test_an_id_that_stands_for_nothing_is_refused():
    with pytest.raises(ValueError, match=r"answered with id 9, .* none of the 4 codes"):
        map_codes(4, 10).codes_of([1, 9])


def test_an_id_is_lent_once():
    with pytest.raises(ValueError, match="an id of its own"):
        TokenMap((1, 1), 5)
