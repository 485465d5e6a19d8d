"""A run's folder from somebody else: it is read, or refused in one sentence."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from frostbench.bench.cli import main
from frostbench.bench.cli.stored import config_of
from frostbench.bench.leaderboard import build, write
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.masks import masks_of
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.sealed import SCHEMA, table_of
from frostbench.bench.store.values import load_prediction
from frostbench.bench.store.writer import RunWriter

HASH = "ab" * 32
DEEP = "[" * 100_000


@pytest.fixture
def folder(synthetic, tmp_path):
    """A copy of a small run, to be changed."""
    return Path(shutil.copytree(synthetic(samples=2).folder, tmp_path / "run"))


def change_record(folder, change, every=False):
    path = next((folder / "samples").glob("*.jsonl"))
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if every or number == len(lines) - 1:
            value = json.loads(line)
            change(value)
            lines[number] = json.dumps(value)
    path.write_text("\n".join(lines) + "\n")


def change_manifest(folder, change):
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def refused(folder, said):
    with pytest.raises(StoreError, match=said) as caught:
        open_run(folder).records()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pictures", {"input": "../k"}, r"pictures.input is '../k' and no SHA-256"),
        ("pictures", {"input": "/etc/passwd"}, "no SHA-256"),
        ("features", {"fid": [HASH]}, "features.fid is .* and not of length 2"),
        ("features", {"fid": [HASH, "*"]}, "features.fid.1 is"),
        ("prediction", {"kind": "image", "blob": "../../k"}, "prediction.blob is"),
        ("prediction", {"kind": "script"}, "prediction.kind is 'script' and none of text"),
        ("prediction", None, "prediction"),
        ("scores", {"a": float("nan")}, "scores.a is nan and no number"),
        ("scores", {"a": True}, "scores.a is True and no float"),
        ("scores", {"a": 10**400}, "no finite number"),
        ("scores", [1], "scores is"),
        ("cost", {"seconds": float("inf")}, "cost.seconds is inf and no finite number"),
        ("cost", {"prompt_tokens": 1 << 70}, "no number of 64 bits"),
        ("counts", {"a": [float("-inf")]}, "no finite number"),
        ("words", {"local": [["a", 5]]}, "words.local.0.1 is 5 and no str"),
        ("phrases", [[1, 2, 3]], "phrases.0 is"),
        ("method", 5, "method is 5 and no str"),
        ("sample", "x" * 5000, "longer than 4096 characters"),
        ("status", ["scored"], "status is"),
    ],
)
def test_a_field_of_a_record_that_is_wrong_is_named(folder, field, value, said):
    if field == "prediction" and value is None:
        change_record(folder, lambda record: record.update(prediction=3))
    else:
        change_record(folder, lambda record: record.update({field: value}))
    refused(folder, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(seconds=float("inf")), "seconds is inf and no finite number"),
        (lambda m: m.update(seed=True), "seed is True and no int"),
        (lambda m: m.update(limit=1 << 80), "no number of 64 bits"),
        (lambda m: m.update(schema=[1]), "its schema is"),
        (lambda m: m.update(config={"a": json.loads("[" * 40 + "]" * 40)}), "nested deeper"),
        (lambda m: m["tasks"]["inpainting"].update(name="x"), "calls itself 'x'"),
        (lambda m: m["tasks"]["inpainting"].update(corpus="../x"), "no SHA-256"),
        (lambda m: m.update(pack={"name": {}}), "pack.name is"),
        (lambda m: m.update(methods=[1]), "methods is"),
    ],
)
def test_a_field_of_a_manifest_that_is_wrong_is_named(folder, change, said):
    change_manifest(folder, change)
    refused(folder, said)


@pytest.mark.parametrize("content", [DEEP, '{"a":' * 100_000, '{"status": ' + DEEP, "9" * 9000])
def test_depth_without_end_is_refused_everywhere(folder, content):
    lines = next((folder / "samples").glob("*.jsonl"))
    kept = lines.read_text()
    lines.write_text(content + "\n")
    refused(folder, "is damaged")
    lines.write_text(kept)
    name = put(folder / "blobs", ".json", content.encode())
    with pytest.raises(StoreError, match="cannot be read"):
        Blobs(folder / "blobs").json(name)
    (folder / "manifest.json").write_text(content)
    refused(folder, "manifest.json")


def test_a_line_without_end_is_refused_before_it_is_in_memory(folder):
    lines = next((folder / "samples").glob("*.jsonl"))
    with lines.open("r+b") as file:
        file.truncate(1 << 40)  # a hole: no byte of it is on the disk
    refused(folder, "a line of more than")
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(1 << 40)
    refused(folder, "is no manifest")


@pytest.mark.parametrize(
    "name", ["manifest.json", "samples/0.jsonl", "samples/9.jsonl", "sealed/a.parquet"]
)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link"])
def test_what_is_no_file_is_not_opened(folder, name, kind, tmp_path):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    secret = tmp_path / "secret"
    secret.write_text('{"status": "secret"}\n')
    {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(secret),
    }[kind]()
    refused(folder, "link that leads out of its folder|no regular file")


def test_nothing_outside_the_folder_is_written_or_cut(folder, tmp_path, capsys):
    for name in ("run.lock", "samples/0.jsonl", "samples/7.jsonl", "config.yaml", "blobs/zz"):
        own = tmp_path / "own"
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        (own / "precious").write_text("line\nno newline")
        copy = Path(shutil.copytree(folder, own / "run"))
        (copy / name).unlink(missing_ok=True)
        (copy / name).symlink_to(own if name == "blobs/zz" else own / "precious")
        assert main(["score", str(copy)]) == 2, name
        assert "link" in capsys.readouterr().err or name == "run.lock"
        assert (own / "precious").read_text() == "line\nno newline", name
    # A temporary of every process that could be ours, made a link beforehand.
    copy = Path(shutil.copytree(folder, tmp_path / "other"))
    (copy / f".manifest.json.{os.getpid()}.tmp").symlink_to(tmp_path / "own" / "precious")
    RunWriter(copy).write_manifest(open_run(copy).manifest)
    assert (tmp_path / "own" / "precious").read_text() == "line\nno newline"


def test_a_board_of_a_hostile_run_copies_nothing_from_elsewhere(folder, tmp_path):
    secret = tmp_path / "secret.webp"
    Pillow.new("RGB", (2, 2)).save(secret)
    used = json.loads(next((folder / "samples").glob("*.jsonl")).read_text().splitlines()[0])
    name = used["pictures"]["input"]
    blob = folder / "blobs" / name[:2] / f"{name}.webp"
    for make, said in (
        (lambda: blob.symlink_to(secret), "leads out of its folder"),
        (lambda: os.mkfifo(blob), "no regular file"),
        (lambda: blob.write_text("<svg onload=alert(1)>"), "is damaged"),
        (lambda: shutil.copy(__file__, blob.with_suffix(".html")), "no blob"),
    ):
        blob.unlink(missing_ok=True)
        make()
        run = open_run(folder)
        with pytest.raises((StoreError, LookupError), match=said):
            write(build([run]), [run], tmp_path / "board")
        assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    "suite", ["../../x", "/outside/x", "a/../../../x", "..", "x\0y", "s" * 4000]
)
def test_a_suite_called_like_a_path_stays_in_the_board(folder, suite, tmp_path):
    # The absolute one leads to where this test would see a file.
    suite = suite.replace("/outside", str(tmp_path / "outside"))
    change_record(folder, lambda record: record.update(suite=suite), every=True)
    change_manifest(folder, lambda m: [task.update(suite=suite) for task in m["tasks"].values()])
    before = set(tmp_path.rglob("*"))
    run = open_run(folder)
    write(build([run]), [run], tmp_path / "deep" / "deeper" / "board")
    made = {path for path in tmp_path.rglob("*") if path not in before and path.is_file()}
    assert made
    assert all(path.is_relative_to(tmp_path / "deep" / "deeper" / "board") for path in made)
    plots = list((tmp_path / "deep" / "deeper" / "board" / "plots").iterdir())
    assert plots


PLUGIN = """
from pathlib import Path
Path({mark!r}).write_text("ran")
from frostbench.plugins import hookimpl
@hookimpl
def frostbench_metrics():
    return []
