import io
import re
import subprocess
import sys

import pytest
from rich.console import Console
from stored_runs import changed

from frostbench.bench.cli import main
from frostbench.bench.cli import run as ended
from frostbench.bench.cli import show as showing
from frostbench.bench.leaderboard import build
from frostbench.bench.leaderboard.matrix import MARKS, matrix
from frostbench.bench.leaderboard.tables import sections
from frostbench.bench.leaderboard.terminal import tables, task_tables


@pytest.fixture(scope="module")
def run(synthetic):
    return synthetic(samples=12, outsider=True)


@pytest.fixture(scope="module")
def found(run):
    board = build([run])
    return matrix(board, sections(board))


def drawn(found, width):
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    for table in tables(found, width):
        console.print(table)
    return out.getvalue()


def values(text):
    return re.findall(r"\d+\.\d+ (?:\d(?:–\d)? +)?[●◐○]", text)


def test_show_begins_with_the_matrix_in_whole_lines_where_it_is_piped(run, found, capsys):
    assert main(["show", str(run.folder)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{run.folder}: finished; pack mini")
    assert ["restoration", "v2l", "vqgan"] in [line.split() for line in text.splitlines()]
    assert "\ndeblurring held_out_context  psnr[rgb] ↑, dB  " in text
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert "task=NAME" in text.splitlines()[-1]
    assert "#" not in text


def test_a_cell_holds_value_ranks_and_the_mark_of_its_controls(found):
    text = drawn(found, 200)
    for (place, contender), cell in found.cells.items():
        if cell.row.value is not None:
            assert re.search(
                rf"{re.escape(cell.text)} +{cell.rank} +{MARKS[cell.standing]}", text
            ), (
                found.places[place],
                found.contenders[contender],
            )


@pytest.mark.parametrize("width", [120, 80, 50, 28])
def test_no_width_loses_a_cell_or_is_exceeded(found, width):
    text = drawn(found, width)
    assert max(map(len, text.splitlines())) <= width
    answered = [cell for cell in found.cells.values() if cell.row.value is not None]
    assert len(values(text)) == len([cell for cell in answered if cell.verdicts])
    for contender in found.contenders:
        assert contender.label in text


def test_ranks_go_where_not_even_one_method_has_room(found):
    narrow = drawn(found, 22)
    assert "1–2" in drawn(found, 28)
    assert "1–2" not in narrow
    assert "oracle" in narrow


def test_a_method_without_an_answer_in_a_suite_has_no_column_there(found):
    headings = [line for line in drawn(found, 200).splitlines() if "v2l" in line]
    assert [line.split()[0] for line in headings] == ["understanding", "restoration", "cost"]
    assert ["outsider" in line for line in headings] == [True, False, True]


def test_show_prints_the_whole_table_of_a_task_on_request(run, capsys):
    assert main(["show", str(run.folder), "task=inpainting"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("inpainting\nFill in the centre of the image.\n")
    assert "few shot" not in text
    board = build([run])
    for row in board.rows:
        if row.task == "inpainting" and row.metric == "psnr[rgb]" and row.value is not None:
            assert f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}]" in text
    assert re.search(r"^  copy +", text, re.MULTILINE)
    assert re.search(r"^vqgan (loses to|cannot be told from) .*\.$", text, re.MULTILINE)


@pytest.mark.parametrize("width", [120, 70, 36])
def test_a_task_in_full_loses_no_value_in_a_narrow_terminal(run, width):
    board = build([run])
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    for table in task_tables(board, ["inpainting"], width):
        console.print(table)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for row in board.rows:
        if row.task == "inpainting" and row.metric == "ssim" and row.value is not None:
            assert f"{row.value:.3f} [" in text
            assert "…" not in text


def test_show_prints_everything_as_markdown_on_request(run, capsys):
    assert main(["show", str(run.folder), "all=true"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# ")
    assert "### few\\_shot" not in text
    assert "### deblurring" in text
    assert "## Reported by the papers" in text


def test_a_task_that_is_not_in_the_run_is_answered_with_those_that_are(run, capsys):
    assert main(["show", str(run.folder), "task=inpaintin"]) == 2
    assert "no task named 'inpaintin'; there are deblurring" in capsys.readouterr().err


def test_what_keeps_numbers_from_counting_stands_above_the_matrix(synthetic, capsys):
    run = synthetic(samples=6, status="failed")
    stopped = changed(run, violations=("v2l wrote to llm.",))
    showing.print_matrix(build([stopped]), ["there"])
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("there: failed;")
    assert second.startswith("This run failed, and its numbers do not count. v2l wrote to llm.")


def test_a_reader_who_leaves_is_no_failure(run):
    words = [sys.executable, "-m", "frostbench", "show", str(run.folder), "task=inpainting"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait(60) == 0
    child.stderr.close()


def test_a_run_so_large_that_it_takes_minutes_to_read_names_the_command(
    synthetic, monkeypatch, capsys
):
    stored = synthetic(samples=6)
    ended._show(stored)
    assert "few shot classification" in capsys.readouterr().out
    monkeypatch.setattr(ended, "LARGE", 1)
    ended._show(stored)
    assert capsys.readouterr().out == f"frostbench show {stored.folder} has its tables.\n"
