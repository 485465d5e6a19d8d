"""Names, errors and file names that mean something to what shows them: escaped where written."""

import ast
import csv
import io
import os
import re
import shutil
import xml.etree.ElementTree as Xml
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from boards import all_pages
from rich.console import Console

import frostbench.bench.cli
from frostbench.bench.cli import main
from frostbench.bench.leaderboard import build, write
from frostbench.bench.leaderboard.markdown import cell, markdown
from frostbench.bench.leaderboard.plot import plot
from frostbench.bench.leaderboard.tables import sections
from frostbench.bench.leaderboard.words import PartWords, words_of
from frostbench.bench.leaderboard.write import table
from frostbench.bench.look.image import Seen
from frostbench.bench.look.reading import Look
from frostbench.bench.look.terminal import show
from frostbench.bench.printable import printable
from frostbench.bench.runner.progress import Lines, Quiet
from frostbench.bench.store.atomic import StoreError, sweep_dead
from frostbench.bench.store.tokens import TokenStore, token_key
from frostbench.bench.store.writer import RunWriter
from frostbench.plugins import Image

RED = "\x1b[31mred\x1b]0;title\x07\u202e"
HTML = "<script>alert(1)</script>|`x`\n\n# head [a](javascript:alert(1))"
MATH = "a$b_{c$d^$"


def renamed(synthetic, tmp_path, name):
    """A run in which v2l is called something else, everywhere."""
    run = synthetic(samples=2)
    folder = tmp_path / "named"
    shutil.copytree(run.folder / "blobs", folder / "blobs")
    writer = RunWriter(folder)
    writer.append(
        [
            replace(
                record,
                method=name if record.method == "v2l" else record.method,
                sample=f"{name}{record.sample}",
                error=name if record.status == "failed" else None,
            )
            for record in run.records()
        ]
    )
    methods = {name if key == "v2l" else key: one for key, one in run.manifest.methods.items()}
    entry = replace(methods[name], title=name, summary=name, error=name, notes=(name,))
    tasks = {key: replace(one, summary=name) for key, one in run.manifest.tasks.items()}
    pack = replace(run.manifest.pack, summary=name)
    manifest = replace(
        run.manifest, methods={**methods, name: entry}, tasks=tasks, pack=pack, notes=(name,)
    )
    writer.write_manifest(manifest)
    return type(run)(folder)


