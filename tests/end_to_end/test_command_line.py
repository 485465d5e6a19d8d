import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from boards import all_pages
from pages import my_method
from PIL import Image

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.packs import embedded_pack


@pytest.fixture(scope="module")
def outsider(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outsider")
    return my_method(folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def board(outsider, cache, tmp_path_factory):
    """A run of an outsider's method beside V2L, and its leaderboard."""
    out = tmp_path_factory.mktemp("board")
    status = main(
        [
            "run",
            f"plugins={outsider}",
            "methods=mean_colours,v2l",
            "tasks=few_shot_classification,reconstruction,inpainting",
            "limit=3",
            "quiet=true",
            f"cache={cache}",
            f"out={out / 'run'}",
        ]
    )
    assert status == 0
    assert main(["leaderboard", str(out / "run"), f"out={out / 'site'}"]) == 0
    return out


def test_the_documented_method_is_listed(outsider, capsys):
    assert main(["list", "methods", "--json", f"plugins={outsider}"]) == 0
    names = {entry["name"] for entry in json.loads(capsys.readouterr().out)["methods"]}
    assert {"mean_colours", "v2l", "vqgan"} <= names


def test_the_documented_method_keeps_the_contract(outsider, capsys):
    assert main(["check", "mean_colours", f"plugins={outsider}"]) == 0, capsys.readouterr().out


def test_a_name_that_goes_away_is_said_with_its_new_path(outsider, tmp_path, capsys):
    plugin = tmp_path / "old.py"
    text = outsider.read_text().replace("mean_colours", "old_colours")
    plugin.write_text(
        text.replace("import torch", "import torch\nfrom frostbench.plugins.host import Host", 1)
    )
    assert main(["check", "old_colours", f"plugins={plugin}"]) == 0
    said = "frostbench.plugins.host.Host is frostbench.plugins.host.registry.Host now"
    assert f"goes away: {said}; the old path goes in" in capsys.readouterr().out


def test_the_documented_method_stands_on_the_leaderboard(board):
    rows = json.loads((board / "site" / "leaderboard.json").read_text())["rows"]
    measured = [row for row in rows if row["kind"] == "measured" and row["value"] is not None]
    assert {row["method"] for row in measured} == {"mean_colours", "v2l"}
    assert {row["suite"] for row in measured} == {"understanding", "restoration"}
    for row in measured:
        # Three samples of one share of right answers may say nothing about the spread.
        assert row["low"] is None or row["low"] <= row["value"] <= row["high"]
        assert row["interval"]
        assert row["samples"] == 3
    controls = {row["method"] for row in rows if row["kind"] == "control"}
    assert {"copy", "chance", "majority_vote[v2l]", "shuffled_tokens[v2l]"} <= controls
    assert any(row["kind"] == "reported" for row in rows)
    page = all_pages(board / "site")
    assert "mean_colours" in page
    assert not re.search(r"(?:src|href)=[\"']https?://[^\"']+\.(?:js|css|png|woff)", page)


def test_a_second_run_on_the_same_images_does_no_tokenizer_forward(board, cache, tmp_path):
    words = ["run", "methods=v2l", "limit=3", "quiet=true", f"cache={cache}"]
    assert main([*words, "tasks=outpainting", f"out={tmp_path / 'first'}"]) == 0
    assert main([*words, "tasks=outpainting,reconstruction", f"out={tmp_path / 'second'}"]) == 0
    counts = open_run(tmp_path / "second").manifest.tokenizer["v2l"]
    assert counts.forwards == 0
    assert counts.cached > 0


def test_a_finished_run_is_scored_again_and_verified(board, outsider, capsys):
    run = str(board / "run")
    before = {record.key: record.scores for record in open_run(board / "run").records()}
    assert main(["score", run]) == 0
    after = {record.key: record.scores for record in open_run(board / "run").records()}
    assert before == after
    assert main(["verify", run, "samples=4"]) == 2, "a run folder never has code run"
    assert "give plugins=[my_method.py]" in capsys.readouterr().err
    words = ["verify", run, "samples=4", f"plugins={outsider}"]
    assert main(words) == 0, capsys.readouterr()
    assert main(["show", run, "all=true"]) == 0
    assert "mean_colours" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "methods=v2k"], "Did you mean 'v2l'"),
        (["run", "tasks=inpaint"], "Did you mean 'inpainting'"),
        (["run", "suites=reconstruction"], "no suite named"),
        (["run", "pack=maxi"], "there are mini"),
        (["run", "limt=3"], "Did you mean 'limit'"),
        (
            ["run", "methods=v2l", "tasks=shift", "method.v2l.shown_word=3", "limit=1"],
            "shown_words",
        ),
        (["run", "tasks=inpainting", "task.inpainting.nothing=3", "limit=1"], "nothing"),
        (["run", "limit=0"], "limit=0: at least 1"),
        (["run", "plugins=none.py"], "no plugin file at none.py"),
        (["run", "device=cuda:77", "limit=1", "tasks=inpainting"], "cuda"),
        (["show", "no-run"], "no-run"),
        (["leaderboard", "no-run"], "no-run"),
        (["verify", "no-run"], "no-run"),
        (["train", "vqgen"], "Did you mean 'vqgan'"),
        (["check", "v2k"], "Did you mean 'v2l'"),
        (["list", "method"], "Did you mean 'methods'"),
        (["runn"], "Did you mean 'run'"),
    ],
)
def test_a_mistake_gets_one_sentence(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) != 0
    said = capsys.readouterr().err.strip()
    assert expected in said
    assert "Traceback" not in said


def test_a_weight_file_cut_short_fails_its_method_and_nothing_else(tmp_path, capsys):
    pack = tmp_path / "pack"
    _copy(embedded_pack("mini"), pack)
    weights = pack / "vqgan" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    words = ["run", f"pack={pack}", "tasks=reconstruction", "limit=2", "quiet=true"]
    assert main([*words, f"out={tmp_path / 'run'}", f"cache={tmp_path / 'tokens'}"]) == 1
    assert "model.safetensors" in capsys.readouterr().err
    records = open_run(tmp_path / "run").records()
    v2l = [record for record in records if record.method == "v2l" and record.control is None]
    assert [record.status for record in v2l] == ["scored", "scored"]
    vqgan = [record for record in records if record.method == "vqgan"]
    assert not any(record.scores for record in vqgan)


def test_a_image_cut_short_is_one_sentence(tmp_path):
    from frostbench.plugins.contract.images import read_image

    whole = tmp_path / "whole.png"
    Image.new("RGB", (32, 32), "red").save(whole)
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"cannot read the image .*cut\.png") as caught:
        read_image(cut)
    assert "\n" not in str(caught.value)


def test_help_is_there_in_half_a_second():
    # Measured as work, not as time on the wall: what help imports is what makes it slow.
    code = (
        "import sys; from frostbench.bench.cli import main; main(['--help']); "
        "main(['run', '--help']); print(len(sys.modules)); "
        "assert not {'torch', 'numpy', 'omegaconf', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 300


def _copy(source: Path, target: Path) -> None:
    """A copy that shares the files' content by links; a file that is rewritten is then its own."""
    for path in source.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
