"""Annotation files from somebody else: one sentence, and memory within bounds."""

import json
import pickle
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from frostbench.eval_suites.data.annotations import inside, read_json, read_lines
from frostbench.eval_suites.data.regions import mask_of
from frostbench.plugins.backbones.published import check_zip, read_array, read_pickle, read_torch

HUGE = b"\xff\xff\xff\x7f"
FOREVER = b"".join(
    [b"\x80\x02", b"K\x01\x85q\x00", *(b"h\x00h\x00\x86q\x00" for _ in range(60)), b"}h\x00NsN."]
)
"""A key of tuples of tuples, each twice in the next: its hash would take for ever."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x80\x02]r" + HUGE + b".", "has the number"),  # a table of two thousand million places
        (b"]p2000000000\n.", "has the number"),
        (b"\x80\x04" + b"}" * 2_000_000 + b".", "lists and mappings"),
        (b"\x80\x04" + b"\x8f" * 2_000_000 + b".", "EMPTY_SET"),
        (b"\x80\x04B" + HUGE + b"abc.", "."),  # bytes beyond the file's
        (b"\x80\x05\x96" + HUGE + b"\0\0\0\0abc.", "."),
        (b"\x80\x04X" + HUGE + b"abc.", "."),
        (b"\x80\x05\x8e" + b"\xff" * 7 + b"\x7fabc.", "."),
        (b"\x80\x04\x95" + b"\xff" * 8 + b"N.", "."),
        (b"(" * 1_000_000 + b".", "."),
        (b"]" + b"2" * 1000 + b".", "DUP"),
        (b"cos\nsystem\n(S'true'\ntR.", "GLOBAL"),
        (b"(ios\nsystem\n.", "INST"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"Pabc\n.", "PERSID"),
        (b"I" + b"9" * 100_000 + b"\n.", "."),
        (FOREVER, "names a tuple again"),
        (b"", "."),
        (b".", "."),
        (b"a.", "."),
    ],
)
def test_a_hostile_pickle_ends_in_a_sentence(tmp_path, content, said):
    with pytest.raises(ValueError, match=f"cannot be read as a pickle of plain values: .*{said}"):
        read_pickle(content, tmp_path / "refs(unc).p")


MEASURED = """
import resource, sys
from pathlib import Path
from frostbench.plugins.backbones.published import read_pickle
content = Path(sys.argv[1]).read_bytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_pickle(content, Path(sys.argv[1]))
except ValueError as error:
    print("refused")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.parametrize(
    "content", [b"\x80\x02]r" + HUGE + b".", b"\x80\x04" + b"}" * 10**7 + b"."]
)
def test_a_hostile_pickle_takes_bounded_memory(tmp_path, content):
    (tmp_path / "refs(unc).p").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, tmp_path / "refs(unc).p"],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)),
        check=False,
    )
    refused, megabytes = done.stdout.split()
    assert refused == "refused", done.stderr
    assert int(megabytes) < 100


def test_a_large_plain_pickle_is_read(tmp_path):
    value = [
        {"ann_id": n, "sentences": [{"sent": f"dog {n}", "tokens": []}]} for n in range(20_000)
    ]
    for protocol in (0, 2, 4):
        assert read_pickle(pickle.dumps(value, protocol), tmp_path / "p") == value


@pytest.mark.parametrize("content", ["[" * 100_000, "9" * 10_000, "{", "\ud800", ""])
def test_json_of_any_kind_ends_in_a_sentence(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(ValueError, match=r"a\.json"):
        read_json(path)
    if content:
        with pytest.raises(ValueError, match=r"a\.json|codec"):
            list(read_lines(path))


@pytest.mark.parametrize("name", ["../x.png", "/etc/passwd", "a/../../x", ".."])
def test_an_annotation_names_no_file_elsewhere(tmp_path, name):
    with pytest.raises(ValueError, match="leads out of"):
        inside(tmp_path, name, "here")
    assert inside(tmp_path, "a/b.png", "here") == tmp_path / "a/b.png"


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [1 << 30, 1 << 30], "counts": [1]},
        {"size": [1 << 30, 1 << 30], "counts": "13"},
        {"size": [4, 4], "counts": "oooooooo"},
        {"size": [4, 4], "counts": [1 << 40]},
        {"size": [4, 4], "counts": [-5, 21]},
        {"size": [4, 4], "counts": [1e300]},
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, float("nan"), 0, 1, 1]],
        [[0, 0, float("inf"), 0, 1, 1]],
        [[]],
        [[0, 0, 2, 2]],
        [[0, 0, 2, 0, 2, 2, 0]],
        [None],
        {"size": [4, 4], "counts": [100]},
        {"size": [4, 4], "counts": [2.5, 13.5]},
        {"size": [4, 4], "counts": [[16]]},
        {"size": "4", "counts": []},
    ],
)
def test_a_segmentation_of_absurd_size_draws_nothing(segmentation):
    with pytest.raises(ValueError, match="here: "):
        mask_of(segmentation, (4, 4), "here")


def test_an_archive_that_unpacks_to_many_times_its_size_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 100_000_000)
    with pytest.raises(ValueError, match="many times its size"):
        check_zip(tmp_path / "bomb.pt")
    with pytest.raises(ValueError, match="no checkpoint"):
        read_torch(tmp_path / "bomb.pt")


def test_a_tensor_that_shows_a_few_numbers_as_very_many_is_refused(tmp_path):
    torch.save({"w": torch.zeros(1).expand(1 << 15, 1 << 15)}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="too few numbers"):
        read_torch(tmp_path / "a.pt")
    torch.save({"w": [torch.zeros(2, 3)]}, tmp_path / "b.pt")
    assert torch.equal(read_torch(tmp_path / "b.pt")["w"][0], torch.zeros(2, 3))


def test_a_published_array_is_no_larger_than_its_file(tmp_path):
    np.save(tmp_path / "a.npy", np.array(["dog", "cat"]))
    assert read_array(tmp_path / "a.npy").tolist() == ["dog", "cat"]
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="promises"):
        read_array(tmp_path / "b.npy")
    content = (tmp_path / "a.npy").read_bytes().replace(b"(2,)", b"(2000000000,)")
    (tmp_path / "c.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"\S"):
        read_array(tmp_path / "c.npy")


def test_json_files_stay_what_they_were(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([1, {"a": None}]))
    assert read_json(tmp_path / "a.json") == [1, {"a": None}]
