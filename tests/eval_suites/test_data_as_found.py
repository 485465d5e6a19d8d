"""Files as people have them: what systems and editors add, what is in them twice or not at all."""

import json
import pickle
from itertools import islice

import annotation_trees
import pytest
from annotation_trees import CAPTIONED, REF, coco, episodes, image, save, thought, write

from frostbench.eval_suites.data.annotations import read_json, read_lines
from frostbench.eval_suites.data.coco_captions import CocoCaptionsVal2014, KarpathyTest
from frostbench.eval_suites.data.episodes import OpenEndedEpisodes, V2LEpisodes
from frostbench.eval_suites.data.folder import FolderImages, ImageSettings, images_below
from frostbench.eval_suites.data.own import OwnCaptions, OwnQuestions
from frostbench.eval_suites.data.pairs import FiledPairs
from frostbench.eval_suites.data.pope import FILES, PopeQuestions
from frostbench.eval_suites.data.refcoco import Expressions
from frostbench.eval_suites.data.viscot import VisualCotQuestions
from frostbench.eval_suites.data.vqav2 import ANNOTATIONS, QUESTIONS, VQAv2Questions
from frostbench.eval_suites.grounding.hallucination import ObjectHallucination
from frostbench.eval_suites.grounding.settings import HallucinationSettings
from frostbench.eval_suites.restoration.settings import DeblurringSettings, ShiftSettings
from frostbench.eval_suites.restoration.tasks import Deblurring, Shift
from frostbench.plugins.backbones.published import read_pickle
from frostbench.plugins.contract.task import Unreadable
from frostbench.plugins.host.errors import UserNote

BOM = b"\xef\xbb\xbf"


def as_windows(path):
    """The file as an editor of Windows saves it."""
    path.write_bytes(BOM + path.read_bytes().replace(b"\n", b"\r\n"))


def changed(path, change):
    """A JSON file with something changed."""
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))


def test_what_windows_adds_to_a_text_changes_nothing(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "captions.csv").write_text("file,caption\na.png,a cat\n")
    (tmp_path / "questions.jsonl").write_text(
        '{"file": "a.png", "question": "What?", "answers": "a cat"}\n'
    )
    for name in ("captions.csv", "questions.jsonl"):
        as_windows(tmp_path / name)
    assert OwnCaptions(tmp_path).references() == [("a cat",)]
    assert OwnQuestions(tmp_path)._listed[0].question == "What?"
    (tmp_path / "captions.csv").write_bytes(b"file,caption\ra.png,an old Mac\r")
    assert OwnCaptions(tmp_path).references() == [("an old Mac",)]
    tree = coco(tmp_path / "coco")
    for path in tree.rglob("*.json"):
        as_windows(path)
    assert [len(list(kind(tree)._listed)) for kind in (CocoCaptionsVal2014, VQAv2Questions)] == [
        5,
        5,
    ]
    as_windows(episodes(tmp_path / "episodes", 1) / "fewshot_split" / "2_way_1_shot.csv")
    assert len(list(V2LEpisodes(tmp_path / "episodes").episodes(2, 1, 0))) == 3


def test_what_a_system_leaves_beside_files_is_no_data(tmp_path):
    for name in ("a.png", "deep/b.png"):
        save(tmp_path / name)
    for name in ("._a.png", ".DS_Store", "__MACOSX/._a.png", ".thumbnails/a.png", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    assert images_below(tmp_path) == ("a.png", "deep/b.png")
    open_ended = "open_ended_mi_shots_1_ways_1_all_questions.json"
    asked = {"image_1": "a.png", "caption_1": "dax", "question_image": "deep/b.png"}
    write(tmp_path / open_ended, [{**asked, "answer": "dax"}])
    (tmp_path / f"._{open_ended}").write_bytes(b"\0\5\x16\7")
    assert len(list(OpenEndedEpisodes(tmp_path).episodes(1, 1, 0))) == 1
    write(tmp_path / "benchmark" / "gqa.json", [thought("a.png", "[1, 2, 9, 9]")])
    (tmp_path / "benchmark" / "._gqa.json").write_bytes(b"\0\5\x16\7")
    assert len(list(VisualCotQuestions(tmp_path).details(0))) == 1


def test_bytes_that_are_no_text_are_told_with_file_and_line(tmp_path):
    (tmp_path / "a.json").write_bytes(b'[\n"fine",\n"caf\xe9"]')
    with pytest.raises(ValueError, match=r"a\.json, line 3 is no text in UTF-8: .* 0xe9"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.jsonl").write_bytes(b'"fine"\n"caf\xe9"\n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2 is no text in UTF-8: .* 0xe9"):
        list(read_lines(tmp_path / "a.jsonl"))


@pytest.fixture
def pope(tmp_path):
    """POPE's files with two questions each."""
    image(tmp_path / "val2014" / "x.jpg")
    lines = [
        json.dumps({"question_id": n, "image": "x.jpg", "text": f"A {n}?", "label": "yes"})
        for n in (1, 2)
    ]
    for name in FILES:
        (tmp_path / name).write_text("\n".join(lines))
    return tmp_path


def polled(folder):
    task = ObjectHallucination(HallucinationSettings(data="pope"))
    return list(task.instances(PopeQuestions(folder), 5, 0))


def test_a_line_that_is_no_text_takes_no_other_along(pope):
    path = pope / FILES[0]
    path.write_bytes(b'{"text": "caf\xe9"}\n' + path.read_bytes())
    asked = polled(pope)
    broken = [one for one in asked if isinstance(one, Unreadable)]
    assert [one.error for one in broken if "line 1 is no text in UTF-8" in one.error]
    assert (len(broken), len(asked)) == (1, 7)


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_of_questions_is_told_by_name(pope, content):
    (pope / FILES[1]).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"{FILES[1]} has no entries"):
        polled(pope)


