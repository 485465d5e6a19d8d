"""The first screen: methods by tasks, with ranks, standings and costs."""

import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stored_runs import changed

from frostbench.bench.leaderboard import build, write
from frostbench.bench.leaderboard.costs import costs_of, front
from frostbench.bench.leaderboard.matrix import MARKS, matrix
from frostbench.bench.leaderboard.tables import sections
from frostbench.bench.runner.visual import VisualTally
from frostbench.bench.store.visual import VisualSize
from frostbench.plugins import Grid, Ranked, Texts, VisualTokens
from frostbench.plugins.contract.tokens import Continuous


def matrix_of(board):
    return matrix(board, sections(board))


@pytest.fixture(scope="module")
def run(synthetic):
    stored = synthetic(samples=40, outsider=True)
    sizes = {"v2l": VisualSize(9, 85.0, 940.0, 820.0), "vqgan": VisualSize(9, 64.0, 640.0, 600.0)}
    return changed(stored, visual=sizes)


@pytest.fixture(scope="module")
def board(run):
    return build([run])


def test_every_cell_is_the_row_that_ranks(board):
    found = matrix_of(board)
    assert [one.name for one in found.contenders] == ["outsider", "v2l", "vqgan"]
    ranked = [
        row
        for row in board.rows
        if row.kind == "measured" and row.metric == board.manifests[0].tasks[row.task].ranks_by
    ]
    cells = {
        (found.places[place].task, found.places[place].protocol, found.contenders[who].method): cell
        for (place, who), cell in found.cells.items()
    }
    assert {(row.task, row.protocol, row.method): row for row in ranked} == {
        key: cell.row for key, cell in cells.items()
    }


def test_a_standing_is_what_the_verdicts_say(board):
    found = matrix_of(board)
    seen = set()
    for (place, who), cell in found.cells.items():
        at, method = found.places[place], found.contenders[who].method
        outcomes = [
            verdict.outcome == "beats"
            for verdict in board.verdicts
            if (verdict.task, verdict.protocol, verdict.method) == (at.task, at.protocol, method)
        ]
        wanted = None if not outcomes else "all" if all(outcomes) else "some"
        wanted = "none" if outcomes and not any(outcomes) else wanted
        assert cell.standing == wanted
        seen.add(wanted)
    assert seen >= {"all", None}
    assert set(MARKS) >= seen


def test_seconds_are_those_of_all_that_a_method_answered(board, run):
    found = matrix_of(board)
    spent = {}
    for record in run.records():
        if record.control is None and record.status == "scored":
            spent.setdefault(record.method, []).append(record.cost.seconds)
    for one in found.contenders:
        mine = spent.get(one.method)
        wanted = None if mine is None else pytest.approx(math.fsum(mine) / len(mine))
        assert one.seconds == wanted


def test_costs_name_the_least_and_leave_out_what_nobody_has(board, run):
    found = matrix_of(board)
    named = {costs.label: costs for costs in costs_of(found, board.manifests)}
    assert named["visual tokens an image"].values == (None, 85.0, 64.0)
    assert named["visual tokens an image"].least == 64.0
    assert named["bits an image (entropy)"].shown == ("–", "820", "600")
    bare = build([changed(run, visual={})])
    assert [c.label for c in costs_of(matrix_of(bare), bare.manifests)] == [
        "device-seconds a sample"
    ]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1),
    st.booleans(),
)
def test_nobody_on_the_front_is_beaten_in_both(points, higher):
    turn = 1 if higher else -1

    def beats(a, b):
        return a[0] <= b[0] and turn * a[1] >= turn * b[1] and a != b

    kept = front([(float(a), float(b)) for a, b in points], higher_is_better=higher)
    for number, point in enumerate(points):
        beaten = any(beats(other, point) for other in points)
        assert not (number in kept and beaten)
        assert beaten or point in [points[one] for one in kept]


def test_the_first_page_is_small_and_leads_to_all_others(board, run, tmp_path):
    write(board, [run], tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 300_000
    for path in tmp_path.glob("*.html"):
        assert path.stat().st_size < 1_000_000
    for table in (one for part in sections(board) for one in part.tables):
        assert f'href="task-{table.task.name}.html"' in page
    assert "plots/cost-0.svg" in page
    drawn = (tmp_path / "plots" / "cost-0.svg").read_text(encoding="utf-8")
    assert "prefers-color-scheme:dark" in drawn
    assert re.search(r'data-v="[-.\de]+" data-r="\d+" title="[^"]+interval[^"]+samples', page)


def test_many_methods_stand_one_below_the_other(board, run, tmp_path):
    about = run.manifest.methods["v2l"]
    names = [f"m{number}" for number in range(14)]
    others = dict.fromkeys(names, about)
    records = [
        replace(record, method=name)
        for record in run.records()
        if record.method == "v2l" and record.control is None and record.task == "reconstruction"
        for name in names
    ]
    many = changed(run, records, methods={**run.manifest.methods, **others})
    write(build([many]), [many], tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'data-rows="methods"' in page
    rows = re.findall(r'<th scope="row" class="contender"', page)
    assert len(rows) == len(names) + 3


def tokens(*ids):
    return VisualTokens({"local": Grid(torch.tensor(ids)), "global": Ranked(torch.tensor([[5]]))})


def test_sizes_are_the_codebooks_and_the_entropies():
    tally = VisualTally({"local": 16, "global": 8})
    tally.add(tokens([[1, 1], [2, 2]]))
    tally.add(tokens([[1, 1], [2, 2]]))
    assert tally.size == VisualSize(2, 5.0, 4 * 4.0 + 3.0, 4 * 1.0 + 0.0)
    copy = tally.copy()
    tally.add(tokens([[1, 3], [2, 4]]))
    assert copy.size.images == 2
    assert tally.size.entropy > copy.size.entropy


def test_vectors_are_tokens_and_no_bits():
    tally = VisualTally({})
    tally.add(VisualTokens({"features": Continuous(torch.zeros(3, 7, 2))}))
    assert tally.size == VisualSize(3, 7.0)
    assert VisualTally({}).size == VisualSize()


def test_codes_of_unknown_number_have_no_bits():
    tally = VisualTally({"local": 16})
    tally.add(tokens([[1, 1], [2, 2]]))
    assert tally.size == VisualSize(1, 5.0)


def test_sentences_are_counted_and_have_neither_tokens_nor_bits():
    tally = VisualTally({"local": 16})
    tally.add(VisualTokens({"captions": Texts((("a cat", "a dog"), ("an owl",)))}))
    assert tally.size == VisualSize(2, sentences=1.5)
    assert tally.copy().size == tally.size
    beside = VisualTally({"local": 16})
    beside.add(
        VisualTokens({"local": Grid(torch.tensor([[[1]]])), "captions": Texts((("a cat",),))})
    )
    assert beside.size == VisualSize(1, 1.0, sentences=1.0)
