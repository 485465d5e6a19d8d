"""Controls that a method makes itself, and tasks that it declines by name."""

import re
from dataclasses import replace

import pytest
import torch
from runner_world import (
    CONTROLS,
    Blocks,
    Fine,
    Mending,
    Naming,
    Ways,
    method,
    picture,
    plain,
    plan_of,
)

from frostbench.bench.leaderboard import build
from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.run import run
from frostbench.bench.runner.verify import verify
from frostbench.bench.store.manifest import Dash
from frostbench.plugins import ControlCard, ImagePrediction, Reconstruct, TextPrediction
from frostbench.plugins.contract.control import Control, OtherRequest, StandIn, all_controls
from frostbench.plugins.contract.method import Method


class Map(Blocks):
    """Stands in a method's place: the corrupted image's own cells, one level brighter."""

    def tokenize(self, images, sizes):
        raise AssertionError("a control reads the tokens of its method")

    def prompt(self, request, tokens):
        yield []
        cells = tokens[request.image].grid("local").flatten() + 1
        return cells.clamp(max=self.levels - 1).tolist()


class Bringing(Blocks):
    """Brings `no_llm`."""

    card = replace(Blocks.card, name="bringing", controls=("no_llm",))

    @property
    def fingerprint(self):
        return "b" * 64

    def control(self, name):
        return Map() if name == "no_llm" else super().control(name)


class Failing(Bringing):
    """Says that it brings one."""

    card = replace(Bringing.card, name="failing")
    made: object = None

    def control(self, name):
        if self.made is None:
            raise RuntimeError("no map was trained")
        return self.made


class Trained(Blocks):
    """Knows its task from a training, and shows no examples."""

    card = replace(Blocks.card, name="trained", in_context=False)

    @property
    def fingerprint(self):
        return "d" * 64


class Vectored(Blocks):
    """Shows images as vectors."""

    card = replace(Blocks.card, name="vectored", discrete=False)

    @property
    def fingerprint(self):
        return "e" * 64


class Declining(Blocks):
    """Does not mend."""

    card = replace(Blocks.card, name="declining", reasons={"mending": "it was not trained for it"})

    @property
    def fingerprint(self):
        return "d" * 64


def asked_in_other_words(instance, company):
    """Options in capitals, of which the method answers one."""
    request = instance.request
    shots = tuple(replace(one, text=one.text.upper()) for one in request.examples)
    options = tuple(option.upper() for option in request.options)
    return replace(request, examples=shots, options=options)


def told(back):
    """A control that asks in other words, and what becomes of the answer."""
    card = ControlCard("capitals", "in capitals", tasks=("naming",))
    return {**CONTROLS, "capitals": Control(card, OtherRequest(asked_in_other_words, back))}


def failing(said, instance, company):
    raise ValueError("there is no such word")


@pytest.mark.parametrize(
    ("back", "error"),
    [
        (failing, "control 'capitals' of it, answer, .* there is no such word"),
        (lambda *_: ImagePrediction(torch.zeros(3, 8, 8)), "answer, .* TextPrediction was asked"),
        (lambda *_: "red", "answer, .* TextPrediction was asked"),
    ],
)
def test_an_answer_that_cannot_be_translated_fails_its_sample_alone(tmp_path, back, error):
    stored = run(made(tmp_path, Blocks, controls=told(back)))
    records = [one for one in stored.records() if one.control == "capitals"]
    assert len(records) == 4
    for record in records:
        assert record.status == "failed"
        assert re.search(
            error.replace("control 'capitals' of it", r"method 'blocks' \(capitals\)"), record.error
        )
    assert {one.status for one in stored.records() if one.control != "capitals"} == {"scored"}


def test_what_a_control_asks_otherwise_is_answered_in_the_samples_own_words(tmp_path):
    seeds = []

    def back(said, instance, company):
        seeds.append((instance.request.id, company.seed))
        assert said.text.isupper()
        return TextPrediction(said.text.lower())

    stored = run(made(tmp_path, Blocks, controls=told(back)))
    records = {one.sample: one for one in stored.records() if one.control == "capitals"}
    assert {one.status for one in records.values()} == {"scored"}
    for record in records.values():
        assert record.prediction.text in ("red", "green", "blue", "grey")
    assert len({seed for _, seed in seeds}) == len(records)


class LowLevel(Mending):
    """Mending, with the controls of low-level tasks."""

    card = replace(Mending.card, controls=("copy", "majority_vote", "no_llm", "floor", "ceiling"))


def made(folder, *kinds, **changes):
    tasks = (
        PlannedTask(Naming(Ways()), lambda: picture, 4, {"ways": 2}),
        PlannedTask(LowLevel(Ways()), lambda: picture, 4, {"pairs": 2}),
    )
    return plan_of(
        folder / "run", folder / "tokens", methods=tuple(map(method, kinds)), tasks=tasks, **changes
    )


def rows(stored, task="mending"):
    return {record.row for record in stored.records() if record.task == task}


def test_a_control_that_a_method_brings_stands_in_the_tasks_that_name_it(tmp_path):
    stored = run(made(tmp_path, Blocks, Bringing))
    mending = rows(stored)
    assert ("bringing", "no_llm") in mending
    assert ("blocks", "no_llm") not in mending
    assert (None, "no_llm") not in mending
    assert not any(control == "no_llm" for _, control in rows(stored, "naming"))
    assert stored.failed == 0
    assert stored.manifest.methods["bringing"].controls == ("no_llm",)
    control = stored.manifest.tasks["mending"].controls["no_llm"]
    assert "in place of the language model" in control.meaning


