import os
import time

import pytest

from frostbench.bench.store.hashes import Hashes
from frostbench.plugins.host.packs import digest_of_files


@pytest.fixture
def folder(tmp_path):
    """Three files that were written long ago, one of them behind a link."""
    place = tmp_path / "data"
    (place / "deep").mkdir(parents=True)
    for name in ("a", "deep/b", "../c"):
        (place / name).write_text(name)
    (place / "link").symlink_to(tmp_path / "c")
    return place


def settled(monkeypatch):
    """Let all files be old enough to be remembered."""
    now = time.time()
    monkeypatch.setattr("frostbench.bench.store.hashes.time.time", lambda: now + 100)


def test_a_second_time_no_file_is_read(folder, tmp_path, monkeypatch):
    settled(monkeypatch)
    first, second = Hashes(tmp_path / "cache"), Hashes(tmp_path / "cache")
    assert first.of(folder) == second.of(folder) == digest_of_files(folder)
    assert (first.read, second.read) == (3, 0)


@pytest.mark.parametrize("name", ["a", "deep/b", "link"])
def test_a_changed_file_is_read_again_though_its_size_and_time_are_the_same(
    folder, tmp_path, name, monkeypatch
):
    settled(monkeypatch)
    hashes = Hashes(tmp_path / "cache")
    before, times = hashes.of(folder), os.stat(folder / name)
    text = (folder / name).read_text()
    (folder / name).write_text(text.upper())
    os.utime(folder / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    hashes.read = 0
    assert hashes.of(folder) != before
    assert hashes.read == 1
    assert hashes.of(folder) == digest_of_files(folder)


def test_what_was_written_just_now_is_not_remembered(folder, tmp_path):
    hashes = Hashes(tmp_path / "cache")
    hashes.of(folder)
    hashes.of(folder)
    assert hashes.read == 6


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b'{"a": [1]}'])
def test_a_damaged_memory_is_made_anew(folder, tmp_path, content, monkeypatch):
    settled(monkeypatch)
    cache = tmp_path / "cache"
    Hashes(cache).of(folder)
    (kept,) = cache.iterdir()
    kept.write_bytes(content)
    hashes = Hashes(cache)
    assert hashes.of(folder) == digest_of_files(folder)
    assert hashes.read == 3
    assert Hashes(cache).of(folder) == digest_of_files(folder)


def test_without_a_place_to_write_everything_is_read(folder, tmp_path, monkeypatch):
    settled(monkeypatch)
    (tmp_path / "file").write_text("")
    hashes = Hashes(tmp_path / "file" / "cache")
    assert hashes.of(folder) == hashes.of(folder) == digest_of_files(folder)
    assert hashes.read == 6
