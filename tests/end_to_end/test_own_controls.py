"""Controls of a single file, as the documentation shows them, from the list to the board."""

import json

import pytest
from boards import all_pages
from pages import REPOSITORY, write_files

from frostbench.bench.cli import main

OWN = ("first_option", "upside_down")
RUN = ["methods=vqgan", "tasks=few_shot_classification", "limit=2", "quiet=true"]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugin")
    write_files(REPOSITORY / "docs" / "write" / "controls.md", folder)
    return folder / "my_controls.py"


def test_a_control_of_a_single_file_is_listed_with_its_tasks(plugin, capsys):
    assert main(["list", "controls", "--json", f"plugins={plugin}"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["controls"]}
    for name in OWN:
        assert listed[name]["plugin"] == "my_controls"
        assert listed[name]["tasks"] == ["few_shot_classification"]


def test_it_joins_a_run_that_was_complete_and_stands_on_the_board(plugin, tmp_path, capsys):
    words = [*RUN, f"cache={tmp_path / 'cache'}", f"out={tmp_path / 'run'}"]
    assert main(["run", *words]) == 0
    before = sorted((tmp_path / "run").rglob("*.parquet"))
    assert main(["run", *words, f"plugins={plugin}"]) == 0
    assert before == sorted((tmp_path / "run").rglob("*.parquet"))
    assert main(["leaderboard", str(tmp_path / "run"), f"out={tmp_path / 'board'}"]) == 0
    board = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    rows = {row["method"]: row for row in board["rows"] if row["control"]}
    assert {"chance", "majority_vote[vqgan]", "first_option", "upside_down[vqgan]"} <= set(rows)
    for name in ("first_option", "upside_down[vqgan]"):
        assert rows[name]["samples"] == 2
        assert rows[name]["failed"] == 0
    page = all_pages(tmp_path / "board")
    assert "the image upside down" in page
