"""Stored files with anything changed in them: each is read, or refused in one sentence."""

import contextlib
import hashlib
import io
import json
import pickle
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.masks import masks_of
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.sealed import write_sealed
from frostbench.plugins.backbones.published import read_pickle

VALUES = (
    *(None, True, -1, 1 << 70, 1e308, float("nan"), float("-inf"), "", "x" * 70, "../../x", "\0"),
    *([], {}, [[]], {"": None}, [None] * 3, {"a": {"b": {"c": []}}}, "\ud800", "1", 0, 0.5),
)


def bent(content: bytes, draw: random.Random) -> bytes:
    """The bytes with some changed, taken out, doubled or cut off."""
    made = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        at = draw.randrange(len(made) + 1)
        far = at + draw.choice((1, 4, 64))
        match draw.randrange(5):
            case 0:
                made[at:far] = draw.randbytes(far - at)
            case 1:
                del made[at:far]
            case 2:
                made[at:at] = made[at:far] * draw.choice((1, 3))
            case 3 if len(made) > 8:
                del made[at:]
            case _:
                made[at : at + 1] = draw.choice((b"\0", b"\xff", b"\x7f", b"-", b"9", b"[", b'"'))
    return bytes(made)


def twisted(value, draw: random.Random):
    """Plain values with one part replaced, renamed or taken out."""
    places = []

    def walk(node):
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list) and node[key]:
                walk(node[key])

    value = json.loads(json.dumps(value))
    walk(value)
    node, key = draw.choice(places)
    if draw.random() < 0.2 and isinstance(node, dict):
        node[draw.choice(("", "x", "../x", key * 3))] = node.pop(key)
    elif draw.random() < 0.1:
        del node[key]
    else:
        node[key] = draw.choice(VALUES)
    return value


def read(folder: Path) -> None:
    try:
        open_run(folder).records()
    except StoreError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
    assert len(said) < 3000


@pytest.fixture(scope="module")
def small(synthetic, tmp_path_factory):
    """A run of one sample a row, and a folder of it whose files may be changed."""
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    source = synthetic(samples=1).folder
    (folder / "samples").mkdir(parents=True)
    shutil.copy(source / "manifest.json", folder)
    lines = next((source / "samples").glob("*.jsonl")).read_bytes().splitlines(keepends=True)
    (folder / "samples" / "0.jsonl").write_bytes(b"".join(lines[-2:]))
    return folder


@pytest.mark.parametrize("name", ["manifest.json", "samples/0.jsonl"])
def test_a_manifest_or_record_of_any_content(small, name):
    draw = random.Random(name)
    path = small / name
    kept = path.read_bytes()
    first = json.loads(kept if name == "manifest.json" else kept.splitlines()[0])
    for turn in range(160):
        path.write_bytes(
            bent(kept, draw) if turn % 2 else json.dumps(twisted(first, draw)).encode() + b"\n"
        )
        read(small)
    path.write_bytes(kept)


def test_a_sealed_file_of_any_content(small):
    draw = random.Random(0)
    path = small / "sealed" / "a.parquet"
    path.parent.mkdir(exist_ok=True)
    write_sealed(path, open_run(small).records())
    kept = path.read_bytes()
    for _ in range(120):
        path.write_bytes(bent(kept, draw))
        read(small)
    shutil.rmtree(path.parent)


def test_an_array_of_any_content(tmp_path):
    draw = random.Random(0)
    buffer = io.BytesIO()
    np.save(buffer, np.ones((3, 4), np.float32))
    for _ in range(300):
        content = bent(buffer.getvalue(), draw)
        name = hashlib.sha256(content).hexdigest()
        path = tmp_path / name[:2] / f"{name}.npy"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        with contextlib.suppress(StoreError):
            assert np.isfinite(Blobs(tmp_path).array(name)).all()


def test_masks_of_any_content():
    draw = random.Random(0)
    plain = [{"size": [4, 3], "counts": "13"}, {"size": [4, 3], "counts": "0<"}]
    for turn in range(400):
        counts = "".join(chr(draw.randrange(40, 120)) for _ in range(draw.randrange(12)))
        given = twisted(plain, draw) if turn % 2 else [{"size": [4, 3], "counts": counts}]
        with contextlib.suppress(ValueError):
            assert masks_of(given).shape[0] == len(given)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_of_any_content(tmp_path, protocol):
    draw = random.Random(protocol)
    kept = pickle.dumps([{"ann_id": 1, "sentences": [{"sent": "dog", "n": 2.5}] * 2}], protocol)
    for _ in range(400):
        with contextlib.suppress(ValueError):
            read_pickle(bent(kept, draw), tmp_path / "refs(unc).p")
