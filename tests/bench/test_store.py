import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from stored_records import RECORDS, record

from frostbench.bench.store import lines
from frostbench.bench.store.atomic import (
    StoreError,
    StoreFullError,
    sweep_dead,
    write_whole,
    writing,
)
from frostbench.bench.store.blobs import Blobs, rounded
from frostbench.bench.store.lock import RunLock
from frostbench.bench.store.masks import masks_of, run_lengths
from frostbench.bench.store.reader import open_run, read_records
from frostbench.bench.store.records import Stored
from frostbench.bench.store.sealed import read_sealed, write_sealed
from frostbench.bench.store.values import (
    as_stored,
    load_prediction,
    load_target,
    store_prediction,
    store_target,
)
from frostbench.bench.store.writer import RunWriter
from frostbench.plugins import (
    Boxes,
    Image,
    ImagePrediction,
    Instances,
    Masks,
    Reasoned,
    TextPrediction,
    Thing,
)
from frostbench.plugins.contract.task import TrueAnswer, TrueBoxes, TrueMasks, TrueThings


@settings(max_examples=25)
@given(records=st.lists(RECORDS, max_size=4))
def test_records_come_back_from_lines_and_from_parquet_as_they_were(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("records")
    lines.append_lines(folder / "0.jsonl", records)
    write_sealed(folder / "x.parquet", records)
    assert lines.read_lines(folder / "0.jsonl") == records
    assert read_sealed(folder / "x.parquet") == records


@pytest.mark.parametrize("since", ["counts", "matches"])
def test_runs_of_before_there_were_counts_or_matches_are_read(tmp_path, since):
    lines.append_lines(tmp_path / "0.jsonl", [record()])
    (line,) = (tmp_path / "0.jsonl").read_text().splitlines()
    older = {key: value for key, value in json.loads(line).items() if key != since}
    (tmp_path / "0.jsonl").write_text(json.dumps(older) + "\n")
    assert lines.read_lines(tmp_path / "0.jsonl") == [record()]
    write_sealed(tmp_path / "x.parquet", [record()])
    table = pq.read_table(tmp_path / "x.parquet").drop_columns([since])
    pq.write_table(table, tmp_path / "x.parquet")
    (tmp_path / "x.sha256").unlink()  # those runs have no digest either
    assert read_sealed(tmp_path / "x.parquet") == [record()]


def _as_pipe(path):
    path.unlink()
    os.mkfifo(path)


def _with_a_wrong_field(path):
    path.with_suffix(".sha256").unlink()
    table = pq.read_table(path)
    odd = pa.array(["odd"] * len(table))
    pq.write_table(table.set_column(table.schema.get_field_index("status"), "status", odd), path)


@pytest.mark.parametrize("damage", [_as_pipe, _with_a_wrong_field, lambda p: p.write_text("x")])
def test_a_sealed_file_that_cannot_be_read_is_set_aside_whatever_it_is(tmp_path, damage):
    path = tmp_path / "sealed" / "x.parquet"
    writer = RunWriter(tmp_path)
    path.parent.mkdir()
    write_sealed(path, [record()])
    damage(path)
    assert writer.set_damaged_aside() == [path]
    assert writer.records() == []


@pytest.mark.parametrize("kept", [1, 10, 40])
def test_a_torn_last_line_is_dropped_and_the_next_line_is_whole(tmp_path, kept):
    writer = RunWriter(tmp_path)
    writer.append([record("0"), record("1")])
    (path,) = (tmp_path / "samples").glob("*.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])
    assert [one.sample for one in read_records(tmp_path)] == ["0", "1"]
    RunWriter(tmp_path).append([record("2")])
    assert [one.sample for one in read_records(tmp_path)] == ["0", "1", "2"]


def test_a_damaged_line_that_was_finished_is_named(tmp_path):
    writer = RunWriter(tmp_path)
    writer.append([record("0"), record("1")])
    (path,) = (tmp_path / "samples").glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"suite"', b'"sui', 1))
    with pytest.raises(StoreError, match=r"jsonl line 1 is damaged; delete that line"):
        writer.records()


def test_a_sample_that_is_sealed_and_still_in_the_lines_is_read_once(tmp_path):
    writer = RunWriter(tmp_path)
    writer.append([record("1"), record("0")])
    (path,) = (tmp_path / "samples").glob("*.jsonl")
    content = path.read_bytes()
    writer.seal("naming", None, ["0", "1"])
    assert not path.exists()
    path.write_bytes(content)  # as if killed before they were dropped
    assert [one.sample for one in writer.records()] == ["0", "1"]


def test_a_run_is_read_whole_while_its_lines_are_sealed(tmp_path, monkeypatch):
    writer = RunWriter(tmp_path)
    writer.append([record("0")])
    real = lines.read_lines

    def sealed_first(path):
        monkeypatch.setattr("frostbench.bench.store.reader.read_lines", real)
        writer.seal("naming", None, ["0"])
        return real(path)

    monkeypatch.setattr("frostbench.bench.store.reader.read_lines", sealed_first)
    assert [one.sample for one in read_records(tmp_path)] == ["0"]


def test_a_run_is_read_whole_while_one_of_two_protocols_is_sealed(tmp_path, monkeypatch):
    writer = RunWriter(tmp_path)
    writer.append([record("0", protocol="one"), record("0", protocol="two")])
    real = lines.read_lines

    def sealed_first(path):
        monkeypatch.setattr("frostbench.bench.store.reader.read_lines", real)
        writer.seal("naming", "one", ["0"])  # the lines of the other stay, in another file
        return real(path)

    monkeypatch.setattr("frostbench.bench.store.reader.read_lines", sealed_first)
    assert {one.protocol for one in read_records(tmp_path)} == {"one", "two"}


def test_what_is_sealed_between_two_looks_is_seen(tmp_path, monkeypatch):
    writer = RunWriter(tmp_path)
    writer.append([record("0")])
    real, looks = Path.glob, []

    def sealed_in_between(self, pattern):
        found = list(real(self, pattern))
        looks.append(pattern)
        if len(looks) == 1:
            writer.seal("naming", None, ["0"])
        return iter(found)

    monkeypatch.setattr(Path, "glob", sealed_in_between)
    assert [one.sample for one in read_records(tmp_path)] == ["0"]


def test_a_temporary_that_is_put_in_its_place_meanwhile_harms_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([tmp_path / ".gone.1.tmp"]))
    sweep_dead(tmp_path)


def test_sealing_again_adds_what_came_later(tmp_path):
    writer = RunWriter(tmp_path)
    writer.append([record("1")])
    writer.seal("naming", None, ["1"])
    writer.append([record("0"), record("0", task="other")])
    writer.seal("naming", None, ["0", "1"])
    sealed = read_sealed(tmp_path / "sealed" / "naming.parquet")
    assert [one.sample for one in sealed] == ["0", "1"]
    (path,) = (tmp_path / "samples").glob("*.jsonl")
    assert [one.task for one in lines.read_lines(path)] == ["other"]


def test_leftovers_of_a_killed_process_are_swept_and_strangers_files_are_not(tmp_path):
    left = [".manifest.json.1.tmp", "samples/.0.jsonl.1.tmp", "blobs/ab/.ab.webp.1.tmp"]
    for name in [*left, "mine/.other.1.tmp"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    RunWriter(tmp_path)
    assert not any((tmp_path / name).exists() for name in left)
    assert (tmp_path / "mine/.other.1.tmp").exists()


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFullError, match=r"no room to write .*a \(No space left on device\)"):
        write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_the_operating_system_says_becomes_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot write .*below: .*(Not a directory|File exists)"):
        write_whole(tmp_path / "file" / "below", b"x")
    with pytest.raises(StoreError, match="cannot write"), writing(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


@settings(max_examples=25)
@given(levels=st.lists(st.integers(0, 255), min_size=12, max_size=12))
def test_a_image_of_8_bits_comes_back_exactly(tmp_path_factory, levels):
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    pixels = torch.tensor(levels).reshape(3, 2, 2).float() / 255
    name = blobs.put_image(pixels)
    assert torch.equal(blobs.pixels(name), pixels)
    assert blobs.put_image(pixels) == name
    assert blobs.intact(name)


@settings(max_examples=25)
@given(values=st.lists(st.floats(-0.5, 1.5), min_size=12, max_size=12))
def test_what_is_scored_is_what_comes_back(tmp_path_factory, values):
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    pixels = torch.tensor(values).reshape(3, 2, 2)
    assert torch.equal(blobs.pixels(blobs.put_image(pixels)), rounded(pixels))


def test_a_blob_cut_short_is_not_intact_and_is_written_again(tmp_path):
    blobs = Blobs(tmp_path)
    name = blobs.put_array(np.arange(5))
    content = blobs.path(name).read_bytes()
    blobs.path(name).write_bytes(content[:-3])
    assert not blobs.intact(name)
    assert blobs.put_array(np.arange(5)) == name
    assert blobs.array(name).tolist() == [0, 1, 2, 3, 4]


def test_a_blob_that_is_not_there_is_said(tmp_path):
    with pytest.raises(LookupError, match="no blob abc"):
        Blobs(tmp_path).path("abc")


@settings(max_examples=25)
@given(rows=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_masks_come_back_from_their_run_lengths(rows):
    masks = torch.tensor([rows, rows[::-1]])
    encoded = run_lengths(masks)
    assert torch.equal(masks_of(encoded), masks)
    assert coco.area(list(encoded)).tolist() == masks.sum((1, 2)).tolist()
    assert json.loads(json.dumps(encoded)) == encoded


def test_no_masks_are_no_run_lengths():
    assert run_lengths(torch.zeros(0, 4, 5, dtype=torch.bool)) == []
    assert masks_of([]).shape == (0, 1, 1)


def test_masks_of_several_sizes_are_not_those_of_one_image():
    one, two = (run_lengths(torch.ones(1, 2, side, dtype=torch.bool)) for side in (2, 3))
    with pytest.raises(ValueError, match="have sizes"):
        masks_of(one + two)


def test_every_kind_of_prediction_comes_back(tmp_path):
    blobs = Blobs(tmp_path)
    masks = torch.tensor([[[True, False]], [[False, False]]])
    boxes = Boxes(torch.tensor([[0.0, 0.5, 2, 3]]), ("lion",), torch.tensor([0.25]))
    for prediction in (
        TextPrediction("a\nb"),
        ImagePrediction(torch.ones(3, 2, 2)),
        Masks(masks),
        Reasoned("a cat", (0.0, 1.0, 2.5, 3.0)),
        Reasoned(""),
    ):
        back = load_prediction(store_prediction(prediction, blobs), blobs)
        for name, value in vars(prediction).items():
            same = getattr(back, name)
            assert torch.equal(same, value) if isinstance(value, torch.Tensor) else same == value
    back = load_prediction(store_prediction(boxes, blobs), blobs)
    assert isinstance(back, Boxes)
    assert torch.equal(back.boxes, boxes.boxes)
    assert (back.classes, back.scores.tolist()) == (("lion",), [0.25])
    assert load_prediction(Stored("none"), blobs) is None


def test_true_masks_come_back_with_the_kinds_of_their_phrases(tmp_path):
    blobs = Blobs(tmp_path)
    target = TrueMasks(torch.eye(3, dtype=torch.bool)[None], (("thing", "plural"),))
    back = load_target(store_target(target, blobs), blobs)
    assert isinstance(back, TrueMasks)
    assert torch.equal(back.masks, target.masks)
    assert back.kinds == target.kinds


@pytest.mark.parametrize("count", [0, 2])
def test_instances_come_back_with_their_classes_and_scores(tmp_path, count):
    blobs = Blobs(tmp_path)
    masks = torch.eye(3, dtype=torch.bool).expand(count, 3, 3).clone()
    made = as_stored(Instances(masks, ("cat", "owl")[:count], torch.rand(count).double()))
    back = load_prediction(store_prediction(made, blobs), blobs)
    assert isinstance(back, Instances)
    assert back.classes == made.classes
    assert torch.equal(back.scores, made.scores)
    assert count == len(back.masks)
    assert not count or torch.equal(back.masks, masks)


def test_true_things_and_boxes_come_back_as_they_were(tmp_path):
    blobs = Blobs(tmp_path)
    mask = torch.eye(3, dtype=torch.bool)
    things = (
        Thing("cat", (0.1, 0.2, 3.0, 2.5), 3.5, mask),
        Thing("owl", (0.0, 0.0, 1.0, 1.0), 1.0, None, crowd=True),
    )
    back = load_target(store_target(TrueThings(things, things[1:]), blobs), blobs)
    assert isinstance(back, TrueThings)
    assert [(x.name, x.box, x.area, x.crowd) for x in back.things] == [
        (x.name, x.box, x.area, x.crowd) for x in things
    ]
    assert torch.equal(back.things[0].mask, mask)
    assert back.things[1].mask is None
    assert [x.name for x in back.unasked] == ["owl"]
    boxes = TrueBoxes(((0.5, 1.0, 2.0, 3.0), (0.0, 0.0, 1.0, 1.0)))
    assert load_target(store_target(boxes, blobs), blobs) == boxes


def test_masks_have_kinds_all_or_none():
    with pytest.raises(ValueError, match="1 masks have the kinds of 2"):
        TrueMasks(torch.ones(1, 2, 2, dtype=torch.bool), (("thing",), ("stuff",)))


@pytest.mark.parametrize(
    "target",
    ["a lion", ("a lion", "lion"), "", TrueAnswer(("cat", "a cat"), (0.0, 0.0, 4.0, 2.5))],
)
def test_targets_of_text_come_back(tmp_path, target):
    blobs = Blobs(tmp_path)
    assert load_target(store_target(target, blobs), blobs) == target


def test_a_target_image_comes_back(tmp_path):
    blobs = Blobs(tmp_path)
    image = Image(torch.full((3, 2, 2), 0.2))
    assert load_target(store_target(image, blobs), blobs) == image


def test_a_folder_in_use_names_the_process_and_a_dead_one_is_taken_over(tmp_path):
    code = (
        "import os, sys, signal; from pathlib import Path;"
        "from frostbench.bench.store.lock import RunLock;"
        "RunLock(Path(sys.argv[1])).__enter__();"
        "print(os.getpid(), flush=True); sys.stdin.read(1); os.kill(os.getpid(), signal.SIGKILL)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    with child:
        assert child.stdout is not None
        pid = child.stdout.readline().strip()
        with pytest.raises(StoreError, match=f"in use by process {pid}"), RunLock(tmp_path):
            pass
        child.communicate("x")
    with RunLock(tmp_path):
        assert (tmp_path / "run.lock").read_text() == f"{os.getpid()} {os.getppid()}\n"
    with RunLock(tmp_path):
        pass


def test_a_lock_that_a_dying_process_inherited_is_waited_for(tmp_path):
    """As of a worker that is killed with its run, and a moment later."""
    code = (
        "import os, sys, time; from pathlib import Path;"
        "from frostbench.bench.store.lock import RunLock;"
        "RunLock(Path(sys.argv[1])).__enter__();"
        "os.fork() or (time.sleep(0.5), os._exit(0)); os._exit(0)"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    with RunLock(tmp_path):
        pass


def test_reading_where_there_is_no_run_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"no run at .*: a run is a folder with a manifest.json"):
        open_run(tmp_path / "nowhere")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        open_run(tmp_path)


def test_a_sealed_file_that_is_cut_short_is_named(tmp_path):
    writer = RunWriter(tmp_path)
    writer.append([record()])
    writer.seal("naming", None, ["0"])
    path = tmp_path / "sealed" / "naming.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"naming.parquet cannot be read .*delete it"):
        writer.records()


def test_a_line_is_plain_json(tmp_path):
    RunWriter(tmp_path).append([record("é")])
    line = json.loads(next((tmp_path / "samples").glob("*.jsonl")).read_text())
    assert (line["sample"], line["method"], line["scores"]) == ("é", "v2l", {"a": 1.0})
