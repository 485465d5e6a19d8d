import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.plugins.parts.autoencoder.clusters import cluster
from frostbench.plugins.parts.autoencoder.quantizer import (
    Quantizer,
    codebook_loss,
    nearest,
    nearest_several,
    straight_through,
)


@given(words=st.integers(1, 50), shift=st.integers(-10_000, 10_000))
def test_every_word_is_nearest_to_itself_wherever_the_codebook_lies(words, shift):
    codebook = shift + torch.arange(words, dtype=torch.float32)[:, None]
    assert nearest(codebook, codebook).tolist() == list(range(words))


def test_of_equal_rows_the_lowest_is_nearest():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 33, generator=generator)
    codebook = torch.cat([rows, rows, rows])
    features = rows + 0.01 * torch.randn(40, 33, generator=generator)
    assert nearest(features, codebook).tolist() == list(range(40))


def test_the_nearest_row_does_not_depend_on_what_is_asked_beside_it():
    generator = torch.Generator().manual_seed(1)
    codebook = torch.randn(257, 19, generator=generator)
    features = torch.randn(70, 19, generator=generator)
    alone = torch.cat([nearest(feature[None], codebook) for feature in features])
    assert torch.equal(nearest(features, codebook), alone)


def test_the_nearest_row_is_that_of_an_exact_search():
    generator = torch.Generator().manual_seed(2)
    codebook = torch.randn(500, 8, generator=generator).double()
    features = torch.randn(6, 5, 8, generator=generator).double()
    exact = torch.cdist(features.flatten(0, 1), codebook).argmin(1).view(6, 5)
    assert torch.equal(nearest(features, codebook), exact)


@given(words=st.integers(1, 40), count=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_nearest_rows_are_those_of_an_exact_search_and_begin_with_the_nearest(
    words, count, seed
):
    generator = torch.Generator().manual_seed(seed)
    codebook = torch.randint(-2, 3, (words, 3), generator=generator).float()  # many ties
    features = torch.randint(-2, 3, (2, 4, 3), generator=generator).float()
    count = min(count, words)
    several = nearest_several(features, codebook, count)
    distances = (features[:, :, None] - codebook).square().sum(-1)
    assert torch.equal(several, distances.argsort(dim=-1, stable=True)[..., :count])
    assert torch.equal(several[..., 0], nearest(features, codebook))


def test_nothing_to_quantize_gives_nothing():
    assert nearest(torch.zeros(0, 5, 3), torch.zeros(4, 3)).shape == (0, 5)


@pytest.mark.parametrize("count", [0, 4])
def test_more_nearest_rows_than_there_are_are_refused(count):
    with pytest.raises(ValueError, match="codebook has 3"):
        nearest_several(torch.zeros(1, 2), torch.zeros(3, 2), count)


def test_half_precision_features_are_compared_in_single_precision():
    codebook = torch.tensor([[1.0], [1.0 + 2**-12]])
    assert nearest(torch.ones(1, 1, dtype=torch.bfloat16), codebook.flip(0)).item() == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_feature_that_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="not a number"):
        nearest(torch.tensor([[bad]]), torch.zeros(2, 1))


def test_legacy_weighs_the_rows_and_the_paper_weighs_the_commitment():
    features = torch.zeros(1, 1, 1, 1, requires_grad=True)
    rows = torch.full((1, 1, 1, 1), 2.0, requires_grad=True)
    for legacy, weights in ((True, (1.0, 0.25)), (False, (0.25, 1.0))):
        loss = codebook_loss(features, rows, 0.25, legacy)
        assert loss.item() == 4 * 1.25
        to_features, to_rows = torch.autograd.grad(loss, (features, rows))
        assert (to_features.item(), to_rows.item()) == (-4 * weights[0], 4 * weights[1])


def test_the_gradient_passes_straight_through():
    features = torch.randn(3, requires_grad=True)
    quantized = torch.randn(3)
    through = straight_through(features, quantized)
    assert torch.allclose(through, quantized)
    (2 * through).sum().backward()
    assert features.grad.tolist() == [2.0, 2.0, 2.0]


def test_an_id_beyond_the_codebook_is_refused_with_its_size():
    with pytest.raises(ValueError, match="9 is the id of no code; there are 4"):
        Quantizer(4, 2).rows(torch.tensor([[[0, 9]]]))


def test_clusters_lie_where_the_points_are_and_none_is_empty():
    generator = torch.Generator().manual_seed(3)
    heaps = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = (heaps[:, None] + 0.1 * torch.randn(3, 50, 2, generator=generator)).flatten(0, 1)
    centres = cluster(points, 20, 10, seed=0)
    assert torch.cdist(points, centres).amin(1).max() < 1
    assert nearest(points, centres).unique().numel() == 20


def test_more_clusters_than_points_are_refused():
    with pytest.raises(ValueError, match="more batches"):
        cluster(torch.zeros(3, 2), 4, 1, seed=0)
