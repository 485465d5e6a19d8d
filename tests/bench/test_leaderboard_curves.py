import dataclasses
import re

import pytest
from boards import all_pages
from stored_runs import changed

from frostbench.bench.leaderboard import build, write
from frostbench.bench.leaderboard.curves import DASHES, curves
from frostbench.bench.leaderboard.plot import plot
from frostbench.bench.leaderboard.tables import sections
from frostbench.bench.store.manifest import ControlEntry

CONTEXTS = ["held_out_context", "oracle_context"]


@pytest.fixture(scope="module")
def run(synthetic):
    """Inpainting at two levels, deblurring in one variant and one protocol of its own.

    v2l brings the control that the others have as `shuffled_tokens`.
    """
    stored = synthetic(outsider=True)
    brought = {"no_llm": ControlEntry("a map of its own", drawn=True)}
    controls = {**stored.manifest.tasks["inpainting"].controls, **brought}
    manifest = (
        stored.manifest.with_task("inpainting", levels=tuple(CONTEXTS), controls=controls)
        .with_task("deblurring", variants=tuple(CONTEXTS[1:]))
        .with_method("v2l", controls=("no_llm",))
    )
    records = [
        dataclasses.replace(record, control="no_llm")
        if record.row == ("v2l", "shuffled_tokens") and record.task == "inpainting"
        else record
        for record in stored.records()
    ]
    return changed(stored, records, manifest)


@pytest.fixture(scope="module")
def board(run):
    return build([run])


@pytest.fixture(scope="module")
def tables(board):
    (section,) = (one for one in sections(board) if one.suite == "restoration")
    return {table.task.name: table for table in section.tables}


@pytest.fixture(scope="module")
def page(run, board, tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaderboard")
    write(board, [run], folder)
    return folder


def of_suite(board, suite):
    return next(one for one in sections(board) if one.suite == suite)


def test_protocols_stand_side_by_side_where_the_card_says_so(tables):
    inpainting, deblurring = tables["inpainting"], tables["deblurring"]
    assert inpainting.plain is None
    assert [group.protocol for group in inpainting.series.groups] == CONTEXTS
    assert [group.protocol for group in deblurring.plain.groups] == CONTEXTS[:1]
    assert [group.protocol for group in deblurring.series.groups] == CONTEXTS[1:]
    assert tables["reconstruction"].series is None
    assert tables["reconstruction"].plain == tables["reconstruction"]


def test_each_line_stands_once_with_a_row_for_each_level(tables):
    across = tables["inpainting"].series.side_by_side
    labels = [one.line.row.method for one in across]
    assert len(labels) == len(set(labels))
    for one in across:
        assert [row.protocol for row in one.rows] == CONTEXTS
        assert len({row.line for row in one.rows}) == 1
    controls = [one.line.row.control is not None for one in across]
    assert controls == sorted(controls)


def test_the_short_table_holds_methods_what_needs_none_and_what_methods_bring(tables):
    main = {x.line.row.method for x in tables["inpainting"].series.side_by_side if x.is_main}
    assert main == {"v2l", "vqgan", "outsider", "copy", "no_llm[v2l]"}


def panel_titles(svg):
    return re.findall(r">([\w ,]+)</text>", svg)


def test_curves_have_a_panel_for_each_task_and_lines_for_levels_alone(board):
    svg = curves(of_suite(board, "restoration"))
    assert {"inpainting", "deblurring", "v2l", "vqgan", "copy", "ceiling", "no llm"} <= set(
        panel_titles(svg)
    )
    assert "reconstruction" not in panel_titles(svg)
    assert curves(of_suite(board, "understanding")) is None


def test_what_is_drawn_and_what_is_a_ceiling_is_told_by_the_run(run):
    controls = {
        name: dataclasses.replace(control, ceiling=name == "copy", drawn=name == "majority_vote")
        for name, control in run.manifest.tasks["inpainting"].controls.items()
    }
    manifest = run.manifest.with_task("inpainting", controls=controls)
    manifest = manifest.with_task("deblurring", variants=())
    board = build([changed(run, manifest=manifest)])
    titles = set(panel_titles(curves(of_suite(board, "restoration"))))
    assert "majority vote" in titles
    assert not titles & {"copy", "ceiling", "no llm"}
    judged = {one.control for one in board.verdicts if one.task == "inpainting"}
    assert "copy" not in judged
    assert "ceiling" in judged


def test_controls_that_were_drawn_by_name_keep_their_dashes(tables):
    names = ("copy", "majority_vote", "no_llm", "floor", "ceiling")
    table = tables["inpainting"].series
    controls = {
        name: ControlEntry("", name == "ceiling", drawn=name != "majority_vote") for name in names
    }
    task = dataclasses.replace(table.task, controls=controls)
    assert DASHES.of([dataclasses.replace(table, task=task)], drawn=True) == {
        "copy": (4, 2),
        "no_llm": (2, 1.5),
        "floor": (1, 1.6),
        "ceiling": (6, 1.5, 1, 1.5),
    }


def test_the_other_plot_leaves_levels_to_the_curves(board):
    said = " ".join(panel_titles(plot(of_suite(board, "restoration"))))
    assert "reconstruction" in said
    assert "deblurring" in said
    assert "inpainting" not in said


def test_the_same_rows_give_the_same_curves(run, board):
    section = of_suite(board, "restoration")
    again = of_suite(build([run]), "restoration")
    assert curves(section) == curves(again)


def test_page_and_files_show_them(page):
    html = (page / "suite-restoration.html").read_text(encoding="utf-8")
    assert (page / "plots" / "restoration-curves.svg").is_file()
    assert 'href="plots/restoration-curves.svg"' in html
    assert html.count('class="results series"') == 2
    assert all_pages(page).count('class="more"') == 2
    ids = re.findall(r'\bid="([^"]+)"', html)
    named = set(re.findall(r'(?:url\(|href=")#([^")]+)', html))
    assert {name: ids.count(name) for name in named} == dict.fromkeys(named, 1)


def test_the_gallery_shows_fewer_samples_of_what_stands_side_by_side(page):
    html = all_pages(page)
    assert "inpainting-001" in html
    assert "inpainting-002" not in html
    assert "deblurring-005" in html


def test_markdown_shows_the_ranking_metric_side_by_side(page):
    text = (page / "leaderboard.md").read_text(encoding="utf-8")
    assert "| psnr[rgb] (dB) ↑ | held_out_context | oracle_context |" in text
    assert "| *no_llm[v2l]* |" in text
    assert text.count("### deblurring") == 1
