from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.baselines.spae.semantic import SemanticSettings, pool, scores, semantic_loss


@given(seed=st.integers(0, 1000), threshold=st.floats(0, 1))
def test_no_pool_is_empty_and_the_best_word_is_in_all(seed, threshold):
    draw = torch.Generator().manual_seed(seed)
    scored = scores(torch.randn(3, 4, generator=draw), torch.randn(9, 4, generator=draw))
    pooled = pool(scored, threshold)
    assert bool(pooled.gather(1, scored.argmax(1, keepdim=True)).all())
    assert float(scored.amin()) == 0
    assert float(scored.amax()) == 1


def test_words_that_all_fit_alike_are_one_pool():
    scored = scores(torch.ones(2, 3), torch.ones(5, 3))
    assert bool(scored.isfinite().all())
    assert bool(pool(scored, 0.98).all())


@given(seed=st.integers(0, 200))
def test_a_lower_threshold_lets_no_word_go(seed):
    draw = torch.Generator().manual_seed(seed)
    scored = scores(torch.randn(3, 4, generator=draw), torch.randn(30, 4, generator=draw))
    sizes = [pool(scored, threshold).sum(1) for threshold in (0.98, 0.95, 0.9, 0.85, 0.8)]
    for strict, mild in pairwise(sizes):
        assert bool((strict <= mild).all())


def test_the_gradient_goes_to_the_query_alone():
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 3, generator=draw).requires_grad_()
    codebook = torch.randn(7, 3, generator=draw).requires_grad_()
    scored = torch.rand(2, 7, generator=draw)
    semantic_loss([query, query], codebook, scored, SemanticSettings()).backward()
    assert float(query.grad.abs().max()) > 0
    assert codebook.grad is None


def test_the_loss_is_the_cross_entropy_of_distances_where_the_pool_is_one_word():
    draw = torch.Generator().manual_seed(1)
    query, codebook = torch.randn(2, 4, 3, generator=draw), torch.randn(7, 3, generator=draw)
    scored = torch.nn.functional.one_hot(torch.tensor([2, 5]), 7).float()
    settings = SemanticSettings(thresholds=(0.9,), temperature=2.0)
    found = semantic_loss([query], codebook, scored, settings)
    logits = -torch.cdist(query, codebook[None].expand(2, -1, -1)).square() / 2
    picked = torch.stack([logits.log_softmax(-1)[0, :, 2], logits.log_softmax(-1)[1, :, 5]])
    assert torch.isclose(found, -picked.mean(), atol=1e-5)


def test_words_are_drawn_from_the_whole_pool_and_from_nowhere_else():
    torch.manual_seed(0)
    codebook, far = torch.eye(4) * 100, torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    settings = SemanticSettings(thresholds=(0.5,))
    at_first = torch.eye(4)[:1].mul(100).expand(1, 64, 4)
    several = semantic_loss([at_first], codebook, far, settings)
    assert 0.2 < float(several) / 20_000 < 0.8  # about half of the draws are the second word
    only = semantic_loss([at_first], codebook, torch.tensor([[1.0, 0, 0, 0]]), settings)
    assert float(only) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"thresholds": (1.5,)}, {"temperature": 0.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"between 0 and 1|positive"):
        SemanticSettings(**wrong)
