from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.packs.mini.recipes.llm.curriculum import LEVELS, Curriculum, batch
from frostbench.packs.mini.recipes.text import corpus as text
from frostbench.packs.mini.recipes.text.exercises import (
    INPUT,
    OUTPUT,
    PieceRows,
    Repeats,
    RestorationExercise,
    WordLists,
)
from frostbench.packs.mini.recipes.text.tokenizer import load_tokenizer
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

FOLDER = embedded_pack("mini") / "llm"
TOKENIZER = load_tokenizer(FOLDER)
SEGMENTS = PieceRows(TOKENIZER)


def outputs(ids: tuple[int, ...]) -> list[tuple[int, ...]]:
    """What stands after each "Output: ", up to the next example."""
    output, given_ = SEGMENTS.encode(OUTPUT), SEGMENTS.encode(INPUT)
    found = []
    for at in range(len(ids)):
        if ids[at : at + len(output)] == output:
            start = at + len(output)
            end = next(
                (i for i in range(start, len(ids)) if ids[i : i + len(given_)] == given_), len(ids)
            )
            found.append(ids[start:end])
    return found


@given(st.text())
@settings(max_examples=200)
def test_any_text_survives_the_tokenizer(string):
    ids = TOKENIZER(string, add_special_tokens=False).input_ids
    if not {"<pad>", "<bos>", "<eos>"} & {TOKENIZER.decode([i]) for i in ids}:
        assert TOKENIZER.decode(ids, clean_up_tokenization_spaces=False) == string


def test_the_tokenizer_has_the_size_and_the_special_tokens_that_the_pack_counts_on():
    assert len(TOKENIZER) == 2048
    special = (TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id)
    assert special == (0, 1, 2)
    assert 1 not in TOKENIZER("a dog", add_special_tokens=False).input_ids


def test_most_entries_of_the_tokenizer_are_different_words():
    distinct = {string.strip().lower() for string in SEGMENTS.strings}
    assert len(distinct) > 1500
    named = {word for name in text.names() for word in name.split()}
    assert len(named & distinct) > 400


def test_a_row_is_its_segments_tokenised_one_by_one():
    row = WordLists(ways=2, noise=0.0).row(Random(3), SEGMENTS, text.names())
    ids = row.ids
    first = SEGMENTS.encode(INPUT)
    at = next(i for i in range(len(ids)) if ids[i : i + len(first)] == first)
    head = TOKENIZER.decode(ids[1:at])
    assert ids[0] == TOKENIZER.bos_token_id
    assert (1, *SEGMENTS.encode(head)) == ids[:at]


def test_a_span_wider_than_the_vocabulary_is_all_of_it():
    wide, whole = RestorationExercise(span=SEGMENTS.size + 1), RestorationExercise(span=0)
    assert wide.row(Random(0), SEGMENTS) == whole.row(Random(0), SEGMENTS)


@pytest.mark.parametrize("ways", [2, 5])
def test_a_word_list_is_answered_by_a_label_that_the_examples_showed(ways):
    for seed in range(20):
        row = WordLists(ways=ways, shots=2, words=5).row(Random(seed), SEGMENTS, text.names())
        answer = row.ids[-row.answer :]
        assert len(set(row.options)) == ways
        assert answer in row.options
        shown = outputs(row.ids)
        assert len(shown) == 2 * ways + 1
        assert Counter(shown[:-1]) == Counter(row.options * 2)


def test_lists_of_one_class_share_half_of_their_words_and_of_two_classes_few():
    task = WordLists(ways=2, words=8, noise=0.2)
    same, other = [], []
    for seed in range(200):
        draw = task.lists(Random(seed), SEGMENTS)
        a, b, c = draw(0), draw(0), draw(1)
        same.append(len(set(a) & set(b)) / 8)
        other.append(len(set(a) & set(c)) / 8)
    assert 0.5 < sum(same) / 200 < 0.7
    assert sum(other) / 200 < 0.12


