import json
from itertools import islice

import pytest
from pictures import picture

from frostbench.eval_suites.data.apart import Examples
from frostbench.eval_suites.data.own import OwnBoxes, OwnCaptions, OwnLabels, OwnQuestions
from frostbench.eval_suites.understanding.episodes import DrawnEpisodes
from frostbench.eval_suites.understanding.semantic_interpretation import SemanticInterpretation
from frostbench.eval_suites.understanding.settings import InterpretationSettings
from frostbench.plugins.contract.datasets import BoxSet, CaptionSet, LabelSet, QuestionSet
from frostbench.plugins.contract.images import UnreadableError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.jpg", "c.png"):
        picture(seed=ord(name[0])).save(tmp_path / name)
    return tmp_path


def test_captions_of_a_csv_file_and_of_a_json_file_are_the_same(folder):
    (folder / "captions.csv").write_text(
        'file,caption\nb.jpg,"a dog, asleep"\na.png,a cat\nb.jpg,a sleeping dog\n'
    )
    table = OwnCaptions(folder)
    (folder / "captions.csv").unlink()
    said = {"b.jpg": ["a dog, asleep", "a sleeping dog"], "a.png": "a cat"}
    (folder / "captions.json").write_text(json.dumps(said))
    for data in (table, OwnCaptions(folder)):
        assert isinstance(data, CaptionSet)
        assert [one.id for one in data.captioned()] == ["b.jpg", "a.png"]
        assert data.captioned()[0].captions == ("a dog, asleep", "a sleeping dog")
        assert data.references() == [("a dog, asleep", "a sleeping dog"), ("a cat",)]
        assert data.captioned()[1].image.size == (256, 256)


def test_questions_take_one_answer_or_several(folder):
    lines = [
        {"file": "a.png", "question": "What is it?", "answers": "cat"},
        {"file": "a.png", "question": "Is it red?", "answers": ["yes", "yes", "no"], "id": "q7"},
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = OwnQuestions(folder)
    assert isinstance(data, QuestionSet)
    first, second = data.asked()
    assert (first.id, first.answers, first.cluster) == ("00000", ("cat",), "a.png")
    assert (second.id, second.answers) == ("q7", ("yes", "yes", "no"))


def test_labels_are_images_by_class(folder):
    (folder / "labels.csv").write_text("file,label\na.png,cat\nb.jpg,dog\nc.png,cat\n")
    data = OwnLabels(folder)
    assert isinstance(data, LabelSet)
    assert data.names == ("cat", "dog")
    assert [data.count(name) for name in data.names] == [2, 1]
    assert data.portrait("cat", 1).name == "c.png"


BOXES = """file,class,left,top,right,bottom
b.jpg,dog,1,2,11.5,12
a.png,,,,,
b.jpg,cat,0,0,40,30
"""


def test_boxes_are_things_by_image_and_an_image_may_have_none(folder):
    (folder / "boxes.csv").write_text(BOXES)
    data = OwnBoxes(folder)
    assert isinstance(data, BoxSet)
    assert data.classes == ("cat", "dog")
    full, empty = data.boxed()
    assert (full.id, full.cluster, full.image.size) == ("b.jpg", "b.jpg", (30, 40))
    assert [(x.name, x.box, x.area, x.mask) for x in full.things] == [
        ("dog", (1.0, 2.0, 11.5, 12.0), 105.0, None),
        ("cat", (0.0, 0.0, 40.0, 30.0), 1200.0, None),
    ]
    assert (empty.id, empty.things) == ("a.png", ())


@pytest.mark.parametrize("cells", ["dog,1,2,41,12", "dog,5,2,5,12", "dog,nan,2,3,4"])
def test_a_box_that_is_not_within_its_image_fails_that_image_alone(folder, cells):
    (folder / "boxes.csv").write_text(f"{BOXES}c.png,{cells}\n")
    images = OwnBoxes(folder).boxed()
    assert [images[0].id, images[1].id] == ["b.jpg", "a.png"]
    with pytest.raises(UnreadableError, match=r"boxes\.csv, line 5 .* within 40 x 30 pixels"):
        images[2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,class,left,top,right\n", "has no column bottom; .* left, top, right and bottom"),
        (f"{BOXES}c.png,dog,1,2,x,4\n", "line 5 has 1, 2, x, 4 for the edges"),
        (f"{BOXES}c.png,,1,2,3,4\n", "line 5 has no class"),
        (f"{BOXES}c.png,dog,1,2,3\n", "line 5 does not have as many cells"),
        (
            "file,class,left,top,right,bottom\nd.png,a,1,2,3,4\n",
            "names no image .* first is 'd.png'",
        ),
        ("file,class,left,top,right,bottom\na.png,,,,,\n", "has no box"),
        ("file,class,left,top,right,bottom\n", "has no entries"),
    ],
)
def test_a_table_of_boxes_that_is_broken_names_the_line(folder, content, said):
    (folder / "boxes.csv").write_text(content)
    with pytest.raises(ValueError, match=said):
        OwnBoxes(folder)


