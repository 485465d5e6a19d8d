"""Stored runs that are wrong, and file systems that do not do what is asked of them."""

import json
import os
import resource
import shutil
from contextlib import contextmanager

import bad_inputs
import light_plugin
import pytest
from bad_inputs import BLANK, LIGHT, Bad
from light_plugin import pack

from frostbench.bench.cli import main

RUN = f"run {LIGHT} methods=light,sinner tasks=light_naming limit=2 out=run"
GIVEN = f"plugins={light_plugin.PLUGIN}"
COMMANDS = ("show run", "leaderboard run out=board", f"score run {GIVEN}", f"verify run {GIVEN}")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A finished run beside its pack."""
    folder = tmp_path_factory.mktemp("sound")
    pack(folder / "light")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        assert main(RUN.split()) == 0
    return folder


def stored(change):
    """A change to the manifest: a text, or a function of its values."""

    def make(folder):
        path = folder / "run" / "manifest.json"
        if callable(change):
            values = json.loads(path.read_text())
            change(values)
            path.write_text(json.dumps(values))
        else:
            path.write_bytes(change)

    return make


def put(name, content):
    """Another content of a file of the run; None takes it away."""

    def make(folder):
        path = folder / "run" / name
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            path.unlink()
        if content is not None:
            path.write_bytes(content)

    return make


def instead(name, how):
    """Something that is no file, where a file should be."""

    def make(folder):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        match how:
            case "folder":
                path.mkdir()
            case "pipe":
                os.mkfifo(path)
            case "dangling":
                path.symlink_to("nowhere")
            case "circle":
                path.symlink_to(path)
            case "outside":
                (folder / "elsewhere").write_text("{}")
                path.symlink_to(folder / "elsewhere")

    return make


MANIFEST, SEALED = "run/manifest.json", "sealed/light_naming.parquet"
MANIFESTS = [
    (b"", "it is no JSON"),
    (b"{", "it is no JSON"),
    (b'{"status": "caf\xe9"}', "it is no text in UTF-8"),
    (b"[" * 100_000, "too deep"),
    (b"[]", "is no manifest"),
    (b"{}", "is no manifest"),
    (lambda values: values.pop("tasks"), "'tasks'"),
    (lambda values: values.update(schema=99), "schema is 99"),
    (lambda values: values.update(schema="x"), "schema is 'x'"),
    (lambda values: values.update(status="odd"), "status"),
    (lambda values: values.update(methods=[]), "methods"),
    (lambda values: values["tasks"]["light_naming"].update(metrics=["gone"]), "gone"),
    (lambda values: values["tasks"]["light_naming"].update(name="other"), "'other'"),
    (lambda values: values.update(seed="one"), "seed"),
    (lambda values: values["methods"]["light"].update(weights=3), "weights"),
]
DAMAGED = [
    Bad(words, (MANIFEST, said), make=stored(change))
    for number, (change, said) in enumerate(MANIFESTS)
    for words in (COMMANDS[number % 4], *([RUN] if number in (0, 7, 8) else []))
] + [
    *(Bad(words, ("no run at run",), make=put("manifest.json", None)) for words in COMMANDS),
    Bad(RUN, ("run holds samples and no manifest.json",), make=put("manifest.json", None)),
    *(
        Bad(words, (SEALED, "is not what was stored"), make=put(SEALED, b"PAR1"))
        for words in COMMANDS
    ),
    Bad("show run", ("samples/x.jsonl line 1", "no JSON"), make=put("samples/x.jsonl", b"{\n")),
    Bad("show run", ("samples/x.jsonl line 1", "'suite'"), make=put("samples/x.jsonl", b"{}\n")),
    Bad(
        "show run",
        ("samples/x.jsonl line 1", "no text"),
        make=put("samples/x.jsonl", b'{"suite": "\xff"}\n'),
    ),
    Bad(f"verify run {GIVEN}", ("config",), make=stored(lambda v: v["config"].update(odd=3))),
    Bad(f"verify run {GIVEN}", ("pack",), make=stored(lambda v: v["config"].update(pack="gone"))),
    Bad("verify run", ("plugins=[light_plugin.py]", "run/plugins keeps"), make=stored(lambda v: 0)),
    Bad("work run", ("plugins=[light_plugin.py]",), make=stored(lambda v: 0)),
    Bad(f"work run {GIVEN}", ("no process keeps the run in run",), make=stored(lambda v: 0)),
    Bad(f"parity run {GIVEN}", ("of no preset",), make=stored(lambda v: 0)),
    Bad(f"{RUN} limit=1", ("limit of light_naming was 2",), make=stored(lambda v: 0)),
    Bad(f"{RUN} seed=3", ("seed was 0 and is now 3",), make=stored(lambda v: 0)),
    Bad(
        f"{RUN} tasks=light_naming methods=light",
        ("another configuration", "sinner"),
        make=stored(lambda v: 0),
    ),
    Bad(
        RUN, ("versions.torch",), make=stored(lambda v: v["identity"]["versions"].update(torch="1"))
    ),
    Bad(RUN, ("older frostbench",), make=stored(lambda v: v["identity"].pop("versions"))),
]
NO_FILE = [
    *(Bad("show run", (MANIFEST,), make=instead(MANIFEST, how)) for how in ("folder", "pipe")),
    Bad("show run", ("no run at run",), make=instead(MANIFEST, "dangling")),
    Bad("show run", (MANIFEST, "link"), make=instead(MANIFEST, "outside")),
    Bad("show run", (MANIFEST,), make=instead(MANIFEST, "circle")),
    *(
        Bad("show run", (f"run/{SEALED}",), make=instead(f"run/{SEALED}", how))
        for how in ("folder", "pipe", "outside")
    ),
    Bad(RUN, ("run/samples", "link"), make=instead("run/samples", "outside")),
    Bad(f"{RUN} out=other", ("other",), make=instead("other", "pipe")),
    Bad(f"{RUN} out=other", ("other",), make=instead("other", "dangling")),
    Bad(f"{RUN} out=other", ("other",), make=instead("other", "circle")),
    Bad(f"{RUN} out=other", ("run.lock",), make=instead("other/run.lock", "folder")),
    Bad(f"{RUN} out=other", ("run.lock",), make=instead("other/run.lock", "outside")),
    Bad(f"{RUN} out=/proc/here", ("/proc/here",), make=stored(lambda v: 0)),
    Bad(f"{RUN} out=/sys/here", ("/sys/here",), make=stored(lambda v: 0)),
    Bad(f"{RUN} out=/dev/null", ("/dev/null",), make=stored(lambda v: 0)),
    Bad("leaderboard run out=/proc/here", ("/proc/here",), make=stored(lambda v: 0)),
    Bad("leaderboard run out=board", ("board",), make=instead("board", "pipe")),
    Bad("leaderboard run out=light", ("light holds something else",), make=stored(lambda v: 0)),
    Bad("look scene:1 out=/proc/here.html", ("/proc/here.html",), make=stored(lambda v: 0)),
    Bad("look pipe", ("pipe",), make=instead("pipe", "pipe")),
    Bad("new-plugin mine out=/proc", ("/proc",), make=stored(lambda v: 0)),
    Bad(f"{RUN} config=pipe", ("config=pipe",), make=instead("pipe", "pipe")),
    Bad(f"{RUN} plugins=mine.py", ("mine.py",), make=instead("mine.py", "pipe")),
    Bad(f"{RUN} plugins=mine.py", ("mine.py",), make=instead("mine.py", "dangling")),
    Bad(f"{RUN} pack=other", ("other",), make=instead("other/pack.json", "folder")),
    Bad(f"{RUN} pack=other", ("other",), make=instead("other/pack.json", "pipe")),
    Bad(f"run {BLANK} tasks=reconstruction data.images=own", ("own",), make=instead("own", "pipe")),
    Bad("data images own", ("own",), make=instead("own", "dangling")),
    Bad(
        f"run {BLANK} tasks=captioning data.captions=own",
        ("own/captions.csv",),
        make=instead("own/captions.csv", "pipe"),
    ),
    Bad("convert vqgan pipe out=x", ("pipe",), make=instead("pipe", "pipe")),
]


@pytest.mark.parametrize("bad", [*DAMAGED, *NO_FILE], ids=str)
def test_a_wrong_run_or_place_is_refused_in_one_sentence(sound, bad, tmp_path, monkeypatch, capsys):
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bad_inputs.ended(bad, tmp_path, capsys)


FULL = [
    Bad(RUN.replace("out=run", "out=other"), ("no room to write other/", "free some space"), 1),
    Bad("leaderboard run out=board", ("no room to write board",), 1),
    Bad(f"score run {GIVEN}", ("no room to write run/sealed/",), 1),
    Bad("new-plugin mine", ("mine",), 1),
]


@contextmanager
def full(most):
    """No file may be larger, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("bad", FULL, ids=str)
def test_a_full_disk_is_told_in_one_sentence_and_leaves_nothing_half(
    sound, bad, tmp_path, monkeypatch, capsys
):
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["show", "run"]) == 0
    shown = capsys.readouterr().out
    with full(300):
        bad_inputs.ended(bad, tmp_path, capsys)
    assert main(["show", "run"]) == 0
    assert capsys.readouterr().out == shown
    assert not (tmp_path / "board").exists()
    assert not list(tmp_path.rglob("*.tmp"))
    assert main([*bad.words.split()]) == 0  # with room, the same command goes on