"""


@pytest.mark.parametrize(
    "words", [["verify"], ["score"], ["show"], ["leaderboard"], ["export", "format=eee,latex"]]
)
def test_no_code_that_a_run_names_is_run(folder, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mark = tmp_path / "ran"
    evil = folder / "evil.py"
    evil.write_text(PLUGIN.format(mark=str(mark)))
    change_manifest(folder, lambda m: m["config"].update(plugins=[str(evil)]))
    if words == ["score"]:  # of one metric that nobody but the plugin has
        change_manifest(folder, lambda m: m.update(tasks={}))
    code = main([*words, str(folder)])
    said = capsys.readouterr()
    assert not mark.exists()
    assert code == (2 if words == ["verify"] else 0)
    if words == ["verify"]:
        assert "this run used the plugin file evil.py" in said.err
        assert "give plugins=[evil.py]" in said.err


def test_a_run_s_metric_of_a_plugin_that_was_not_given_stays_and_is_told(folder, tmp_path, capsys):
    def with_metric(manifest):
        task = manifest["tasks"]["few_shot_classification"]
        manifest["metrics"] = {"own[x]": {**manifest["metrics"]["accuracy[exact]"], "id": "own[x]"}}
        manifest["tasks"] = {task["name"]: {**task, "metrics": ["own[x]"], "ranks_by": "own[x]"}}
        manifest["config"]["plugins"] = ["../somewhere/own.py"]

    change_manifest(folder, with_metric)
    assert main(["score", str(folder)]) == 1
    said = capsys.readouterr()
    assert "own[x]: left as it was" in said.out
    assert "this run used the plugin file own.py" in said.err


def test_a_stored_configuration_is_read_as_it_stands(folder, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    change_manifest(folder, lambda m: m["config"].update(pack="${oc.env:SECRET}"))
    assert config_of(open_run(folder)).pack == "${oc.env:SECRET}"
    change_manifest(folder, lambda m: m["config"].update(limit="many"))
    assert main(["verify", str(folder)]) == 2
    change_manifest(folder, lambda m: m["config"].update(limit=1, nothing=1))
    assert main(["verify", str(folder)]) == 2


def put(folder, suffix, content):
    """A blob under its true hash, which is returned: only its content is wrong."""
    name = hashlib.sha256(content).hexdigest()
    path = folder / name[:2] / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name


def npy(header, data=b""):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-4, -4), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 3, }",
        "{'descr': '<U900000000', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }",
        "__import__('os').system('true')",
        "(" * 110,
        "-" * 110,
    ],
)
def test_an_array_is_no_larger_than_its_file(tmp_path, header):
    name = put(tmp_path, ".npy", npy(header, b"\0" * 8))
    with pytest.raises(StoreError, match="cannot be read"):
        Blobs(tmp_path).array(name)


def test_an_array_of_no_numbers_is_refused(tmp_path):
    blobs = Blobs(tmp_path)
    with pytest.raises(StoreError, match="finite numbers"):
        blobs.array(blobs.put_array([1.0, np.nan]))


def test_an_image_is_of_a_size_that_somebody_means(tmp_path):
    file = tmp_path / "flood.webp"
    Pillow.new("L", (16_000, 16_000)).save(file, "WEBP", lossless=True)
    name = put(tmp_path / "blobs", ".webp", file.read_bytes())
    assert file.stat().st_size < 1 << 20
    with pytest.raises(StoreError, match="pixels"):
        Blobs(tmp_path / "blobs").image(name)


@pytest.mark.parametrize("content", [b"%!PS\n(x) run", b"GIF89a", b"", b"RIFF\xff\xff\xff\xffWEBP"])
def test_an_image_is_of_our_own_format(tmp_path, content):
    name = put(tmp_path, ".webp", content)
    with pytest.raises(StoreError, match="cannot be read"):
        Blobs(tmp_path).image(name)


@pytest.mark.parametrize(
    "encoded",
    [
        [{"size": [1 << 20, 1 << 20], "counts": "13"}],
        [{"size": [1 << 40, 2], "counts": "13"}],
        [{"size": [-2, -2], "counts": "13"}],
        [{"size": [2, 2], "counts": "oooooooo"}],
        [{"size": [2, 2], "counts": [1, 3]}],
        [{"size": [2], "counts": "13"}],
        [{"counts": "13"}],
        [{"size": [1 << 14, 1 << 14], "counts": "13"}] * 9,
        {"size": [2, 2], "counts": "13"},
        "masks",
        None,
    ],
)
def test_run_lengths_that_are_none_are_refused(encoded):
    with pytest.raises(ValueError, match=r"\S"):
        masks_of(encoded)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boxes", {"boxes": [[0, 0, 1]], "classes": ["a"], "scores": [1.0]}),
        ("boxes", {"boxes": [[0, 0, 1, float("nan")]], "classes": ["a"], "scores": [1.0]}),
        ("boxes", []),
        ("reasoned", [1, 2, 3]),
        ("reasoned", "box"),
        ("masks", {"a": 1}),
        ("image", None),
    ],
)
def test_a_blob_of_plain_values_is_what_its_kind_needs(tmp_path, kind, value):
    from frostbench.bench.store.records import Stored

    blobs = Blobs(tmp_path)
    stored = Stored(kind, blob=None if value is None else blobs.put_json(value))
    with pytest.raises((ValueError, StoreError), match=r"\S"):
        load_prediction(stored, blobs)


def test_parquet_of_other_columns_is_refused(folder):
    sealed = folder / "sealed"
    sealed.mkdir(exist_ok=True)
    table = table_of(open_run(folder).records()[:2])
    for name, column in (
        ("method", pa.array([1, 2])),
        ("scores", pa.array(["a", "b"])),
        ("prediction", pa.array([{"kind": 1}, {"kind": 2}])),
    ):
        place = SCHEMA.get_field_index(name)
        pq.write_table(table.set_column(place, name, column), sealed / "a.parquet")
        refused(folder, f"its column '{name}' is")
    pq.write_table(table.drop_columns(["sample"]), sealed / "a.parquet")
    refused(folder, "lacks 'sample'")
    (sealed / "a.parquet").write_bytes(b"PAR1" + b"\xff" * 40 + b"PAR1")
    refused(folder, "cannot be read")


def limited(code, *words, bytes_=6 << 30):
    """Python code in a process that may have so much memory; what it printed."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_))

    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=limit,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )


