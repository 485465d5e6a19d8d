"""One judge of what is valid: the kit, a run and the metrics agree."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.eval_suites.metrics.image_pair import image_pair
from frostbench.plugins import Image, ImagePrediction, Reconstruct
from frostbench.plugins.contract.validity import ROUNDING, check_prediction

CLEAN = Image(torch.zeros(3, 4, 5))


def refused(judge):
    try:
        judge()
    except ValueError:
        return True
    return False


@given(beyond=st.floats(-2, 2, width=32), over=st.booleans())
def test_a_run_and_a_metric_refuse_the_same_images(beyond, over):
    value = 1 + beyond * ROUNDING if over else -beyond * ROUNDING
    prediction = ImagePrediction(torch.full((3, 4, 5), value))
    by_run = refused(lambda: check_prediction(prediction, Reconstruct("r", CLEAN)))
    assert by_run == refused(lambda: image_pair(prediction, CLEAN))
    if abs(beyond - 1) > 1e-3:
        assert by_run == (beyond > 1)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_neither_takes_what_is_no_number(value):
    prediction = ImagePrediction(torch.full((3, 4, 5), value))
    assert refused(lambda: check_prediction(prediction, Reconstruct("r", CLEAN)))
    assert refused(lambda: image_pair(prediction, CLEAN))