@pytest.mark.parametrize("name", [RED, HTML, MATH, "=1+1", "@x", "_under", "a[b](c)", "# x", "-"])
def test_a_name_of_any_kind_is_shown_and_does_nothing(synthetic, tmp_path, name, capsys):
    run = renamed(synthetic, tmp_path, name)
    board = build([run])
    write(board, [run], tmp_path / "board")
    text = (tmp_path / "board" / "leaderboard.md").read_text()
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert "\x1b" not in text
    assert not any(line.startswith(("# head", "# x")) for line in text.splitlines())
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    page = all_pages(tmp_path / "board")
    assert "<script>alert" not in page
    for file in (tmp_path / "board" / "plots").glob("*.svg"):
        Xml.fromstring(file.read_text())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "board" / "leaderboard.csv").read_text())))
    for row in rows:
        assert not any((one or "").startswith(("=", "+", "@", "\t", "\r")) for one in row.values())
    capsys.readouterr()
    assert main(["show", str(run.folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_numbers_stay_numbers_in_a_table(synthetic):
    board = build([synthetic(samples=2)])
    row = replace(board.rows[0], value=-1.5, low=-2.0, method="-x", reason="\t=cmd|' /C calc'!A0")
    (read,) = csv.DictReader(io.StringIO(table([row])))
    assert (read["value"], read["low"]) == ("-1.5", "-2.0")
    assert (read["method"], read["reason"][:2]) == ("'-x", "'\t")


@pytest.mark.parametrize(
    "text", ["~~~", "```", "1. x", "* x", "> x", "===", "| a |", "&lt;", "\\", "[a](b)", "[a]: b"]
)
def test_a_text_begins_nothing_in_markdown(text):
    assert cell(text).startswith(("\\", "1\\.", "&amp;"))


def test_what_markdown_shows_of_plain_names_is_those_names(synthetic):
    for name in ("psnr[rgb]", "few_shot_classification", "2-way 1-shot", "lpips[mini]", "p@0.5[x]"):
        assert cell(name) == name
    assert "psnr[rgb] (dB) ↑" in markdown(build([synthetic(samples=2)]), "title")


def test_mathematics_in_a_name_is_drawn_as_it_is_written(synthetic, tmp_path):
    run = renamed(synthetic, tmp_path, "a$\\frac{1}{0$b")
    drawn = plot(sections(build([run]))[0])
    assert "a$\\frac{1}{0$b" in drawn


def test_a_terminal_is_not_steered(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["show", f"no{RED}"],
        ["look", f"no{RED}"],
        ["run", f"methods={RED}"],
        [f"x{RED}"],
        ["list", RED],
        ["score", f"no{RED}"],
        ["leaderboard", f"no{RED}"],
    ):
        assert main(words) != 0
        said = capsys.readouterr()
        assert "\x1b" not in said.err + said.out, words
        assert "\u202e" not in said.err + said.out, words


def test_a_plugin_file_s_names_and_errors_do_not_steer_a_terminal(tmp_path, capsys):
    file = tmp_path / "own.py"
    file.write_text(f"raise ValueError({RED!r})\n")
    assert main(["list", f"plugins={file}"]) != 0
    file.write_text(
        "from frostbench.plugins import MetricFacts, Offer, hookimpl\n"
        "@hookimpl\ndef frostbench_metrics():\n"
        f"    return [Offer(MetricFacts('m{RED[:8]}', unit={RED!r}), len)]\n"
    )
    main(["list", "metrics", f"plugins={file}"])
    said = capsys.readouterr()
    assert "\x1b" not in said.err + said.out


def test_progress_and_notes_do_not_steer_a_terminal():
    for shown in (Quiet, Lines):
        stream = io.StringIO()
        one = shown(stream)
        one.note(RED)
        one.task(RED, 1, 0)
        one.end()
        assert "\x1b" not in stream.getvalue()


def test_words_and_names_in_look_do_not_steer_a_terminal():
    image = Image(torch.zeros(3, 4, 4), RED)
    parts: tuple[PartWords, ...] = words_of({RED: [[RED, "a"], ["b", "[bold]c"]]})
    reading = Look(RED, RED, "javascript:alert(1)", (RED,), parts, 4, None, RED)
    for terminal in (True, False):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=terminal, color_system=None, width=200)
        show(console, Seen(image, f"[red]{RED}"), [reading])
        assert "\x1b" not in stream.getvalue()
        assert "[red]" in stream.getvalue()
        assert "[bold]c" in stream.getvalue()


def test_commands_print_through_what_escapes():
    for path in Path(frostbench.bench.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                assert path.name == "main.py"  # our own help


def test_what_is_plain_stays_as_it_is():
    for text in ("déjà vu", "日本", "a\n\tb", "👩\u200d💻", "x − y"):
        assert printable(text) == text


@pytest.mark.parametrize("kind", ["pipe", "folder", "/dev/zero", "/dev/stdin"])
def test_look_opens_files_alone(tmp_path, kind, capsys):
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path(kind)
        if path.is_file():
            pytest.skip("standard input is a file here")
    assert main(["look", str(path)]) == 2
    assert "it is a folder, a pipe or a device" in capsys.readouterr().err


def test_a_board_is_the_old_one_or_the_new_one(synthetic, tmp_path):
    run, board = synthetic(samples=2), tmp_path / "board"
    write(build([run]), [run], board)
    (board / "CNAME").write_text("mine")
    (board / "pictures" / "logo.png").write_text("mine")
    (board / "pictures" / f"{'0' * 20}.webp").write_text("of an older one")
    before = {path: path.read_bytes() for path in board.rglob("*") if path.is_file()}
    broken = type(run)(tmp_path / "gone")
    broken.manifest = run.manifest
    broken.records, broken.tables = run.records, run.tables
    with pytest.raises(LookupError, match="no blob"):
        write(build([run]), [broken], board)
    assert {path: path.read_bytes() for path in board.rglob("*") if path.is_file()} == before
    write(build([run]), [run], board, title="new")
    assert "new" in (board / "leaderboard.md").read_text()
    assert (board / "CNAME").read_text() == (board / "pictures" / "logo.png").read_text() == "mine"
    assert not (board / "pictures" / f"{'0' * 20}.webp").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["board"]


def test_a_board_whose_writer_was_killed_is_put_in_order(synthetic, tmp_path):
    run, board = synthetic(samples=2), tmp_path / "board"
    write(build([run]), [run], board)
    (board / "CNAME").write_text("mine")
    board.rename(tmp_path / ".board.999999999.old")  # killed between the two renames
    (tmp_path / ".board.999999999.new").mkdir()
    write(build([run]), [run], board)
    assert [path.name for path in tmp_path.iterdir()] == ["board"]
    assert (board / "CNAME").read_text() == "mine"


def test_a_folder_that_is_no_board_is_left_alone(synthetic, tmp_path, capsys):
    run = synthetic(samples=2)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years")
    # Refused before the runs are read: these are none.
    runs = [str(tmp_path / "none"), str(tmp_path / "neither")]
    for out in (tmp_path / "home", tmp_path / "home" / "thesis.tex", run.folder):
        for words in (["leaderboard"], ["compare"], ["export", "format=csv"]):
            assert main([*words, *runs, f"out={out}"]) == 2
            assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years"
    (tmp_path / "empty").mkdir()
    assert main(["leaderboard", str(run.folder), f"out={tmp_path / 'empty'}"]) == 0
    with pytest.raises(StoreError):
        write(build([run]), [run], tmp_path / "home")


def test_temporaries_of_a_killed_run_are_swept_from_the_token_cache(tmp_path):
    fingerprint = "ab" * 32
    key = token_key(fingerprint, "")
    folder = tmp_path / key[:2] / key
    folder.mkdir(parents=True)
    dead, living, fresh = (
        folder / f".x.safetensors.{process}.tmp" for process in (999_999_999, os.getppid(), 999_999)
    )
    for path in (dead, living, fresh):
        path.write_bytes(b"half")
        if path is not fresh:
            os.utime(path, (1, 1))
    TokenStore(tmp_path, fingerprint, print)
    assert not dead.exists()
    assert living.exists()
    assert fresh.exists()  # of a process of another machine, perhaps
    sweep_dead(tmp_path / "nowhere")
