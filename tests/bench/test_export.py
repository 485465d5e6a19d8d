import csv
import doctest
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import yaml
from eval_ever import check_evaluation, check_sample
from huggingface_hub import parse_eval_result_entries
from hypothesis import given
from hypothesis import strategies as st
from stored_runs import changed

from frostbench.bench.cli import main
from frostbench.bench.comparison import sentences
from frostbench.bench.exchange import FORMATS, export, hub, names, tex
from frostbench.bench.exchange.bibliography import bibliography
from frostbench.bench.exchange.frames import ROWS, rows_table, samples_table
from frostbench.bench.exchange.names import folder_name
from frostbench.bench.exchange.tex import escaped
from frostbench.bench.leaderboard import build
from frostbench.bench.leaderboard.write import FLAT
from frostbench.bench.store import differences
from frostbench.bench.store.atomic import StoreError

ODD = r"50 %_a&b $x$ #1 {y} ~^\ \"Müller's\" <z> [q] *ß* Łódź 中 – -- ?`"


@pytest.fixture(scope="module")
def run(synthetic):
    return synthetic(samples=6, outsider=True)


@pytest.fixture(scope="module")
def board(run):
    return build([run])


@pytest.fixture(scope="module")
def odd(run):
    """The run with names that hold all that LaTeX minds."""
    manifest = run.manifest
    methods = {ODD if name == "v2l" else name: about for name, about in manifest.methods.items()}
    methods[ODD] = replace(methods[ODD], title=ODD, paper=f"https://example.org/{ODD}")
    methods["vqgan"] = replace(methods["vqgan"], summary=ODD)
    tasks = {name: replace(task, summary=ODD) for name, task in manifest.tasks.items()}
    records = [replace(r, method=ODD) if r.method == "v2l" else r for r in run.records()]
    return changed(run, records, methods=methods, tasks=tasks)


@pytest.fixture(scope="module")
def papers(odd, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tex") / "paper"
    export(build([odd]), [odd], ["latex"], folder)
    return folder


def test_every_value_with_its_interval_is_in_the_tables(run, board, tmp_path):
    export(board, [run], ["latex"], tmp_path / "out")
    text = (tmp_path / "out" / "task-inpainting.tex").read_text()
    for row in board.rows:
        if row.task == "inpainting" and row.metric == "psnr[rgb]" and row.value is not None:
            assert f"{row.value:.2f}" in text
            assert rf"_{{[{row.low:.2f},\,{row.high:.2f}]}}" in text
    assert text.count(r"\begin{table}") == 2, "a table a protocol"
    methods, controls = text.split(r"\bottomrule")[0].split(r"\midrule")[1:]
    assert "vqgan" in methods
    assert r"\itshape copy" in controls
    matrix = (tmp_path / "out" / "matrix-restoration.tex").read_text()
    assert r"psnr{[}rgb{]} $\uparrow$ (dB)" in matrix
    assert r"outsider" not in matrix
    reported = (tmp_path / "out" / "reported.tex").read_text()
    assert "not comparable" in reported
    assert "3.41?{}" in reported


def test_best_is_bold_and_what_cannot_be_told_from_it_underlined(synthetic):
    run = synthetic(samples=40)
    board = build([run])
    files = dict(FORMATS["latex"](board, [run], None))
    text = files["matrix-restoration.tex"]
    best = [row for row in board.rows if row.best and row.metric == "psnr[rgb]"]
    assert best
    for row in best:
        assert rf"\mathbf{{{row.value:.2f}}}" in text
    tied = [
        row
        for row in board.rows
        if row.rank and row.rank.low == 1 and not row.best and row.suite == "restoration"
    ]
    assert all(rf"\underline{{{row.value:.2f}}}" in text for row in tied)


def test_each_paper_is_in_the_bibliography_once_and_is_cited(run, papers):
    text = bibliography([run.manifest, run.manifest])
    assert re.findall(r"@\w+\{([^,]+),", text) == [
        "frostbench",
        "zhu2024beyond",
        "esser2021taming",
        "method-outsider",
    ]
    assert "eprint = {2403.07874}" in text
    assert r"Bj\"{o}rn" in text
    tables = "".join(path.read_text() for path in papers.glob("*.tex"))
    keys = set(re.findall(r"\\cite\{([^}]+)\}", tables))
    known = set(re.findall(r"@\w+\{([^,]+),", (papers / "references.bib").read_text()))
    assert keys <= known
    assert {"frostbench", "esser2021taming"} <= keys


@given(st.text())
def test_what_is_escaped_is_ascii_and_holds_no_command_of_its_own(text):
    made = escaped(text)
    assert made.isascii()
    assert made.isprintable()
    bare = re.sub(r"\\([a-zA-Z]+|.)", "", made)
    assert not set(bare) & set("&%#_\\")
    depth = 0
    for letter in re.sub(r"\\[{}]", "", made):
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    assert made.count("$") - made.count(r"\$") in range(0, 2 * len(text) + 2, 2)


def test_a_row_never_begins_with_what_a_line_break_takes_for_its_argument(papers):
    for path in papers.glob("*.tex"):
        assert not re.search(r"\\\\\n\s*[\[*]", path.read_text())


def test_names_are_printed_as_they_are(papers):
    tables = (papers / "matrix-restoration.tex").read_text()
    assert escaped(ODD) in tables
    assert ODD not in tables


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
def test_the_document_compiles(papers, tmp_path):
    shutil.copytree(papers, tmp_path, dirs_exist_ok=True)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "frostbench.tex"]
    for words in (command, ["bibtex", "frostbench"], command, command):
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert b"undefined" not in done.stdout
    assert (tmp_path / "frostbench.pdf").stat().st_size > 10_000


