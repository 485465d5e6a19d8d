"""One judge of what is valid: the kit, a run and the metrics agree."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.eval_suites.metrics.image_pair import image_pair
from frostbench.plugins import Grid, Image, ImagePrediction, Reconstruct, VisualTokens
from frostbench.plugins.contract.tokens import discrete_ids, join
from frostbench.plugins.contract.validity import ROUNDING, check_prediction, check_tokens

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


def test_ids_that_stand_for_no_code_are_refused():
    def tokens(ids):
        part = object.__new__(Grid)  # as an author's code makes it, whose types nobody checks
        object.__setattr__(part, "ids", ids)
        return VisualTokens({"local": part})

    sound = torch.tensor([[[0, 1], [2, 3]]])
    check_tokens(tokens(sound), 1, {"local": 4})
    check_tokens(tokens(sound[:, :0]), 1, {"local": 4})
    check_tokens(tokens(sound), 1)
    for ids, codes, expected in (
        (sound - 1, {}, "tokenize returned id -1 in 'local': ids count codes from 0"),
        (sound, {"local": 3}, "id 3 in 'local': ids count codes from 0, and part"),
        (sound.float(), {}, "tokenize returned ids of torch.float32 in 'local', not whole numbers"),
        (sound > 1, {}, "tokenize returned ids of torch.bool"),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(expected)):
            check_tokens(tokens(ids), 1, codes)


def test_a_method_that_makes_no_tokens_says_of_how_many_images():
    none = VisualTokens.none(2)
    check_tokens(none, 2)
    assert len(none.split()) == 2
    assert len(join(none.split())) == len(VisualTokens.from_tensors(none.tensors())) == 2
    assert discrete_ids(none) == [[], []]
    with pytest.raises(ValueError, match="given 3 images and returned 2"):
        check_tokens(none, 3)
    with pytest.raises(ValueError, match=r"without any part; .* VisualTokens\.none"):
        check_tokens(VisualTokens({}), 2)
