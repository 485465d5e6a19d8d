import shutil
from pathlib import Path

import pytest

from frostbench.plugins.host import packs
from frostbench.plugins.host.identity import code_identity, named_files, token_key
from frostbench.plugins.host.sources import Sources

MODULE = """
import json, torch
from . import near
from .far.deep import thing as renamed

def late():
    import importlib
    from PIL import Image
    return importlib.import_module("strangers_world.dynamic"), open("palette.txt")
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package outside of installed ones, `strangers_world`, that nothing has imported."""
    root = tmp_path / "strangers_world"
    (root / "far").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "method.py": MODULE,
        "near.py": "from strangers_world.far import *\n",
        "far/__init__.py": "",
        "far/deep.py": "import frostbench.plugins.contract.cards\nthing = 1\n",
        "dynamic.py": "",
        "palette.txt": "blue",
        "unrelated.py": "",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return root


def found():
    return Sources().of("strangers_world.method:Method")


def test_what_a_module_imports_is_found_wherever_it_stands(package):
    parts = found()
    ours = {name.removeprefix("strangers_world") for name in parts if "strangers" in name}
    modules = {"", ".method", ".near", ".far", ".far.deep", ".dynamic"}
    assert ours == modules | {".method/palette.txt"}
    assert parts["torch"].startswith("torch 2")
    assert parts["PIL"].startswith("pillow ")
    # The checkout that is tested is not installed; a wheel of it would be one version.
    assert any(name.startswith("frostbench") for name in parts)
    assert not {"json", "importlib"} & set(parts)


@pytest.mark.parametrize("file", ["method.py", "far/deep.py", "dynamic.py", "palette.txt"])
def test_any_file_that_counts_changes_the_sources_and_no_other_does(package, file):
    before = found()
    (package / "unrelated.py").write_text("changed = True")
    assert found() == before
    with (package / file).open("a") as opened:
        opened.write("#")
    assert found() != before


def test_of_a_package_that_is_installed_its_own_sources_count_and_others_versions(
    package, tmp_path, monkeypatch
):
    site = tmp_path / "lib" / "site-packages"
    shutil.copytree(package, site / "strangers_world")
    shutil.copytree(package, site / "installed_helper")
    monkeypatch.syspath_prepend(str(site))
    with (site / "strangers_world" / "near.py").open("a") as opened:
        opened.write("import installed_helper.far.deep\n")
    info = site / "installed_helper-3.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-helper\nVersion: 3.2\n")
    parts = found()
    assert parts["installed_helper"] == "installed_helper 3.2"
    assert "installed_helper.far" not in parts
    assert "strangers_world.far.deep" in parts


def test_a_module_that_cannot_be_parsed_or_found_is_no_error(package):
    (package / "near.py").write_text("def (")
    assert "strangers_world.near" in found()
    assert Sources().of("no_such_package.method:X") == {}
    assert Sources().of(int) == {}


def test_a_fingerprint_adds_to_what_was_found_and_never_replaces_it():
    one, two = "ab" * 16, "cd" * 16
    assert len({token_key(print_, made) for print_ in (one, two) for made in ("x", "y")}) == 4


def test_settings_that_name_files_count_by_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("red")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("1")
    settings = {"words": "words.txt", "deep": {"many": ["folder", 3]}, "lead": ".", "way": "mean"}
    before = named_files(settings, "method.m")
    assert set(before) == {"method.m.words", "method.m.deep.many.0"}
    (tmp_path / "folder" / "a").write_text("2")
    after = named_files(settings, "method.m")
    assert before["method.m.words"] == after["method.m.words"]
    identities = {code_identity({}, files, settings) for files in (before, after)}
    assert len(identities) == 2


@pytest.mark.parametrize("place", ["/", "/proc", "/proc/self/root", "/dev/zero", "/sys/kernel"])
def test_what_has_no_end_is_not_read(place):
    with pytest.raises(ValueError, match="is the system's own"):
        packs.digests(Path(place))


def test_a_setting_that_names_it_is_refused():
    with pytest.raises(ValueError, match="is the system's own"):
        named_files({"words": "/dev/zero"}, "method.m")


def test_a_folder_of_too_many_files_is_refused_before_one_is_read(tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(packs, "MOST_FILES", 3)
    assert named_files({"words": str(tmp_path)}, "m")
    monkeypatch.setattr(packs, "MOST_FILES", 2)
    with pytest.raises(ValueError, match="more than 2 files"):
        packs.digests(tmp_path, of_file=lambda path: pytest.fail(f"{path} was read"))
