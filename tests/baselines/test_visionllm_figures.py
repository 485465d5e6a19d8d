import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.baselines.visionllm.figures import average_precision, claimed

HITS = st.lists(st.booleans(), min_size=1, max_size=12)


@settings(max_examples=50)
@given(HITS, st.integers(0, 3))
def test_average_precision_is_the_area_under_the_best_precision_at_each_recall(hits, missed):
    total = sum(hits) + missed
    scores = [1 - place / 100 for place in range(len(hits))]
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    area = sum(max(precision[right >= k]) / total for k in range(1, sum(hits) + 1))
    assert average_precision(scores, hits, total) == pytest.approx(area)
    order = list(range(len(hits)))[::-1]
    backwards = [scores[i] for i in order], [hits[i] for i in order]
    assert average_precision(*backwards, total) == pytest.approx(area)


def test_each_target_is_hit_once_and_by_the_most_certain():
    fits = torch.tensor([[0.6, 0.0], [0.9, 0.0], [0.7, 0.55], [0.4, 0.45]])
    assert claimed(torch.tensor([0.5, 0.9, 0.8, 0.7]), fits) == [False, True, True, False]
    assert claimed(torch.tensor([0.95, 0.9, 0.8, 0.7]), fits) == [True, False, True, False]
    assert claimed(torch.tensor([0.5]), torch.zeros(1, 0)) == [False]