def test_a_method_that_shows_no_examples_has_no_row_that_is_answered_from_them(tmp_path):
    mending = rows(run(made(tmp_path, Blocks, Trained)))
    assert ("blocks", "majority_vote") in mending
    assert ("trained", None) in mending
    assert ("trained", "majority_vote") not in mending


def test_tokens_that_are_not_discrete_have_no_overlap(tmp_path):
    naming = rows(run(made(tmp_path, Blocks, Vectored)), "naming")
    assert ("blocks", "token_overlap") in naming
    assert ("vectored", "majority_vote") in naming
    assert ("vectored", "token_overlap") not in naming


def test_it_answers_from_the_tokens_of_its_method_and_asks_no_model(tmp_path):
    stored = run(made(tmp_path, Bringing))
    answered = [record for record in stored.records() if record.control == "no_llm"]
    assert len(answered) == 8
    assert all(record.cost.prompt_tokens == 0 for record in answered)
    first = next(one for one in answered if one.sample == "0")
    dark = picture("clean 0 0").pixels * 0.5
    assert first.status == "scored"
    assert stored.blobs.pixels(first.prediction.blob).mean() < dark.mean() + 0.3


def test_it_changes_nothing_in_the_method_s_own_rows(tmp_path):
    silent = type("Silent", (Bringing,), {"card": replace(Bringing.card, controls=())})
    alone = plain(run(made(tmp_path / "a", silent)))
    beside = plain(run(made(tmp_path / "b", Bringing)))
    assert [line for line in beside if line["control"] != "no_llm"] == alone


@pytest.mark.parametrize("wrong", [None, "a string"])
def test_a_control_that_cannot_be_made_fails_alone_and_says_why(tmp_path, wrong):
    kind = type("Failing", (Failing,), {"made": wrong})
    stored = run(made(tmp_path, kind))
    failed = [record for record in stored.records() if record.status == "failed"]
    assert {record.row for record in failed} == {("failing", "no_llm")}
    reason = "RuntimeError: no map was trained" if wrong is None else "returned a str, not a Method"
    assert all(reason in record.error for record in failed)
    assert all("method 'failing' (no_llm), control," in record.error for record in failed)
    board = build([stored])
    (dash, *_) = [row for row in board.rows if row.control == "no_llm"]
    assert dash.value is None
    assert reason in dash.reason
    assert [row for row in board.rows if row.method == "failing" and row.value is not None]


def test_a_run_with_brought_controls_verifies_and_is_judged(tmp_path):
    plan = made(tmp_path, Bringing)
    stored = run(plan)
    assert verify(plan, 100).holds
    verdicts = build([stored]).verdicts
    assert {v.control for v in verdicts if v.task == "mending"} == {
        "copy",
        "majority_vote",
        "no_llm",
        "floor",
    }


def test_the_floor_is_the_reconstruction_of_the_corrupted_image(tmp_path):
    stored = run(made(tmp_path, Fine))
    fine = Fine()
    for record in stored.records():
        if record.row == ("fine", "floor") and record.protocol == "oracle_context":
            dark = picture(f"clean 0 {record.sample}").pixels * 0.5
            assert record.status == "scored"
            drawn = stored.blobs.pixels(record.prediction.blob)
            assert abs(float(drawn.mean() - dark.mean())) < 2 / fine.levels + 0.05


def test_a_method_without_reconstruction_has_neither_floor_nor_ceiling(tmp_path):
    kind = type(
        "Blind", (Blocks,), {"card": replace(Blocks.card, capabilities=frozenset({"Restore"}))}
    )
    stored = run(made(tmp_path, kind))
    assert {control for _, control in rows(stored)} == {None, "copy", "majority_vote"}
    left = {one.control for one in stored.manifest.controls_left_out}
    assert left == {"floor", "ceiling"}


def test_a_task_that_a_method_declines_by_name_is_a_dash_with_the_reason(tmp_path):
    stored = run(made(tmp_path, Blocks, Declining))
    assert {name for name, _ in rows(stored)} == {None, "blocks"}
    assert ("declining", None) in rows(stored, "naming")
    assert stored.manifest.dashes == (Dash("declining", "mending", "it was not trained for it"),)
    dashes = [row for row in build([stored]).rows if row.method == "declining" and not row.value]
    assert {row.reason for row in dashes if row.task == "mending"} == {"it was not trained for it"}


def test_a_control_under_a_name_that_is_taken_is_refused():
    with pytest.raises(ValueError, match="'thief' brings a control 'copy', which is made of"):
        all_controls(CONTROLS.values(), [replace(Blocks.card, name="thief", controls=("copy",))])
    cards = [Bringing.card, replace(Blocks.card, name="own", controls=("half",)), Failing.card]
    known = all_controls(CONTROLS.values(), cards)
    brought = {name for name, one in known.items() if isinstance(one.change, StandIn)}
    assert brought == {"no_llm", "bare_lmm", "every_query", "fixed_prompt", "half"}


def test_a_toy_map_is_a_method():
    assert isinstance(Bringing().control("no_llm"), Method)
    with pytest.raises(LookupError, match="makes no control named 'half'"):
        Bringing().control("half")
    assert isinstance(
        Map().decode([Reconstruct("r", picture("x"))], [[0, 1, 2, 3]])[0], ImagePrediction
    )
