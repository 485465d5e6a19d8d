"""What all tests of lmms-eval share."""

import lmms_files
import pytest


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """POPE, MME and AI2D in the layout in which they are published."""
    return lmms_files.folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def local(data, tmp_path_factory):
    """lmms-eval's own tasks over them, for --include_path."""
    return lmms_files.tasks(data, tmp_path_factory.mktemp("tasks"))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)