CSV, JSON, LINES, LABELS = "captions.csv", "captions.json", "questions.jsonl", "labels.csv"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            CSV,
            "file,caption\ngone.png,a cat\n",
            "names no image .* first is 'gone.png'",
        ),
        (CSV, "file,caption\n../a.png,a cat\n", "line 2 names '../a.png', which leads out"),
        (CSV, "file,text\na.png,a cat\n", "has no column caption"),
        (CSV, "file,caption\na.png\n", "line 2 does not have as many cells"),
        (CSV, "file,caption\na.png, \n", "line 2 has no caption"),
        (CSV, "file,caption\n", "has no entries"),
        (
            CSV,
            b"file,caption\na.png,caf\xe9\n",
            r"captions\.csv, line 2 is no text in UTF-8: .* 0xe9",
        ),
        (JSON, "[1]", "is no object from a file's name"),
        (JSON, '{"a.png": [3]}', "entry 'a.png', entry 0 has no caption"),
        (JSON, '{"a.png": ', "is no JSON"),
        (LINES, '{"file": "a.png", "question": "What?"}', "line 1 has no 'answers'"),
        (LINES, '{"file": "a.png", "question": "What?", "answers": []}', "accepts no answer"),
        (
            LINES,
            '{"file": 3, "question": "What?", "answers": "x"}',
            "holds a whole number under 'file'",
        ),
        (
            LINES,
            '{"file": "a.png", "question": "?", "answers": "x", "id": 1}\n' * 2,
            "line 2: the id '1' is another question's too",
        ),
        (LABELS, "file,label\na.png,cat\na.png,dog\n", "line 3: a.png has a label already"),
        (LABELS, "file,label\na.png,\n", "line 2 has no label"),
    ],
)
def test_a_broken_file_is_said_with_the_entry(folder, name, text, said):
    kind = {CSV: OwnCaptions, JSON: OwnCaptions, LINES: OwnQuestions, LABELS: OwnLabels}[name]
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=said):
        kind(folder)


@pytest.mark.parametrize("kind", [OwnCaptions, OwnQuestions, OwnLabels])
def test_a_missing_file_is_named(folder, kind):
    with pytest.raises(ValueError, match=r"lacks (captions.csv or|questions.jsonl|labels.csv)"):
        kind(folder)


def test_episodes_are_drawn_from_all_images_of_the_classes_that_have_enough(folder):
    for name in "defg":
        picture(seed=ord(name)).save(folder / f"{name}.png")
    rows = "a.png,cat\nc.png,cat\nd.png,cat\nb.jpg,dog\ne.png,dog\nf.png,bird\ng.png,bird\n"
    (folder / "labels.csv").write_text(f"file,label\n{rows}")
    data = OwnLabels(folder)
    episodes = list(islice(DrawnEpisodes(data, images=1).episodes(2, 1, seed=0), 40))
    shown = {
        image.name for one in episodes for image in (one.query, *(e.image for e in one.examples))
    }
    assert shown == {row.partition(",")[0] for row in rows.split()}
    assert all(one.query not in [e.image for e in one.examples] for one in episodes)
    with pytest.raises(ValueError, match=r"3-way 2-shot episodes need 3 families.*there are 1"):
        DrawnEpisodes(data, images=1).members(3, 2)


def test_each_class_has_its_turn_while_it_has_images(folder):
    (folder / "labels.csv").write_text("file,label\na.png,cat\nb.jpg,dog\nc.png,cat\n")
    asked = list(
        SemanticInterpretation(InterpretationSettings()).instances(OwnLabels(folder), 9, 0)
    )
    assert len(asked) == 3
    assert {one.cluster for one in asked[:2]} == {"cat", "dog"}


def test_samples_are_given_without_one_being_read(folder):
    (folder / "captions.csv").write_text("file,caption\na.png,a cat\nb.jpg,a dog\n")
    lines = [{"file": f, "question": "What?", "answers": "x"} for f in ("a.png", "b.jpg")]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    captions, questions = OwnCaptions(folder), OwnQuestions(folder)
    (folder / "b.jpg").write_bytes(b"")
    # A check of the sequence's items would read one of them, drawn at random.
    for _ in range(40):
        assert len(captions.captioned()) == len(questions.asked()) == 2
        shown = Examples(captions.captioned(), pool=1, needed=1)
        assert shown.queries == range(1)


def test_a_class_without_an_image_is_no_class_without_end(folder):
    (folder / "labels.csv").write_text("file,label\na.png,cat\nb.jpg,dog\nc.png,cat\n")
    data = OwnLabels(folder)
    data.count = {"cat": 2, "dog": 0}.__getitem__
    with pytest.raises(ValueError, match="there are 1"):
        DrawnEpisodes(data, images=6).members(2, 1)
