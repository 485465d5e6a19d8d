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
            r"class_names.json, or ImageNet.* has no name for n09",
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


def test_without_a_file_of_names_they_are_those_of_imagenet(v2l):
    (v2l / "class_names.json").unlink()
    (v2l / "images" / "n01").rename(v2l / "images" / "n01440764")
    (v2l / "images" / "n02").rename(v2l / "images" / "n01443537")
    renamed = LINES[0].replace("n01/", "n01440764/").replace("n02/", "n01443537/")
    write(v2l, [renamed])
    (one,) = V2LEpisodes(v2l).episodes(2, 1, seed=0)
    assert one.options == ("goldfish", "tench")


QUESTION = {
    "question_id": 0,
    "image_1": "a.jpg",
    "caption_1": "This is a dax.",
    "image_2": "b.jpg",
    "caption_2": "This is a blicket.",
    "question_image": "q.jpg",
    "question": "What is this?",
    "answer": "This is a blicket.",
}


@pytest.fixture
def open_ended(tmp_path):
    for number, name in enumerate(("a.jpg", "b.jpg", "q.jpg")):
        picture(tmp_path / name, 40 * number)
    ask(tmp_path, [QUESTION, dict(QUESTION, answer="This is a dax.")])
    return tmp_path


def ask(folder, questions):
    path = folder / "open_ended_mi_shots_1_ways_2_all_questions.json"
    path.write_text(json.dumps(questions))


def test_open_ended_questions_become_episodes_with_captions_for_labels(open_ended):
    first, second = OpenEndedEpisodes(open_ended).episodes(2, 1, seed=0)
    assert first.options == ("This is a blicket.", "This is a dax.")
    assert [example.image.name for example in first.examples] == ["a.jpg", "b.jpg"]
    assert (first.query.name, first.label) == ("q.jpg", "This is a blicket.")
    assert second.label == "This is a dax."
    assert first.id != second.id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"caption_2": None}, "question 0 has no text under 'caption_2'"),
        ({"answer": ""}, "question 0 has no text under 'answer'"),
        ({"answer": "This is a wug."}, "the query is 'This is a wug.', and no example is"),
        ({"image_3": "a.jpg"}, "question 0 has 3 examples; 2 are wanted"),
        ({"question_image": "z.jpg"}, "no image at .*z.jpg"),
    ],
)
def test_a_broken_question_is_told_with_its_number(open_ended, change, message):
    ask(open_ended, [dict(QUESTION, **change)])
    with pytest.raises(ValueError, match=message):
        next(OpenEndedEpisodes(open_ended).episodes(2, 1, seed=0))


def test_a_setting_without_a_file_is_told(open_ended):
    with pytest.raises(ValueError, match="has 0 files of 5 ways and 1 shots"):
        next(OpenEndedEpisodes(open_ended).episodes(5, 1, seed=0))
    (open_ended / "open_ended_mi_shots_1_ways_2_all_questions.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        next(OpenEndedEpisodes(open_ended).episodes(2, 1, seed=0))
