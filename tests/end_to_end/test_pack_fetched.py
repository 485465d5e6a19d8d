"""What `frostbench pack NAME root= fetch=true` downloads, from a local stand-in of the Hub."""

import builtins
import hashlib
import json
import sys

import pytest
from hub_stand_in import COMMIT, StandIn

from frostbench.bench.cli import main
from frostbench.bench.store.hashes import Hashes

REPO = "org/tiny-lm"
WEIGHTS = bytes(range(256)) * 8
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "other.bin": b"other"}
PLUGIN = """
from pathlib import Path
from frostbench.plugins import PackCard, hookimpl

@hookimpl
def frostbench_packs():
    return [PackCard("small", "", "a small pack", str(Path(__file__).with_name("files.yaml")))]
"""
PARTS = """
llm:
  role: backbone
  kind: causal_lm
  files: {{folder: [tiny-lm]}}
  hub: {{repo: org/tiny-lm, folder: tiny-lm, files: [config.json, model.safetensors]}}
  source: huggingface.co/org/tiny-lm
  licence: MIT
mlm:
  role: backbone
  kind: masked_lm
  files: {{folder: [tiny-mlm]}}
  hub: {{repo: org/tiny-mlm, revision: {commit}, folder: tiny-mlm, files: [config.json]}}
  source: huggingface.co/org/tiny-mlm
  licence: CC0-1.0
sam:
  role: backbone
  kind: sam
  files: {{folder: [sam.pth]}}
  published: {{sam.pth: {{size: 3, sha256: {sha}, url: "{address}/org/sam/resolve/x/sam.pth"}}}}
  source: sam.example.org
  licence: Apache-2.0
flmm:
  role: method
  files: {{checkpoint: [heads.pth]}}
  published: {{heads.pth: {{url: "https://drive.example.org/heads"}}}}
  source: heads.example.org
  licence: none stated
"""


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repositories = {
        REPO: FILES,
        "org/tiny-mlm": {"config.json": b"[]"},
        "org/sam": {"sam.pth": b"sam"},
    }
    with StandIn(repositories) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        sha = hashlib.sha256(b"sam").hexdigest()
        (tmp_path / "small.py").write_text(PLUGIN)
        text = PARTS.format(commit=COMMIT, sha=sha, address=hub.address)
        (tmp_path / "files.yaml").write_text(text)
        yield hub


@pytest.fixture
def fetch(hub, tmp_path):
    def fetch(*more):
        where = [f"root={tmp_path / 'root'}", f"plugins=[{tmp_path / 'small.py'}]"]
        return main(["pack", "small", *where, "fetch=true", *more])

    return fetch


def answering(monkeypatch, answer):
    """A terminal at which somebody gives an answer; what they are asked."""
    asked = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(builtins, "input", lambda question: asked.append(question) or answer)
    return asked


def test_what_is_missing_is_shown_asked_about_and_put_in_its_place(
    hub, fetch, tmp_path, monkeypatch, capsys
):
    asked = answering(monkeypatch, "y")
    assert fetch() == 0
    assert asked == [f"Download 2.1 kB into {tmp_path / 'root'}? [y/N] "]
    said = capsys.readouterr().out
    assert f"llm: org/tiny-lm at {COMMIT} (MIT), 2.0 kB, into {tmp_path}/root/tiny-lm" in said
    assert "    2.0 kB  model.safetensors" in said
    assert "flmm: by hand: heads.example.org or https://drive.example.org/heads" in said
    root = tmp_path / "root"
    assert (root / "tiny-lm" / "model.safetensors").read_bytes() == WEIGHTS
    assert (root / "sam.pth").read_bytes() == b"sam"
    assert not list(root.rglob("*.unfinished")) + list(root.rglob("*.part"))
    assert not (root / "tiny-lm" / "other.bin").exists()
    pack = json.loads((root / "pack.json").read_text())
    assert set(pack["backbones"]) == {"llm", "mlm", "sam"}
    origins = {"llm": f"{REPO}@{COMMIT}", "mlm": f"org/tiny-mlm@{COMMIT}"}
    assert pack["origins"] == origins
    before = len(hub.asked)
    assert fetch() == 0
    assert "nothing to download" in capsys.readouterr().out
    assert len(hub.asked) == before
    assert json.loads((root / "pack.json").read_text())["origins"] == origins


@pytest.mark.parametrize("answer", ["n", ""])
def test_nothing_is_downloaded_without_a_yes(hub, fetch, tmp_path, monkeypatch, capsys, answer):
    answering(monkeypatch, answer)
    (tmp_path / "root").mkdir()
    assert fetch() == 0
    assert "nothing was downloaded" in capsys.readouterr().out
    assert hub.asked == []
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["pack.json"]


