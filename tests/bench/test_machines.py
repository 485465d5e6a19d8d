"""What a machine may lack, and what nobody can have meant: a sentence each."""

import errno
import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from light_plugin import pack, words
from rich.console import Console

from frostbench.bench.cli import main
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.lock import RunLock
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.remembered import remember_pack, remembered_packs
from frostbench.plugins.kit.new_plugin import write


@contextmanager
def nobody_reading(monkeypatch):
    """Standard output into a pipe that nobody reads any more."""
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "w") as out, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        yield


@pytest.mark.parametrize("words", [["list", "packs"], ["list", "packs", "--json"]])
def test_a_reader_that_leaves_ends_a_command_in_peace(monkeypatch, capsys, words):
    with nobody_reading(monkeypatch):
        assert main(words) == 0
    assert capsys.readouterr().err == ""


def test_a_reader_that_leaves_a_table_ends_a_command_in_peace(monkeypatch, capsys):
    def drawn(config):
        Console(file=sys.stdout).print("a table")

    monkeypatch.setattr("frostbench.bench.cli.listing.open_host", drawn)
    with nobody_reading(monkeypatch):
        assert main(["list", "packs"]) == 0
    assert capsys.readouterr().err == ""


def test_whoever_reads_no_errors_ends_no_work(tmp_path):
    command = [*words(pack(tmp_path / "pack")), "quiet=false"]
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "frostbench", *command], stderr=written)
    os.close(written)
    assert done.returncode == 0
    assert open_run(tmp_path / "run").manifest.status == "finished"


def test_a_pipe_that_broke_elsewhere_is_no_reader_that_left(monkeypatch, capsys):
    def broken(config):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("frostbench.bench.cli.listing.open_host", broken)
    assert main(["list", "packs"]) == 1
    assert "Broken pipe" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, number):
    def refuse(handle, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match=r"files cannot be locked in .* a folder elsewhere"):
        RunLock(tmp_path / "run").__enter__()


@pytest.fixture
def homeless(monkeypatch):
    """A user of whom the machine knows nothing."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", unknown)


def test_without_a_home_folder_nothing_is_remembered_and_it_is_said(homeless, tmp_path, capsys):
    assert remembered_packs() == {}
    with pytest.raises(ValueError, match="no home folder to remember packs in; set HOME"):
        remember_pack("own", tmp_path)
    assert main(["list", "packs"]) == 0
    capsys.readouterr()
    assert main(["run", "tasks=reconstruction", f"out={tmp_path / 'run'}", "limit=1"]) == 2
    assert "no home folder to keep what can be made again; set HOME" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "verify x", "train"])
@pytest.mark.parametrize("seed", ["-1", "99999999999999999999"])
def test_a_seed_is_one_for_every_generator(tmp_path, capsys, command, seed):
    assert main([*command.split(), f"seed={seed}"]) == 2
    assert f"frostbench: seed={seed}: at " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["json", "abc", "numpy", "torch", "xml"])
def test_a_new_plugin_hides_no_other_module(tmp_path, name):
    with pytest.raises(ValueError, match=f"`import {name}` is something else already"):
        write(name, tmp_path)
    assert not any(tmp_path.iterdir())