def test_published_captions_are_read_as_their_own_readers_do(tmp_path):
    coco(tmp_path)
    path = tmp_path / "annotations" / "captions_val2014.json"

    def blank_and_twice(content):
        content["images"].append(content["images"][0])
        content["annotations"][1]["caption"] = " "

    changed(path, blank_and_twice)
    with pytest.warns(UserNote) as said:
        read = CocoCaptionsVal2014(tmp_path)
    assert len(read.references()) == len(CAPTIONED) - 1
    notes = " ".join(str(one.message) for one in said)
    for part in ("1 left out, as they stand there twice", "as they are blank", "have no caption"):
        assert part in notes
    changed(tmp_path / "dataset_coco.json", lambda all: all["images"][-1].update(sentences=[]))
    with pytest.warns(UserNote, match="1 left out, as they have no caption"):
        assert len(KarpathyTest(tmp_path).references()) == len(CAPTIONED) - 1


def test_published_questions_may_stand_twice_and_have_blank_answers(tmp_path):
    coco(tmp_path)
    changed(tmp_path / QUESTIONS, lambda all: all["questions"].append(all["questions"][0]))

    def twice(content):
        content["annotations"][0]["answers"][0]["answer"] = ""
        content["annotations"].append(content["annotations"][0])

    changed(tmp_path / ANNOTATIONS, twice)
    with pytest.warns(UserNote, match="stand there twice") as said:
        read = VQAv2Questions(tmp_path)
    assert len(said) == 2
    assert len(read._listed) == len(CAPTIONED)
    assert read._listed[0].answers[0] == ""


def test_references_without_a_sentence_are_left_out(tmp_path):
    annotation_trees.refcoco(tmp_path)
    silent = {**REF, "sentences": [{"sent": " ", "raw": " "}]}
    path = tmp_path / "refcoco" / "refs(unc).p"
    path.write_bytes(pickle.dumps([*pickle.loads(path.read_bytes()), silent], protocol=2))
    with pytest.warns(UserNote, match=r"refs\(unc\)\.p: 1 left out, as they have no sentence"):
        (found,) = Expressions(tmp_path, "refcoco", "unc", "testA").referred(0)
    assert len(found.referents) == 2


def test_a_box_of_visual_cot_ends_with_its_image(tmp_path):
    image(tmp_path / "a.png", (40, 30))
    write(tmp_path / "benchmark" / "gqa.json", [thought("a.png", "[-1, 2, 41, 31]")])
    (one,) = VisualCotQuestions(tmp_path).details(0)
    assert one.box == (0.0, 2.0, 40.0, 30.0)


@pytest.mark.parametrize("text", ["café".encode(), "café".encode("latin-1")])
def test_texts_of_python_2_are_read_in_either_of_its_ways(tmp_path, text):
    by_python_2 = b"\x80\x02U" + bytes([len(text)]) + text + b"."
    assert read_pickle(by_python_2, tmp_path / "refs(unc).p") == "café"


def test_a_pair_of_two_sizes_takes_no_other_along(tmp_path):
    annotation_trees.pairs(tmp_path, 4)
    save(tmp_path / "input" / "1.png", size=(30, 40))
    task = Deblurring(DeblurringSettings(protocols=("given",), others=1, pool=1))
    asked = list(task.instances(FiledPairs(tmp_path), 9, 0))
    broken = [one.error for one in asked if isinstance(one, Unreadable)]
    assert (len(asked), len(broken)) == (3, 1)
    assert "a pair is of one size" in broken[0]


def test_a_first_image_that_cannot_be_read_takes_no_other_along(tmp_path):
    for number in range(6):
        save(tmp_path / f"{number}.png", number)
    (tmp_path / "0.png").write_bytes(b"no image")
    data = FolderImages(tmp_path, ImageSettings(side=16))
    task = Shift(ShiftSettings(protocols=("held_out_context",), others=1, pool=1))
    asked = list(task.instances(data, 9, 0))
    assert [isinstance(one, Unreadable) for one in asked] == [True, *[False] * 4]


def test_a_protocol_without_a_question_takes_no_other_along(pope):
    (pope / FILES[1]).write_text("")
    task = ObjectHallucination(HallucinationSettings(data="pope"))
    given = task.instances(PopeQuestions(pope), 5, 0)
    assert [one.protocol for one in islice(given, 4)] == [*["random"] * 2, *["adversarial"] * 2]
    with pytest.raises(ValueError, match=r"popular\.json has no entries"):
        next(given)
