from collections import Counter

import pytest
import torch

from frostbench.plugins.contract.completions import Chosen, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Generate, Ids, Prompt, Text, TokenSets
from frostbench.plugins.contract.requests import (
    HeldOutContext,
    OracleContext,
    Restore,
    RestoredPair,
)
from frostbench.plugins.parts.prompting.restoration import WindowSettings, restoration
from frostbench.plugins.parts.prompting.token_map import map_codes

CODES, FIRST = 500, 40
LENDING = map_codes(CODES, 600, "offset", FIRST)
CLEAN, CORRUPTED, *OTHERS = (Image(torch.full((3, 32, 32), i / 10)) for i in range(6))
PAIRS = (RestoredPair(OTHERS[0], OTHERS[1]), RestoredPair(OTHERS[2], OTHERS[3]))


def grids(rows=16, columns=16):
    draw = torch.Generator().manual_seed(0)
    images = (CLEAN, CORRUPTED, *OTHERS)
    return {i: torch.randint(CODES, (rows, columns), generator=draw) for i in images}


GRIDS = grids()


def hole(task):
    hidden = torch.zeros(32, 32, dtype=torch.bool)
    if task == "inpainting":
        hidden[8:24, 8:24] = True
    if task == "outpainting":
        hidden[16:] = True
    return None if task == "deblurring" else hidden


def request(task, context=None, seed=0):
    return Restore("r", CORRUPTED, task, context or OracleContext(CLEAN), hole(task), seed)


def run(request, answer, settings=None, known=GRIDS, eos_id=None, token_map=LENDING, beside=21):
    waves = restoration(
        request,
        lambda image: (known[image],),
        token_map,
        settings or WindowSettings(),
        beside=beside,
        eos_id=eos_id,
    )
    asked = []
    try:
        wave = next(waves)
        while True:
            asked.append(wave)
            wave = waves.send([answer(prompt) for prompt in wave])
    except StopIteration as stop:
        (grid,) = stop.value
        return grid, asked


def ids_of(pieces):
    return [i for piece in pieces if isinstance(piece, Ids) for i in piece.ids]


def codes_of(pieces):
    return [i - FIRST for i in ids_of(pieces)]


def constant(prompt: Prompt) -> Generated:
    assert isinstance(prompt.ask, Generate)
    return Generated((FIRST + 7,) * prompt.ask.max_new_tokens, "")


def majority(prompt: Prompt) -> Generated:
    columns = zip(*(ids_of(shot.answer) for shot in prompt.shots), strict=True)
    return Generated(tuple(Counter(column).most_common(1)[0][0] for column in columns), "")


@pytest.mark.parametrize(
    ("task", "waves", "prompts", "read"),
    [("deblurring", 1, 128, 2), ("inpainting", 32, 1, 16), ("outpainting", 64, 1, 16)],
)
def test_waves_prompts_and_windows_are_the_published_ones(task, waves, prompts, read):
    _, asked = run(request(task), constant)
    assert [len(wave) for wave in asked] == [prompts] * waves
    for prompt in (prompt for wave in asked for prompt in wave):
        assert prompt.opening == (
            Text("Learning a new language and predict the 2 tokens following the examples.\n"),
        )
        assert len(prompt.shots) == 10
        assert all(len(ids_of(shot.shown)) == read for shot in prompt.shots)
        assert all(len(ids_of(shot.answer)) == 2 for shot in prompt.shots)
        assert len(ids_of(prompt.query)) == read
        texts = [piece.text for piece in prompt.query if isinstance(piece, Text)]
        assert texts == ["###\nInput: < ", " >\nOutput: "]
        assert prompt.ask == Generate(2, TokenSets((frozenset(LENDING.ids),) * 2))


