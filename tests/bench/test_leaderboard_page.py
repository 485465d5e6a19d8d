import csv
import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from boards import all_pages
from stored_runs import changed

from frostbench.bench.leaderboard import build, write


class Page(HTMLParser):
    """Every tag with its attributes, and the text outside style and script."""

    def __init__(self, *paths: Path):
        super().__init__()
        self.tags, self.text, self._inside = [], "", ""
        for path in paths:
            self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data):
        if self._inside not in ("style", "script"):
            self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def written(folder, *runs):
    write(build(runs), runs, folder)
    return folder


@pytest.fixture(scope="module")
def folder(synthetic, tmp_path_factory):
    """One leaderboard that the tests read and do not change."""
    run = synthetic(samples=40, outsider=True, failed=("inpainting-003",))
    return written(tmp_path_factory.mktemp("leaderboard"), run)


@pytest.fixture(scope="module")
def page(folder):
    """All pages as one."""
    return Page(*sorted(folder.glob("*.html")))


def test_the_page_asks_nothing_of_the_network(page):
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "style", "action"):
            value = attributes.get(name) or ""
            if not (tag == "a" and value.startswith("https://arxiv.org/")):
                assert "//" not in value, (tag, name, value)


def test_every_file_that_the_page_names_is_there(folder, page):
    named = [a["src"] for a in page.all("img") if "src" in a] + [a["href"] for a in page.all("a")]
    local = {unquote(name) for name in named if not name.startswith(("https:", "#"))}
    assert len(local) > 50
    assert all((folder / name).is_file() for name in local)
    assert {path.name for path in folder.glob("*.html")} <= local
    for path in folder.glob("*.html"):
        one = Page(path)
        targets = {attributes.get("id") for _, attributes in one.tags}
        inside = [a["href"] for a in one.all("a") if a["href"].startswith("#")]
        assert all(name[1:] in targets for name in inside)


def test_every_image_has_a_text_and_every_table_a_caption(page):
    assert all("alt" in attributes for attributes in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(a.get("aria-label") for a in page.all("svg") if a.get("class") == "whisker")


def test_the_page_says_what_was_run_and_what_it_does_not_mean(page):
    text = page.text
    assert "pack says nothing about the published models" in text
    assert "checksums are the same before and after" in text
    assert "1\u202f480 served from the token cache" in text
    assert "outsider has no decoder: it gives no image back" in text
    assert "loses to majority vote" in text


def test_the_page_of_an_unfinished_run_says_so(synthetic, tmp_path):
    run = synthetic(samples=6, status="running")
    text = Page(written(tmp_path, run) / "index.html").text
    assert "This run is not finished" in text


def test_text_from_methods_cannot_become_markup(synthetic, tmp_path):
    run = synthetic(samples=6)
    hostile = "<script>alert(1)</script>"
    records = [
        dataclasses.replace(
            record,
            prediction=dataclasses.replace(record.prediction, text=hostile),
            words={"global": [[hostile]]},
        )
        if record.suite == "understanding"
        else record
        for record in run.records()
    ]
    stored = changed(run, records)
    html = all_pages(written(tmp_path, stored))
    assert hostile not in html
    assert "&lt;script&gt;alert(1)" in html


def test_writing_again_gives_the_same_bytes(synthetic, tmp_path):
    folder = written(tmp_path, synthetic(samples=6))
    first = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    written(tmp_path, synthetic("again", samples=6, order=3))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == first


def test_images_of_an_older_leaderboard_leave_and_strangers_stay(synthetic, tmp_path):
    folder = written(tmp_path, synthetic(samples=6))
    old, strange = folder / "pictures" / f"{'0' * 20}.webp", folder / "pictures" / "mine.webp"
    old.write_bytes(b"")
    strange.write_bytes(b"")
    written(tmp_path, synthetic(samples=6))
    assert not old.exists()
    assert strange.exists()


def test_csv_and_json_hold_the_same_rows(folder):
    rows = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    with (folder / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        flat = list(csv.DictReader(file))
    assert len(rows) == len(flat)
    assert [row["method"] for row in rows] == [row["method"] for row in flat]
    assert [row["value"] for row in rows] == [
        float(row["value"]) if row["value"] else None for row in flat
    ]
    wanted = {"kind", "method", "suite", "task", "protocol", "metric", "value", "low", "high"}
    assert all(wanted | {"samples", "cost"} <= set(row) for row in rows)


def test_the_gallery_shows_input_outputs_and_target_side_by_side(page):
    texts = [attributes["alt"] for attributes in page.all("img") if attributes["alt"]]
    for label in ("corrupted", "v2l", "vqgan", "target", "majority vote [v2l]"):
        assert f"{label} of sample inpainting-000" in texts
    assert not any(text == "vqgan of sample inpainting-003" for text in texts)
    assert any("inpainting-005" in text for text in texts)
    assert not any("inpainting-006" in text for text in texts)


def test_several_runs_share_a_page(synthetic, tmp_path):
    folder = written(tmp_path, synthetic(samples=6), synthetic(samples=6, seed=1))
    text = Page(*folder.glob("*.html")).text
    assert "run 2: other settings, data or seed, so ranked alone" in text
    assert (folder / "plots" / "restoration.svg").is_file()


def test_writing_with_other_runs_than_were_built_from_is_refused(synthetic, tmp_path):
    run = synthetic(samples=6)
    with pytest.raises(ValueError, match="give the same runs"):
        write(build([run]), [run, run], tmp_path / "leaderboard")


def test_a_table_in_markdown_stands_for_every_task(folder):
    text = (folder / "leaderboard.md").read_text(encoding="utf-8")
    for task in ("few_shot_classification", "reconstruction", "inpainting", "deblurring"):
        assert f"### {task}" in text
    tables = [line for line in text.splitlines() if line.startswith("| protocol | method | rank")]
    assert len(tables) == 3
    assert "other data, other models: not comparable" in text
