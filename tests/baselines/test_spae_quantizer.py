import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.baselines.spae.model import SPAESettings
from frostbench.baselines.spae.quantizer import average, commitment, stream
from frostbench.baselines.spae.subsampler import axis, places, sources

GRID, SIDES = 8, (1, 2, 4, 8, 8)
LAYERS = [places(GRID, side) for side in SIDES]


def drawn(seed, width=3, words=20, batch=2):
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, GRID**2, width, generator=draw)
    return features, torch.randn(words, width, generator=draw)


def test_the_published_layers_take_the_published_rows():
    assert [[place + 1 for place in axis(16, side)] for side in (1, 2, 4, 8, 16)] == [
        [9],
        [5, 13],
        [3, 7, 11, 15],
        [2, 4, 6, 8, 10, 12, 14, 16],
        list(range(1, 17)),
    ]


def test_the_published_pyramid_counts_597_words_and_that_of_the_mini_pack_149():
    assert SPAESettings().counts == (1, 5, 21, 85, 341, 597)
    assert SPAESettings(layers=SIDES).counts == (1, 5, 21, 85, 149)


@given(power=st.integers(1, 6))
def test_cells_of_layers_above_the_last_are_disjoint_in_any_pyramid_of_doublings(power):
    grid = 2**power
    upper = torch.cat([places(grid, 2**i) for i in range(power)])
    assert len(upper.unique()) == len(upper) == sum(4**i for i in range(power))


def test_a_layer_that_does_not_divide_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"3x3 tokens cannot be taken evenly from a grid of 8x8"):
        places(8, 3)


def test_a_cell_without_a_code_shows_the_nearest_one_of_the_last_layer():
    shown = sources(GRID, (1, 2))
    own = {int(place) for side in (1, 2) for place in places(GRID, side)}
    last = {int(place) for place in places(GRID, 2)}
    for cell, source in enumerate(shown.tolist()):
        if cell in own:
            assert source == cell
            continue
        far = {at: (at // 8 - cell // 8) ** 2 + (at % 8 - cell % 8) ** 2 for at in last}
        assert far[source] == min(far.values())
    assert torch.equal(sources(GRID, SIDES), torch.arange(GRID**2))


@given(seed=st.integers(0, 1000))
def test_a_state_is_the_mean_of_the_codes_so_far(seed):
    features, codebook = drawn(seed)
    streamed = stream(features, codebook, LAYERS)
    for depth in range(1, len(LAYERS) + 1):
        codes = [[[] for _ in range(GRID**2)] for _ in range(2)]
        for ids, taken in zip(streamed.ids[:depth], LAYERS[:depth], strict=True):
            for b in range(2):
                for code, place in zip(ids[b].tolist(), taken.tolist(), strict=True):
                    codes[b][place].append(codebook[code])
        state = streamed.states[depth - 1]
        for b in range(2):
            for place, several in enumerate(codes[b]):
                assert bool(streamed.coded[depth - 1][place]) == bool(several)
                expected = torch.stack(several).mean(0) if several else torch.zeros(3)
                assert torch.allclose(state[b, place], expected, atol=1e-5)
        again = average(streamed.ids[:depth], codebook, LAYERS[:depth], GRID**2)
        assert torch.allclose(again, state, atol=1e-5)


@given(seed=st.integers(0, 1000))
def test_a_query_is_the_feature_and_what_earlier_codes_left_of_it(seed):
    features, codebook = drawn(seed)
    streamed = stream(features, codebook, LAYERS)
    left = torch.zeros_like(features)
    for ids, query, taken in zip(streamed.ids, streamed.queries, LAYERS, strict=True):
        expected = features[:, taken] + left[:, taken]
        assert torch.allclose(query, expected, atol=1e-4)
        left[:, taken] += features[:, taken] - codebook[ids]


@given(seed=st.integers(0, 1000))
def test_a_code_is_the_one_whose_mean_with_the_earlier_ones_is_nearest_to_the_feature(seed):
    features, codebook = drawn(seed)
    streamed = stream(features, codebook, LAYERS)
    taken = LAYERS[3]
    counts = streamed.coded[2].float()[taken] + 1
    before = streamed.states[2][:, taken] * (counts - 1)[:, None]
    means = (before[:, :, None] + codebook) / counts[:, None, None]
    far = (means - features[:, taken][:, :, None]).square().sum(-1)
    chosen = far.gather(2, streamed.ids[3][..., None])[..., 0]
    assert torch.allclose(chosen, far.amin(2), atol=1e-4)


def test_every_word_alone_codes_itself_in_every_layer():
    codebook = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    streamed = stream(codebook[None], codebook, LAYERS)
    for ids, taken in zip(streamed.ids, LAYERS, strict=True):
        assert torch.equal(ids[0], taken)


def test_commitment_draws_features_to_codes_that_are_frozen():
    features, codebook = drawn(3)
    features, codebook = features.requires_grad_(), codebook.requires_grad_()
    commitment(features, stream(features, codebook, LAYERS), 0.5).backward()
    assert float(features.grad.abs().max()) > 0
    assert codebook.grad is None or float(codebook.grad.abs().max()) == 0


def test_commitment_is_a_mean_over_coded_cells_summed_over_layers():
    features, codebook = drawn(4)
    streamed = stream(features, codebook, LAYERS)
    expected = sum(
        (state[:, coded] - features[:, coded]).square().mean()
        for state, coded in zip(streamed.states, streamed.coded, strict=True)
    )
    assert torch.isclose(commitment(features, streamed, 0.33), 0.33 * expected)