def test_every_eval_ever_takes_the_files(run, odd, tmp_path):
    for number, one in enumerate((run, odd)):
        out = tmp_path / str(number)
        export(build([one]), [one], ["eee"], out)
        files = sorted(out.glob("data/frostbench/*/*/*.json"))
        assert len(files) == 5 - number, "three methods that were run, two that papers report"
        for path in files:
            values = json.loads(path.read_text())
            check_evaluation(values)
            assert path.is_relative_to(out / "data" / "frostbench" / values["model_info"]["id"])


def test_measured_values_travel_with_their_intervals_and_controls(run, board, tmp_path):
    export(board, [run], ["eee"], tmp_path / "out")
    found = [json.loads(p.read_text()) for p in (tmp_path / "out").glob("data/*/*/v2l/*.json")]
    (own,) = [one for one in found if one["source_metadata"]["source_type"] == "evaluation_run"]
    (told,) = [one for one in found if one["source_metadata"]["source_type"] == "documentation"]
    results = {one["evaluation_result_id"]: one for one in own["evaluation_results"]}
    for row in board.rows:
        if row.kind == "measured" and row.method == "v2l":
            name = "/".join(filter(None, (row.task, row.protocol, row.metric)))
            one = results.pop(name)
            assert one["score_details"]["score"] == row.value
            ends = one["score_details"]["uncertainty"].get("confidence_interval")
            assert (ends is None) == (row.low is None)
            assert ends is None or (ends["lower"], ends["upper"]) == (row.low, row.high)
    assert results == {}
    copied = own["evaluation_results"][-1]["score_details"]["details"]
    assert any(key.startswith("control") for key in copied)
    reported = [row for row in board.rows if row.kind == "reported" and row.method == "v2l"]
    assert [one["score_details"]["score"] for one in told["evaluation_results"]] == [
        row.value for row in reported
    ]
    assert "not measured here" in told["evaluation_results"][0]["score_details"]["details"]["note"]
    unbounded = next(
        one
        for name, one in zip(
            [o["metric_config"]["metric_id"] for o in own["evaluation_results"]],
            own["evaluation_results"],
            strict=True,
        )
        if name == "fid[mini]"
    )
    assert "score_type" not in unbounded["metric_config"]
    assert unbounded["metric_config"]["lower_is_better"]


