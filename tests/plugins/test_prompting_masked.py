from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostbench.plugins.contract.completions import Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Adapter, Ids, Text, TokenSets
from frostbench.plugins.contract.requests import NoContext, Restore
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.prompting.masked import (
    MaskedSettings,
    covered_cells,
    mask_id,
    masked_prompt,
    masked_restoration,
)
from frostbench.plugins.parts.prompting.token_map import map_codes

SETTINGS = MaskedSettings()
LENDING = map_codes(30, 50, "offset", first=7)
EOS = 9

few = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def request(hidden):
    side = hidden.shape[0]
    return Restore("one", Image(torch.full((3, side, side), 0.5)), "masked", NoContext(), hidden)


def cells(*hidden, side=4, size=4):
    mask = torch.zeros(side * side, dtype=torch.bool)
    mask[list(hidden)] = True
    wide = mask.view(side, side).repeat_interleave(size, 0).repeat_interleave(size, 1)
    return wide.contiguous()


class Sayer:
    """Says at each position the highest id that it may, and stops at the end-of-sequence id."""

    def __init__(self):
        self.asked = []

    def run(self, prompts):
        self.asked += prompts
        return [self.answer(prompt) for prompt in prompts]

    def answer(self, prompt):
        ids = []
        for allowed in prompt.ask.allowed.sets:
            if max(allowed) == EOS:
                break
            ids.append(max(allowed))
        return Generated(tuple(ids), "")


def restored(layers, hidden, engine=None, how=SETTINGS, token_map=LENDING, adapter=None):
    waves = masked_restoration(request(hidden), layers, token_map, how, adapter=adapter, eos_id=EOS)
    (outcome,) = drive([waves], engine or Sayer())
    assert outcome.error is None
    return outcome.value


@few
@given(
    codes=st.lists(st.integers(0, 29), min_size=16, max_size=16),
    hidden=st.sets(st.integers(0, 15), min_size=1),
)
def test_visible_cells_stay_what_they_are_and_hidden_ones_become_any_lent_id(codes, hidden):
    grid = torch.tensor(codes).view(4, 4)
    (after,) = restored((grid,), cells(*hidden))
    for place, (before, now) in enumerate(zip(codes, after.flatten().tolist(), strict=True)):
        assert now == (29 if place in hidden else before)


def test_a_prompt_shows_the_mask_where_cells_are_hidden_and_asks_for_all_in_their_order():
    adapter = Adapter("mine", Path("somewhere"))
    prompt = masked_prompt([7, 8, 9], [False, True, False], LENDING, SETTINGS, adapter=adapter)
    opening, (before, shown, after) = prompt.opening, prompt.query
    assert opening == (Text("Restore the masked tokens.\n"),)
    assert (before, shown, after) == (
        Text("###\nInput: < "),
        Ids((7, 0, 9)),
        Text(" >\nOutput: "),
    )
    assert prompt.shots == ()
    assert prompt.adapter is adapter
    assert prompt.ask.max_new_tokens == 3
    assert prompt.ask.allowed == TokenSets(
        (frozenset({7}), frozenset(range(7, 37)), frozenset({9}))
    )


def test_the_mask_is_no_lent_id_where_there_is_another_and_never_an_answer():
    everything = map_codes(50, 50)
    assert mask_id(LENDING, SETTINGS) == 0
    assert mask_id(map_codes(30, 50), SETTINGS) == 30
    assert mask_id(everything, SETTINGS) == 0
    assert mask_id(everything, MaskedSettings(mask=49)) == 49
    prompt = masked_prompt([5], [True], everything, MaskedSettings(mask=49))
    assert prompt.ask.allowed.sets == (frozenset(range(49)),)
    with pytest.raises(ValueError, match="mask is id 50, and the language model has 50"):
        mask_id(everything, MaskedSettings(mask=50))


def test_a_pyramid_goes_from_coarse_to_fine_behind_what_was_restored():
    engine = Sayer()
    coarse, fine = torch.tensor([[3, 4], [5, 6]]), torch.arange(10, 26).view(4, 4)
    hidden = cells(0, 1, 4, 5, 15)  # all of the first coarse cell, a quarter of the last
    above, below = restored((coarse, fine), hidden, engine)
    assert above.tolist() == [[29, 4], [5, 6]]
    assert below.flatten()[[0, 1, 4, 5, 15]].tolist() == [29] * 5
    first, second = engine.asked
    assert first.query[1].ids == (0, *(7 + c for c in (4, 5, 6)))
    assert second.query[1].ids[:4] == (7 + 29, *(7 + c for c in (4, 5, 6)))
    assert len(second.ask.allowed.sets) == 16


def test_a_layer_that_has_nothing_hidden_costs_no_prompt():
    engine = Sayer()
    coarse = torch.tensor([[3]])
    after, _ = restored((coarse, torch.zeros(4, 4, dtype=torch.long)), cells(7), engine)
    assert torch.equal(after, coarse)
    assert len(engine.asked) == 1


def test_an_end_of_sequence_id_is_a_code_like_others():
    engine = Sayer()
    codes = torch.full((4, 4), EOS - 7)
    (after,) = restored((codes,), cells(2), engine)
    assert after.flatten().tolist() == [EOS - 7] * 2 + [29] + [EOS - 7] * 13
    assert len(engine.asked) > 1


def test_a_cell_is_hidden_from_a_share_of_its_pixels_on():
    hidden = torch.zeros(8, 8, dtype=torch.bool)
    hidden[:2, :4] = True
    assert covered_cells(hidden, 2, 2, 0.5).tolist() == [[True, False], [False, False]]
    assert not covered_cells(hidden, 2, 2, 0.6).any()
    assert covered_cells(hidden, 1, 1, 0.125).all()
    with pytest.raises(ValueError, match="hidden_share is above 0"):
        MaskedSettings(hidden_share=0.0)


def test_nothing_hidden_is_an_error_that_names_the_request():
    waves = masked_restoration(
        Restore("seven", Image(torch.zeros(3, 4, 4)), "masked", NoContext()),
        (torch.zeros(2, 2, dtype=torch.long),),
        LENDING,
        SETTINGS,
    )
    (outcome,) = drive([waves], Sayer())
    assert "'seven' hides nothing" in outcome.error


@cache
def engine():
    return toys.engine()


def test_the_frozen_model_answers_without_an_adapter():
    language = toys.llm()
    token_map = map_codes(language.vocabulary_size, language.vocabulary_size)
    grid = torch.arange(100, 116).view(4, 4)
    (outcome,) = drive(
        [masked_restoration(request(cells(1, 6)), (grid,), token_map, SETTINGS)], engine()
    )
    (after,) = outcome.value
    kept = torch.ones(16, dtype=torch.bool)
    kept[[1, 6]] = False
    assert torch.equal(after.flatten()[kept], grid.flatten()[kept])
    assert 0 not in after.flatten().tolist()