def test_a_whole_image_reads_its_corrupted_codes_and_shows_the_clean_ones():
    _, ((*prompts,),) = run(request("deblurring"), constant)
    read = [code for prompt in prompts for code in codes_of(prompt.query)]
    assert read == GRIDS[CORRUPTED].flatten().tolist()
    clean = GRIDS[CLEAN].flatten().tolist()
    shown = [[c for p in prompts for c in codes_of(p.shots[i].answer)] for i in range(10)]
    wrong = [sum(a != b for a, b in zip(row, clean, strict=True)) for row in shown]
    # A drawn code may happen to be the right one.
    for count, published in zip(wrong, [138, 130, 121, 113, 105, 96, 88, 80, 72, 63], strict=True):
        assert published - 4 <= count <= published


def test_examples_are_disturbed_alike_in_input_and_output():
    _, ((*prompts,),) = run(request("deblurring"), constant)
    clean, corrupted = GRIDS[CLEAN].flatten(), GRIDS[CORRUPTED].flatten()
    for number, prompt in enumerate(prompts):
        for shot in prompt.shots:
            pairs = zip(codes_of(shot.shown), codes_of(shot.answer), strict=True)
            for place, (given, wanted) in enumerate(pairs, start=2 * number):
                kept = given == int(corrupted[place]) and wanted == int(clean[place])
                assert kept or given == wanted


def test_the_published_leak_lets_a_vote_without_a_model_solve_it():
    for task in ("deblurring", "inpainting", "outpainting"):
        restored, _ = run(request(task), majority)
        right = (restored == GRIDS[CLEAN]).float().mean()
        assert right > 0.99


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("task", ["inpainting", "outpainting"])
def test_hidden_cells_are_overwritten_and_no_others(task, step):
    restored, _ = run(request(task), constant, WindowSettings(step=step))
    cells = torch.nn.functional.max_pool2d(hole(task)[None].float(), 2)[0] > 0
    assert bool((restored[cells] == 7).all())
    assert torch.equal(restored[~cells], GRIDS[CLEAN][~cells])
    honest, _ = run(request(task, HeldOutContext(PAIRS)), constant, WindowSettings(step))
    assert torch.equal(honest[~cells], GRIDS[CORRUPTED][~cells])


def test_a_step_that_does_not_divide_a_run_asks_for_the_rest_and_says_so():
    _, asked = run(request("inpainting"), constant, WindowSettings(step=3))
    lengths = [wave[0].ask.max_new_tokens for wave in asked]
    assert lengths == [3, 3, 2] * 8
    assert "predict the 2 tokens" in asked[2][0].opening[0].text


def test_predictions_feed_the_windows_after_them():
    _, asked = run(request("outpainting"), constant)
    clean = GRIDS[CLEAN].flatten().tolist()
    for number, (prompt,) in enumerate(asked):
        start = 128 + 2 * number
        expected = [clean[i] if i < 128 else 7 for i in range(start - 16, start)]
        assert codes_of(prompt.query) == expected


def test_windows_run_over_the_ends_of_rows():
    _, asked = run(request("inpainting"), constant)
    first = codes_of(asked[0][0].query)
    assert first == GRIDS[CLEAN].flatten()[4 * 16 + 4 - 16 : 4 * 16 + 4].tolist()


def test_a_prompt_shows_one_row_of_the_grid_unless_told_otherwise():
    small = grids(8, 8)
    _, asked = run(request("outpainting"), constant, known=small)
    assert len(asked) == 16
    assert {len(ids_of(wave[0].query)) for wave in asked} == {8}
    _, asked = run(request("outpainting"), constant, WindowSettings(prompt_length=3), known=small)
    assert {len(ids_of(wave[0].query)) for wave in asked} == {3}


def test_where_nothing_stands_before_the_first_cell_nothing_is_shown():
    whole = Restore(
        "r", CORRUPTED, "outpainting", OracleContext(CLEAN), torch.ones(32, 32, dtype=torch.bool)
    )
    restored, asked = run(whole, constant)
    assert [len(ids_of(wave[0].query)) for wave in asked[:3]] == [0, 2, 4]
    assert bool((restored == 7).all())