@pytest.mark.parametrize("inputs", [2, 16])
def test_the_examples_of_a_noisy_repeat_agree_on_its_answer_by_majority(inputs):
    right = 0
    for seed in range(200):
        row = RestorationExercise(inputs, 2).row(Random(seed), SEGMENTS)
        *examples, answer = outputs(row.ids)
        assert answer == row.ids[-2:]
        assert len(examples) == 10
        votes = tuple(Counter(e[i] for e in examples).most_common(1)[0][0] for i in range(2))
        right += votes == answer
    assert right > 195


def test_without_noise_a_held_out_answer_is_the_end_of_its_own_input():
    output = SEGMENTS.encode(OUTPUT)
    row = RestorationExercise(16, 2, noise=0.0, oracle=False).row(Random(0), SEGMENTS)
    end = len(row.ids) - 2 - len(output)
    assert row.ids[end - 2 : end] == row.ids[-2:]


def test_what_a_repeat_asks_for_has_stood_there_before():
    for seed in range(50):
        row = Repeats().row(Random(seed), SEGMENTS)
        last = row.ids[-row.answer - 1 :]
        starts = range(1, len(row.ids) - len(last))
        assert any(row.ids[at : at + len(last)] == last for at in starts)
        assert row.weights[-row.answer :] == (1.0,) * row.answer


def test_only_answers_and_their_ends_are_targets():
    for seed in range(20):
        row = WordLists(ways=3, shots=1, rounds=4).row(Random(seed), SEGMENTS, text.names())
        assert set(row.weights) <= {0.0, 0.2, 1.0}
        assert row.weights[-row.answer :] == (1.0,) * row.answer
        answered = sum(weight == 1.0 for weight in row.weights)
        assert answered <= sum(len(shown) for shown in outputs(row.ids)[1:])


def test_rows_follow_from_the_seed():
    def make():
        return [
            row.ids
            for kind in LEVELS
            for row in batch(kind, LEVELS[kind], Random("a"), SEGMENTS, 1200, 640)
        ]

    assert make() == make()


@pytest.mark.parametrize("kind", LEVELS)
def test_a_batch_keeps_to_its_tokens_at_every_level(kind):
    for level in range(LEVELS[kind] + 1):
        rows = batch(kind, level, Random(level), SEGMENTS, 2400, 640)
        longest = max(len(row.ids) for row in rows)
        assert len(rows) == 1 or longest * len(rows) <= 2400 + 640


def test_the_next_level_comes_when_the_last_is_mastered_and_not_before():
    curriculum = Curriculum()
    assert curriculum.choose(Random(0)) == "repeats"
    for _ in range(100):
        curriculum.saw("repeats", 0.5)
    assert curriculum.levels["repeats"] == 0
    for _ in range(100):
        curriculum.saw("repeats", 1.0)
    assert curriculum.levels["repeats"] > 0
    again = Curriculum()
    again.load_state_dict(curriculum.state_dict())
    assert again == curriculum


def test_the_text_names_things_and_a_sentence_follows_from_its_seed():
    assert {"red apple", "dog face"} <= set(text.names())
    assert not any("flag:" in name or "skin tone" in name for name in text.names())
    assert text.sentence(Random(5)) == text.sentence(Random(5))


def test_text_is_read_as_prose_in_lower_case_and_too_little_of_it_is_refused():
    written = [f"Line one of THE text,\nand  number {'l' * n} besides ’it’." for n in range(100)]
    workshop = Workshop(Path(), Path(), offered={"text": lambda _: [*written, "short", *written]})
    read = text.read_text(workshop)
    assert len(read) == 100
    assert read[1] == "line one of the text, and number l besides 'it'."
    few = Workshop(Path(), Path(), offered={"text": lambda _: written[1:]})
    with pytest.raises(ValueError, match="99 different paragraphs of prose, and 100 are needed"):
        text.read_text(few)


def test_every_source_of_text_has_a_licence():
    assert all(source.name and source.licence and source.what for source in text.SOURCES)
