"""A run is never told an old result for new code, weights, data or plugins."""

import json
import shutil
from pathlib import Path

import pytest
from pages import my_method

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.packs import embedded_pack

MINI = embedded_pack("mini")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """The documented method with its palette in a weights folder, and data outside of the pack."""
    plugin = my_method(tmp_path)
    text = plugin.read_text()
    text = text.replace(
        '        return cls(setup.backbones.get("llm"))',
        '        made = cls(setup.backbones.get("llm"))\n'
        '        path = setup.folder("mean_colours") / "palette.json"\n'
        "        made.palette = torch.tensor(__import__('json').loads(path.read_text()))\n"
        "        return made",
    )
    plugin.write_text(text)
    (tmp_path / "weights").mkdir()
    palette = [[r / 3, g / 3, b / 3] for r in range(3) for g in range(3) for b in range(3)]
    (tmp_path / "weights" / "palette.json").write_text(json.dumps(palette))
    shutil.copytree(MINI / "data", tmp_path / "data")
    pack = json.loads((MINI / "pack.json").read_text())
    for entry in pack["backbones"].values():
        entry["source"] = str(MINI / entry["source"])
    pack["data"] = dict.fromkeys(pack["data"], "../data")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "pack.json").write_text(json.dumps({**pack, "methods": {}}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


WORDS = [
    "run",
    "methods=mean_colours",
    "tasks=reconstruction",
    "limit=2",
    "controls=false",
    "quiet=true",
]
WORDS += ["pack=pack", "method.mean_colours.weights=weights", "cache=cache"]


def run(out, *words):
    return main([*WORDS, f"out={out}", *(words or ["plugins=my_method.py"])])


def last(out):
    """What the last process did: whether there was a forward of the tokenizer, and samples."""
    session = open_run(Path(out)).manifest.last_session
    return any(counts.forwards for counts in session.tokenizer.values()), session.samples


def scores(out):
    return sorted(
        record.scores["psnr[rgb]"] for record in open_run(Path(out)).records() if not record.control
    )


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


CHANGES = {
    "code": (
        lambda: edit(Path("my_method.py"), "argmin", "argmax"),
        "origins.method.mean_colours.code was",
    ),
    "weights": (
        lambda: edit(Path("weights/palette.json"), "[0.0,", "[0.5,"),
        "methods.mean_colours.weights.mean_colours/palette.json was",
    ),
    "data": (
        lambda: edit(Path("data/sources.json"), "{", "{ "),
        "data.restoration_pictures was",
    ),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_what_changed_is_noticed_and_what_did_not_is_not(world, capsys, changed):
    assert run("one") == 0
    assert last("one") == (True, 2)
    assert run("one") == 0, "nothing changed"
    assert last("one") == (False, 0)
    assert run("warm") == 0
    assert last("warm") == (False, 2), "the warm run does no vision forward"
    before = scores("one")
    assert scores("warm") == before
    change, said = CHANGES[changed]
    change()
    capsys.readouterr()
    assert run("one") == 2
    refused = capsys.readouterr().err
    assert said in refused
    assert "again=true" in refused
    assert refused.count("\n") == 1
    assert scores("one") == before
    assert run("new") == 0
    assert last("new") == (changed != "data", 2)
    assert run("one", "plugins=my_method.py", "again=true") == 0
    assert scores("one") == scores("new")
    makers = [{r.made_by for r in open_run(world / out).records()} for out in ("warm", "one")]
    assert not makers[0] & makers[1]
    if changed != "data":
        assert scores("new") != before


def test_another_version_of_a_plugin_is_noticed(world, capsys, monkeypatch):
    (world / "site").mkdir()
    shutil.move(world / "my_method.py", world / "site" / "outsiders_colours.py")
    monkeypatch.syspath_prepend(str(world / "site"))

    def install(version):
        for old in (world / "site").glob("*.dist-info"):
            shutil.rmtree(old)
        info = world / "site" / f"outsiders-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: outsiders\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text("[frostbench]\ncolours = outsiders_colours\n")

    install("1.0")
    assert run("one", "gallery=8") == 0
    assert run("one", "gallery=8") == 0
    assert last("one") == (False, 0)
    origin = open_run(world / "one").manifest.origins["method"]["mean_colours"]
    assert (origin.distribution, origin.version, origin.file) == ("outsiders", "1.0", "")
    install("1.1")
    capsys.readouterr()
    assert run("one", "gallery=8") == 2
    assert "version was '1.0' and is now '1.1'" in capsys.readouterr().err
    assert run("new", "gallery=8") == 0
    assert last("new") == (True, 2)
