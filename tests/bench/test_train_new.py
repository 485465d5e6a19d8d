"""New packs after another one, the text that their models read, and presets of trainings."""

import json
from pathlib import Path

import pytest

from frostbench.bench.cli import main
from frostbench.bench.cli.config import UsageError
from frostbench.bench.cli.train_new import begin_pack, text_of
from frostbench.bench.cli.train_rehearsal import (
    CALL,
    SHARE,
    UTILISED,
    RehearsedTraining,
    lines,
    rehearsal_settings,
)
from frostbench.plugins.contract.recipe import Recipe, StepCost, Workshop
from frostbench.plugins.host.packs import embedded_pack, read_pack

MINI = embedded_pack("mini")
SHOP = Workshop(Path(), Path())


def test_a_new_pack_is_like_another_but_for_what_is_said(tmp_path):
    folder = tmp_path / "other"
    begin_pack(folder, MINI, {"methods": {"lqae": {"settings": {"budget": 9}}}})
    made, own = read_pack(folder), read_pack(MINI)
    assert made.name == "other"
    assert made.methods["lqae"].settings == {"budget": 9}
    assert made.methods.keys() == own.methods.keys()
    assert made.data.keys() == own.data.keys()
    said = json.loads((folder / "pack.json").read_text())
    (folder / "pack.json").write_text(json.dumps({**said, "summary": "mine"}))
    begin_pack(folder, MINI, {})
    assert read_pack(folder).summary == "mine"


def test_text_is_read_file_by_file_and_part_by_part(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "b.txt").write_text("one\ntwo\n\n \nthree\n")
    (tmp_path / "in" / "a.md").write_text("four")
    (tmp_path / "c.json").write_text("{}")
    assert text_of([str(tmp_path)])(SHOP) == ("one\ntwo", "three\n", "four")
    assert text_of([str(tmp_path / "c.json")])(SHOP) == ("{}",)
    (tmp_path / "b.txt").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="is no text in UTF-8"):
        text_of([str(tmp_path)])(SHOP)
    with pytest.raises(UsageError, match="is not there; name files or folders"):
        text_of([str(tmp_path / "none")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"has no file that ends in .txt, .md, .rst"):
        text_of([str(tmp_path / "empty")])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "preset=mini-m"], "preset=mini-m makes a new pack; name its folder with pack="),
        (["train", "like=mini"], "like=mini makes a new pack; name its folder with pack="),
        (
            ["train", "clip", "preset=mini-m", "dry=true"],
            "all parts of a preset are counted together",
        ),
        (["train", "v2l", "rehearse=true", "data.images=photos"], "leave data.NAME out"),
        (["train", "clip", "rehearse=true", "pack=new"], "needs data, llm, which new lacks"),
        (["train", "preset=v2l-table1", "pack=new"], "is for frostbench run, not for frostbench t"),
        (["run", "preset=mini-m"], "is for frostbench train, not for frostbench run"),
        (["train", "preset=mini-x", "pack=new"], "mini-m"),
        (["train", "llm", "text=none", "pack=new", "recipe.llm.steps=1"], "text=none is not there"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_rehearsal_divides_batches_that_are_given_and_multiplies_their_work():
    recipe = Recipe("one", (), "a:b", "", few={"figures": "2"}, shared=("batch", "more.batch"))
    given = {"batch": "32", "more.batch": "4", "steps": "9", "figures": "100"}
    settings, share = rehearsal_settings(recipe, given)
    assert settings == {"batch": "4", "more.batch": "1", "steps": "9", "figures": "2"}
    assert (SHARE, share) == (8, 36 / 5)
    assert rehearsal_settings(recipe, {"batch": "32"}) == ({"batch": "32", "figures": "2"}, 1.0)


def test_an_estimate_is_by_work_or_by_calls_whichever_is_longer():
    busy = RehearsedTraining("busy", 10, StepCost(5, int(6e12), 100, 1.0))
    many = RehearsedTraining("many", 10, StepCost(5, 8, 10_000, 1.0))
    assert busy.seconds(1e14) == pytest.approx(10 * 6e12 / (UTILISED * 1e14))
    assert many.seconds(1e14) == pytest.approx(10 * 10_000 * CALL)
    table = lines([busy, many], 1e14, "a device")
    assert table[1].split() == ["busy", "5", "10", "6.000", "100", "0.06", "0.0"]
    assert table[3].split() == ["in", "all", "0.06", "0.0"]