def test_nobody_at_a_terminal_is_a_sentence(hub, fetch, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert fetch() == 2
    caught = capsys.readouterr()
    assert "llm: org/tiny-lm at" in caught.out
    assert caught.err.endswith("there is no terminal to ask at; add yes=true.\n")
    assert hub.asked == []


def test_a_download_that_was_cut_short_goes_on_where_it_ended(
    hub, fetch, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 256)
    hub.cut.add("model.safetensors")
    assert fetch("yes=true") == 1
    caught = capsys.readouterr()
    assert "llm: org/tiny-lm ended: HfHubHTTPError" in caught.err
    assert "the same command goes on from here" in caught.err
    assert "mlm: downloaded" in caught.out
    root = tmp_path / "root"
    assert set(json.loads((root / "pack.json").read_text())["backbones"]) == {"mlm", "sam"}
    hub.cut.clear()
    hub.asked.clear()
    assert fetch("yes=true") == 0
    assert f"into {root}/tiny-lm, goes on" in capsys.readouterr().out
    assert hub.asked == [("model.safetensors", len(WEIGHTS) // 2)]
    assert (root / "tiny-lm" / "model.safetensors").read_bytes() == WEIGHTS


def test_half_a_file_of_other_weights_is_not_gone_on_with(hub, fetch, tmp_path, capsys):
    unfinished = tmp_path / "root" / "tiny-lm.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "card.json").write_text("{}")
    (unfinished / "model.safetensors.part").write_bytes(b"other weights")
    assert fetch("yes=true") == 0
    assert hub.starts("model.safetensors") == [0]
    assert (tmp_path / "root" / "tiny-lm" / "model.safetensors").read_bytes() == WEIGHTS


def test_a_file_that_came_damaged_is_refused(hub, fetch, tmp_path, capsys):
    hub.damaged.add("model.safetensors")
    assert fetch("yes=true") == 1
    assert "model.safetensors came with another SHA-256 than" in capsys.readouterr().err
    assert not (tmp_path / "root" / "tiny-lm").exists()


def test_a_gated_repository_is_named_with_its_files_and_the_rest_goes_on(
    hub, fetch, tmp_path, capsys
):
    hub.gated.add(REPO)
    assert fetch("yes=true") == 1
    caught = capsys.readouterr()
    assert "(MIT; its authors give access on asking)" in caught.out
    (line,) = [line for line in caught.err.splitlines() if "llm: " in line]
    assert line == (
        "frostbench: llm: org/tiny-lm ended: it is gated or private (ask for access at "
        "https://huggingface.co/org/tiny-lm, and log in with `hf auth login`); the same command "
        "goes on from here, or put config.json, model.safetensors into "
        f"{tmp_path / 'root' / 'tiny-lm'} by hand."
    )
    assert "mlm: downloaded" in caught.out


def test_without_a_network_each_part_ends_in_a_sentence(hub, fetch, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sam.pth").write_bytes(b"sam")
    assert fetch("yes=true") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "by hand" in line]
    assert [line.split(": ")[1] for line in lines] == ["llm", "mlm"]
    assert "org/tiny-lm (main) cannot be had from the Hub: ConnectError" in lines[0]
    assert f"put config.json, model.safetensors into {tmp_path}/root/tiny-lm by hand." in lines[0]


def test_the_login_is_shown_to_the_hub_alone(hub, fetch, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert fetch("yes=true") == 0
    assert hub.tokens["config.json"] == "Bearer hf_secret"
    assert hub.tokens["sam.pth"] is None


def test_a_file_that_the_repository_lacks_is_named(hub, fetch, capsys):
    del hub.repositories["org/tiny-mlm"]["config.json"]
    assert fetch("yes=true") == 1
    assert f"it has no config.json at {COMMIT}" in capsys.readouterr().err


def test_a_file_that_is_not_the_published_one_is_named_and_read_once(
    fetch, tmp_path, monkeypatch, capsys
):
    read = []
    monkeypatch.setattr("frostbench.bench.store.hashes.SETTLED", -1.0)
    hashed = "frostbench.bench.store.hashes.sha256_of"
    monkeypatch.setattr(hashed, lambda path: read.append(path.name) or "0" * 64)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sam.pth").write_bytes(b"not")
    for _ in range(2):
        assert fetch("yes=true") == 0
        said = capsys.readouterr()
        assert "sam: sam.pth is not the file that was published: it has SHA-256 000" in said.err
        assert "sam: there, sam.pth" in said.out
    assert read == ["sam.pth"]
    (tmp_path / "root" / "sam.pth").write_bytes(b"longer")
    assert fetch("yes=true") == 0
    assert "it has 6 bytes, and 3 bytes is expected" in capsys.readouterr().err
    assert read == ["sam.pth"]


def test_one_file_is_hashed_as_it_is(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    assert Hashes(tmp_path / "cache").of_file(tmp_path / "a") == hashlib.sha256(b"a").hexdigest()