def test_samples_lie_beside_them_with_their_checksum(run, board, tmp_path):
    export(board, [run], ["eee"], tmp_path / "out")
    for path in (tmp_path / "out").glob("data/*/*/*/*.json"):
        values = json.loads(path.read_text())
        about = values.get("detailed_evaluation_results")
        if about is None:
            continue
        content = (tmp_path / "out" / about["file_path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == about["checksum"]
        lines = [json.loads(line) for line in content.splitlines()]
        assert len(lines) == about["total_rows"] == 4 * 12
        for line in lines:
            check_sample(line)
            assert line["evaluation_id"] == values["evaluation_id"]


def test_the_hub_reads_its_yaml_back(run, board, tmp_path):
    words = ["export", str(run.folder), "format=hf", f"out={tmp_path / 'out'}"]
    assert main([*words, "dataset=me/bench", "source=https://example.org/board"]) == 0
    file = tmp_path / "out" / "v2l" / ".eval_results" / "frostbench.yaml"
    entries = parse_eval_result_entries(yaml.safe_load(file.read_text()))
    by_task = {entry.task_id: entry for entry in entries}
    for row in board.rows:
        if row.kind == "measured" and row.method == "v2l" and row.rank:
            entry = by_task.pop(
                re.sub(r"[^\w@.-]+", "_", f"{row.task} {row.protocol or ''}".strip())
            )
            scale = 100 if row.metric.startswith("accuracy") else 1
            assert entry.value == pytest.approx(row.value * scale)
            assert entry.dataset_id == "me/bench"
            assert entry.source_url == "https://example.org/board"
            assert row.metric in entry.notes
            assert "95% interval" in entry.notes
    assert all(name.startswith("reported_") for name in by_task)
    assert all(one.notes.startswith("reported, not measured") for one in by_task.values())
    about = yaml.safe_load((tmp_path / "out" / "eval.yaml").read_text())
    assert {"id", "config", "split"} == set(about["tasks"][0])


def test_parquet_and_csv_hold_the_same_rows(run, board, tmp_path):
    written = export(board, [run], ["csv", "parquet"], tmp_path / "out")
    assert set(written) == {"csv/rows.csv", "parquet/rows.parquet", "parquet/samples.parquet"}
    with (tmp_path / "out" / "csv" / "rows.csv").open() as file:
        flat = list(csv.DictReader(file))
    rows = pq.read_table(tmp_path / "out" / "parquet" / "rows.parquet")
    assert rows.schema.equals(ROWS, check_metadata=False)
    assert len(flat) == rows.num_rows == len(board.rows)
    for plain, typed in zip(flat, rows.to_pylist(), strict=True):
        assert float(plain["value"] or "nan") == pytest.approx(
            typed["value"] if typed["value"] is not None else float("nan"), nan_ok=True
        )
        assert (plain["rank_low"] or None) == (
            str(typed["rank_low"]) if typed["rank_low"] else None
        )
    assert {"measured", "control", "reported"} == set(rows.column("kind").to_pylist())


def test_samples_have_a_column_a_metric(run):
    table = samples_table([run])
    records = run.records()
    assert table.num_rows == len(records)
    kept = table.column("psnr[rgb]").to_pylist()
    assert kept == [record.scores.get("psnr[rgb]") for record in records]
    assert "fid[mini]" not in table.column_names, "no sample alone has one"
    assert table.column("prediction").to_pylist() == [
        record.prediction.text or record.prediction.blob for record in records
    ]


def test_what_no_encoding_holds_becomes_columns_too(run):
    records = [
        replace(r, prediction=replace(r.prediction, text="\ud83d")) for r in run.records()[:3]
    ]
    assert samples_table([changed(run, records)]).num_rows == 3
    board = build([run])
    assert rows_table([replace(board.rows[0], reason="\ud83d")]).num_rows == 1
    assert rows_table([]).column_names == list(FLAT)


def test_samples_of_a_task_that_no_manifest_describes_are_left_out(run, tmp_path):
    tasks = {"inpainting": run.manifest.tasks["inpainting"]}
    odd = changed(run, tasks=tasks)
    for name in export(build([odd]), [odd], list(FORMATS), tmp_path / "out"):
        assert "few-shot" not in name
        assert not name.endswith(".jsonl")


def test_an_export_is_replaced_and_what_is_not_its_own_stays(run, board, tmp_path):
    out = tmp_path / "out"
    export(board, [run], ["latex"], out)
    (out / "notes.txt").write_text("mine")
    export(board, [run], ["csv"], out)
    assert {path.name for path in out.iterdir()} == {"rows.csv", "export.json", "notes.txt"}
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match=r"holds something else than export\.json"):
        export(board, [run], ["csv"], tmp_path / "home")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "which run?"),
        (["RUN"], "in which format? format= is one or several of latex, eee, hf, csv, parquet"),
        (["RUN", "format=latx"], "Did you mean 'latex'"),
        (["RUN", "format=hf", "dataset=mine"], "name a repository on the Hub as ORG/NAME"),
        (["RUN", "format=eee", "relationship=friend"], "no relationship named 'friend'"),
        (["nowhere", "format=csv"], "no run at nowhere"),
    ],
)
def test_what_cannot_be_exported_ends_in_one_sentence(words, sentence, run, capsys):
    assert main(["export", *(str(run.folder) if word == "RUN" else word for word in words)]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "..", "a/../../b", "x\0y", "s" * 4000, "{}"])
def test_names_lead_to_no_other_place(run, name, tmp_path):
    manifest = run.manifest
    methods = {name if k == "v2l" else k: v for k, v in manifest.methods.items()}
    task = replace(manifest.tasks["deblurring"], name=name, suite=name)
    records = [
        replace(r, method=name if r.method == "v2l" else r.method, task=name, suite=name)
        for r in run.records()
        if r.task == "deblurring"
    ]
    odd = changed(run, records, methods=methods, tasks={name: task})
    before = set(tmp_path.rglob("*"))
    written = export(build([odd]), [odd], list(FORMATS), tmp_path / "deep" / "deeper" / "out")
    made = {path for path in tmp_path.rglob("*") if path not in before and path.is_file()}
    assert len(made) == len(set(written)) + 1
    assert all(path.is_relative_to(tmp_path / "deep" / "deeper" / "out") for path in made)


@pytest.mark.parametrize(
    "module", [tex, names, hub, sentences, differences], ids=lambda m: m.__name__
)
def test_examples_in_docstrings_hold(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_methods_that_differ_in_what_no_folder_holds_have_folders_of_their_own():
    several = ["a b", "a_b", "a/b", "A b", "s" * 200, "s" * 201, "..", "."]
    assert len({folder_name(name) for name in several}) == len(several)
    assert folder_name("lm4lv_lora") == "lm4lv_lora"