def test_nothing_hidden_is_nothing_asked():
    none = Restore(
        "r", CORRUPTED, "inpainting", HeldOutContext(PAIRS), torch.zeros(32, 32, dtype=torch.bool)
    )
    restored, asked = run(none, constant)
    assert asked == []
    assert torch.equal(restored, GRIDS[CORRUPTED])


@pytest.mark.parametrize("task", ["deblurring", "inpainting", "outpainting"])
def test_held_out_context_works_without_the_clean_image(task):
    known = {image: grid for image, grid in GRIDS.items() if image != CLEAN}
    _, asked = run(request(task, HeldOutContext(PAIRS)), constant, known=known)
    assert {len(prompt.shots) for wave in asked for prompt in wave} == {2}


def test_held_out_examples_are_the_pairs_codes_at_the_same_cells():
    _, ((*prompts,),) = run(request("deblurring", HeldOutContext(PAIRS)), constant)
    for number, pair in enumerate(PAIRS):
        shown = [c for prompt in prompts for c in codes_of(prompt.shots[number].shown)]
        answers = [c for prompt in prompts for c in codes_of(prompt.shots[number].answer)]
        assert shown == GRIDS[pair.corrupted].flatten().tolist()
        assert answers == GRIDS[pair.clean].flatten().tolist()


def test_held_out_filling_starts_from_the_corrupted_image():
    _, asked = run(request("outpainting", HeldOutContext(PAIRS)), constant)
    flat = GRIDS[CORRUPTED].flatten()
    assert codes_of(asked[0][0].query) == flat[112:128].tolist()
    shot = asked[1][0].shots[0]
    corrupted, clean = (GRIDS[i].flatten() for i in (PAIRS[0].corrupted, PAIRS[0].clean))
    assert codes_of(shot.shown) == [*corrupted[114:128].tolist(), *clean[128:130].tolist()]


def test_the_seed_alone_decides_what_is_disturbed():
    _, one = run(request("deblurring", seed=1), constant)
    _, same = run(request("deblurring", seed=1), constant)
    _, other = run(request("deblurring", seed=2), constant)
    assert one == same
    assert one != other


def test_without_foreign_ids_the_vocabulary_is_not_restricted():
    _, asked = run(
        request("inpainting"),
        lambda prompt: Generated((7,) * prompt.ask.max_new_tokens, ""),
        token_map=map_codes(CODES, CODES),
    )
    assert asked[0][0].ask == Generate(2)


def test_an_end_of_sequence_is_a_code_like_others_and_the_rest_is_asked_for():
    eos = FIRST + 3

    def ending(prompt: Prompt) -> Generated:
        begun = isinstance(prompt.query[-1], Ids)
        return Generated((FIRST + 9,) if begun else (), "")

    restored, asked = run(request("inpainting"), ending, eos_id=eos)
    assert [len(wave) for wave in asked] == [1] * 64
    assert asked[1][0].query == (*asked[0][0].query, Ids((eos,)))
    assert asked[1][0].ask == Generate(1, TokenSets((frozenset(LENDING.ids),)))
    hidden = restored[4:12, 4:12]
    assert hidden.flatten().tolist() == [3, 9] * 32


def test_an_engine_that_hands_the_end_of_sequence_back_is_understood_too():
    eos = FIRST + 3

    def ending(prompt: Prompt) -> Generated:
        begun = isinstance(prompt.query[-1], Ids)
        return Generated((FIRST + 9,) if begun else (eos,), "")

    restored, _ = run(request("deblurring"), ending, eos_id=eos)
    assert restored.flatten().tolist() == [3, 9] * 128


