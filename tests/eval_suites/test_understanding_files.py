import json

import numpy as np
import pytest
from PIL import Image as Pillow

from frostbench.eval_suites.data.episodes import OpenEndedEpisodes, V2LEpisodes
from frostbench.eval_suites.understanding.classification import FewShotClassification
from frostbench.eval_suites.understanding.protocols import FewShotSettings
from frostbench.plugins.contract.datasets import EpisodeSource

LINES = [
    "n01/n01_1.JPEG,n02/n02_1.JPEG,n01/n01_2.JPEG,",
    "n02/n02_2.JPEG,n01/n01_1.JPEG,n01/n01_2.JPEG,",
    "n02/n02_2.JPEG,n03/n03_1.JPEG,n02/n02_1.JPEG,",
]
NAMES = {"n01": "lion", "n02": "lionfish", "n03": "crane"}


def picture(path, grey):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.full((6, 8), grey, dtype=np.uint8)).save(path)


@pytest.fixture
def v2l(tmp_path):
    (tmp_path / "fewshot_split").mkdir()
    for number, cell in enumerate(
        sorted({cell for line in LINES for cell in line.split(",") if cell})
    ):
        picture(tmp_path / "images" / cell, 10 * number)
    (tmp_path / "class_names.json").write_text(json.dumps(NAMES))
    write(tmp_path, LINES)
    return tmp_path


def write(folder, lines):
    (folder / "fewshot_split" / "2_way_1_shot.csv").write_text("\n".join(lines) + "\n")


def test_the_last_cell_of_a_line_is_the_query(v2l):
    first, second, third = V2LEpisodes(v2l).episodes(2, 1, seed=0)
    assert [example.text for example in first.examples] == ["lion", "lionfish"]
    assert [example.image.name for example in first.examples] == ["n01_1.JPEG", "n02_1.JPEG"]
    assert (first.query.name, first.label) == ("n01_2.JPEG", "lion")
    assert first.options == ("lion", "lionfish")
    assert first.query.size == (6, 8)
    assert [second.label, third.label] == ["lion", "lionfish"]
    assert len({first.id, second.id, third.id}) == 3


def test_the_task_asks_the_episodes_of_a_file_in_its_order(v2l):
    source = V2LEpisodes(v2l)
    assert isinstance(source, EpisodeSource)
    settings = FewShotSettings(
        ways=(2,), shots=(1,), shots_without_induction=(), data="v2l_episodes"
    )
    task = FewShotClassification(settings)
    assert task.data == "v2l_episodes"
    seen = list(task.instances(source, limit=10, seed=0))
    assert [instance.target for instance in seen] == ["lion", "lion", "lionfish"]
    assert [i.target for i in task.instances(source, limit=2, seed=9)] == ["lion", "lion"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINES[0][:-1], "line 2 does not end with a comma"),
        ("n01/n01_1.JPEG,n02/n02_1.JPEG,", "line 2 has 2 images; 2-way 1-shot needs 3"),
        ("n01/n01_1.JPEG,n02,n01/n01_2.JPEG,", "line 2: 'n02' is not wnid/file"),
        (
            "n01/n01_1.JPEG,n09/x.JPEG,n01/n01_2.JPEG,",
            r"class_names.json, or V2L's code.* has no name for n09",
        ),
        ("n01/n01_1.JPEG,n01/n01_2.JPEG,n01/n01_2.JPEG,", "examples are 'lion' x 2"),
        ("n01/n01_1.JPEG,n02/n02_1.JPEG,n03/n03_1.JPEG,", "the query is 'crane', and no example"),
        ("n01/n01_9.JPEG,n02/n02_1.JPEG,n01/n01_2.JPEG,", "no image at .*n01_9.JPEG"),
    ],
)
def test_a_broken_line_is_told_with_its_number(v2l, line, message):
    write(v2l, [LINES[0], line])
    episodes = V2LEpisodes(v2l).episodes(2, 1, seed=0)
    assert next(episodes).label == "lion"
    with pytest.raises(ValueError, match=message):
        next(episodes)


def test_two_classes_of_one_name_are_told(v2l):
    (v2l / "class_names.json").write_text(json.dumps(dict(NAMES, n02="lion")))
    with pytest.raises(ValueError, match="Two classes of one name count as one"):
        next(V2LEpisodes(v2l).episodes(2, 1, seed=0))


def test_missing_parts_of_the_folder_are_named(v2l, tmp_path):
    with pytest.raises(ValueError, match=r"no 5_way_3_shot\.csv in .*there are 2_way_1_shot\.csv"):
        next(V2LEpisodes(v2l).episodes(5, 3, seed=0))
    (v2l / "class_names.json").write_text('{"n01": 3}')
    with pytest.raises(ValueError, match="is no object from wnid to a name"):
        V2LEpisodes(v2l)
    with pytest.raises(ValueError, match=r"no <task>_shots_<n>_ways_<m>_all_questions\.json"):
        OpenEndedEpisodes(tmp_path / "images")


def test_a_blank_name_harms_those_episodes_alone_that_need_it(v2l):
    (v2l / "class_names.json").write_text(json.dumps(NAMES | {"n01631663": ""}))
    assert len(list(V2LEpisodes(v2l).episodes(2, 1, seed=0))) == 3
    (v2l / "class_names.json").write_text(json.dumps(NAMES | {"n01": " "}))
    with pytest.raises(ValueError, match=r"line 1: class_names.json, .* has no name for n01"):
        list(V2LEpisodes(v2l).episodes(2, 1, seed=0))


def test_without_a_file_of_names_they_are_those_of_the_published_prompts(v2l):
    (v2l / "class_names.json").unlink()
    (v2l / "images" / "n01").rename(v2l / "images" / "n01484850")
    (v2l / "images" / "n02").rename(v2l / "images" / "n02012849")
    renamed = LINES[0].replace("n01/", "n01484850/").replace("n02/", "n02012849/")
    write(v2l, [renamed])
    (one,) = V2LEpisodes(v2l).episodes(2, 1, seed=0)
    assert one.options == ("crane", "great_white_shark")
