import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.plugins.parts.prompting.examples import disturbed, disturbed_counts, held_out
from frostbench.plugins.parts.prompting.restoration import RATES


def test_the_published_counts_come_out():
    published = [138, 130, 121, 113, 105, 96, 88, 80, 72, 63]
    assert disturbed_counts(RATES, 10, 256 + 21) == published


@given(tokens=st.integers(1, 400), hundredths=st.lists(st.integers(0, 100), min_size=1))
def test_counts_are_exact_floors(tokens, hundredths):
    rates = [value / 100 for value in hundredths]
    expected = [value * tokens // 100 for value in hundredths]
    assert disturbed_counts(rates, len(rates), tokens) == expected


@given(examples=st.integers(1, 40))
def test_any_number_of_examples_takes_falling_rates_from_first_to_last(examples):
    counts = disturbed_counts(RATES, examples, 1000)
    assert len(counts) == examples
    assert counts[0] == 500
    assert counts == sorted(counts, reverse=True)


@given(seed=st.integers(0, 2**63 - 1), count=st.integers(0, 40))
def test_the_same_places_take_the_same_codes_in_both_copies(seed, count):
    given_codes, wanted = torch.full((40,), 100), torch.full((40,), 200)
    (one,) = disturbed(given_codes, wanted, 50, [count], seed)
    strange = one.wanted != 200
    assert int(strange.sum()) == count
    assert torch.equal(one.given != 100, strange)
    assert torch.equal(one.given[strange], one.wanted[strange])
    assert bool((one.wanted[strange] < 50).all())
    assert torch.equal(given_codes, torch.full((40,), 100))


def test_the_seed_alone_decides():
    codes = torch.arange(64)
    one, same, other = (disturbed(codes, codes, 64, [30, 20], seed) for seed in (1, 1, 2))
    assert all(torch.equal(a.wanted, b.wanted) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0].wanted, other[0].wanted)
    assert not torch.equal(one[0].wanted, one[1].wanted)


def test_disturbing_codes_come_from_the_whole_range():
    codes = torch.zeros(4000, dtype=torch.long)
    (one,) = disturbed(codes, codes, 7, [4000], 0)
    counts = one.wanted.bincount(minlength=7)
    assert len(counts) == 7
    assert int(counts.min()) > 450


def test_more_disturbed_codes_than_cells_are_refused():
    codes = torch.zeros(4, dtype=torch.long)
    with pytest.raises(ValueError, match="5 of 4 codes cannot be disturbed"):
        disturbed(codes, codes, 7, [5], 0)


def test_a_held_out_example_shows_filled_cells_where_the_query_will():
    corrupted, clean = torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6])
    whole = held_out(corrupted, clean, None)
    filled = held_out(corrupted, clean, torch.tensor([False, True, False]))
    assert whole.given.tolist() == [1, 2, 3]
    assert filled.given.tolist() == [1, 5, 3]
    assert filled.wanted.tolist() == whole.wanted.tolist() == [4, 5, 6]