READ = """
import resource, sys
from pathlib import Path
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.atomic import StoreError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(len(open_run(Path(sys.argv[1])).records()))
except StoreError as error:
    print("refused:", error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, "MB")
"""


def test_a_flood_of_compressed_rows_takes_bounded_memory(folder):
    record = open_run(folder).records()[0]
    row = table_of([record])
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array(["x" * 2**20]))
    flood = pa.concat_tables([row] * 4000)
    place = SCHEMA.get_field_index("error")
    flood = flood.set_column(place, "error", text)
    (folder / "sealed").mkdir(exist_ok=True)
    path = folder / "sealed" / "flood.parquet"
    pq.write_table(flood, path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 1 << 20
    done = limited(READ, str(folder))
    assert "refused:" in done.stdout, (done.stdout, done.stderr)
    assert int(done.stdout.split()[-2]) < 1000


def test_a_five_megabyte_error_makes_a_small_board(folder, tmp_path):
    text = "x" * 5_000_000

    def fail(record):
        if record["method"] == "vqgan":
            record.update(status="failed", error=text, scores={}, features={})

    change_record(folder, fail, every=True)
    change_manifest(
        folder,
        lambda m: m.update(failures=[{"error": text, "method": "vqgan"}] * 3),
    )
    run = open_run(folder)
    write(build([run]), [run], tmp_path / "board")
    assert (tmp_path / "board" / "index.html").stat().st_size < 2_000_000
    assert (tmp_path / "board" / "leaderboard.md").stat().st_size < 200_000
    assert (tmp_path / "board" / "leaderboard.csv").stat().st_size < 200_000
    assert main(["show", str(folder)]) == 0