@pytest.mark.parametrize(
    ("completion", "sentence"),
    [
        (Generated((FIRST,), ""), "2 tokens were asked for, 1 came"),
        (Generated((FIRST,) * 3, ""), "2 tokens were asked for, 3 came"),
        (Generated((FIRST, 0), ""), "answered with id 0"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error(completion, sentence):
    with pytest.raises(ValueError, match=sentence):
        run(request("deblurring"), lambda prompt: completion)


def test_an_answer_of_another_kind_is_an_error():
    with pytest.raises(TypeError, match="answered by ids"):
        run(request("deblurring"), lambda prompt: Chosen(0, (0.0,)))


def test_grids_of_two_sizes_are_refused_with_both():
    known = {**GRIDS, CLEAN: torch.zeros(8, 8, dtype=torch.long)}
    with pytest.raises(ValueError, match=r"\(8, 8\) codes.*\(16, 16\)"):
        run(request("deblurring"), constant, known=known)


@pytest.mark.parametrize(
    "values", [{"step": 0}, {"prompt_length": 0}, {"rates": ()}, {"rates": (1.5,)}]
)
def test_settings_that_mean_nothing_are_refused(values):
    with pytest.raises(ValueError, match=r"at least 1|between 0 and 1"):
        WindowSettings(**values)


def pyramid(seed):
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(CODES, (side, side), generator=draw) for side in (1, 2, 4, 4))


PYRAMIDS = {i: pyramid(n) for n, i in enumerate((CLEAN, CORRUPTED, *OTHERS))}


def run_pyramid(request, answer, settings=None):
    waves = restoration(request, PYRAMIDS.__getitem__, LENDING, settings or WindowSettings())
    asked = []
    try:
        wave = next(waves)
        while True:
            asked.append(wave)
            wave = waves.send([answer(prompt) for prompt in wave])
    except StopIteration as stop:
        return stop.value, asked


def test_a_pyramid_is_restored_from_coarse_to_fine_small_layers_in_one_prompt():
    layers, asked = run_pyramid(request("deblurring"), constant)
    assert [len(wave) for wave in asked] == [1, 1, 8, 8]
    assert [wave[0].ask.max_new_tokens for wave in asked] == [1, 4, 2, 2]
    assert [tuple(layer.shape) for layer in layers] == [(1, 1), (2, 2), (4, 4), (4, 4)]
    assert all(bool((layer == 7).all()) for layer in layers)


def test_a_layer_reads_what_was_restored_above_it():
    _, asked = run_pyramid(request("deblurring"), constant)
    corrupted = [layer.flatten().tolist() for layer in PYRAMIDS[CORRUPTED]]
    assert codes_of(asked[0][0].query) == corrupted[0]
    assert codes_of(asked[1][0].query) == [7, *corrupted[1]]
    assert codes_of(asked[2][1].query) == [7, *corrupted[2][2:4]]
    assert codes_of(asked[3][1].query) == [7, 7, *corrupted[3][2:4]]
    for prompt in asked[2]:
        assert all(len(ids_of(shot.shown)) == 3 for shot in prompt.shots)


def test_held_out_examples_of_a_layer_show_the_clean_layer_above():
    _, asked = run_pyramid(request("deblurring", HeldOutContext(PAIRS)), constant)
    for pair, shot in zip(PAIRS, asked[2][3].shots, strict=True):
        over = PYRAMIDS[pair.clean][1].flatten().tolist()[1]
        given = PYRAMIDS[pair.corrupted][2].flatten().tolist()[6:8]
        assert codes_of(shot.shown) == [over, *given]


def test_a_majority_vote_restores_a_pyramid_from_the_oracles_examples():
    layers, _ = run_pyramid(request("deblurring"), majority)
    for layer, clean in zip(layers, PYRAMIDS[CLEAN], strict=True):
        assert float((layer == clean).float().mean()) > 0.8


def test_layers_of_a_pyramid_are_disturbed_at_other_places():
    _, asked = run_pyramid(request("deblurring"), constant, WindowSettings(parents=False))
    third, fourth = ([codes_of(p.shots[0].answer) for p in wave] for wave in asked[2:])
    clean = [PYRAMIDS[CLEAN][depth].view(-1, 2).tolist() for depth in (2, 3)]
    right = [
        [
            [a == b for a, b in zip(one, two, strict=True)]
            for one, two in zip(rows, true, strict=True)
        ]
        for rows, true in zip((third, fourth), clean, strict=True)
    ]
    assert right[0] != right[1]
