import json
from functools import partial
from itertools import islice

import pytest
from pictures import picture

from frostbench.eval_suites.data.episodes import V2LEpisodes
from frostbench.eval_suites.data.pope import PopeQuestions
from frostbench.eval_suites.data.sound import OneByOne, sound
from frostbench.eval_suites.grounding.hallucination import ObjectHallucination
from frostbench.eval_suites.grounding.settings import HallucinationSettings
from frostbench.eval_suites.understanding.classification import FewShotClassification
from frostbench.eval_suites.understanding.protocols import FewShotSettings
from frostbench.plugins.contract.task import Instance, Unreadable


def made(number):
    if number % 3 == 1:
        raise ValueError(f"entry {number} is broken.")
    return None if number % 3 == 2 else number


def test_a_broken_entry_is_told_and_the_others_come():
    found = list(sound(OneByOne(partial(made, n) for n in range(7)), "task", "p"))
    assert [one for one in found if not isinstance(one, Unreadable)] == [0, 3, 6]
    broken = [one for one in found if isinstance(one, Unreadable)]
    assert [one.error for one in broken] == ["entry 1 is broken.", "entry 4 is broken."]
    assert len({one.id for one in broken}) == 2
    assert {one.protocol for one in broken} == {"p"}


def test_what_ends_a_file_is_no_broken_entry():
    def lines():
        yield partial(made, 0)
        raise ValueError("the file is no text.")

    for source in (OneByOne(lines()), (make() for make in lines())):
        found = sound(source, "task", None)
        assert next(found) == 0
        with pytest.raises(ValueError, match="the file is no text"):
            next(found)


@pytest.fixture
def pope(tmp_path):
    """Eight questions, of which three are broken: an image, a label, a line."""
    (tmp_path / "val2014").mkdir()
    picture().save(tmp_path / "val2014" / "a.jpg")
    lines = [
        json.dumps({"question_id": n, "image": "a.jpg", "text": "Is it?", "label": "yes"})
        for n in range(8)
    ]
    lines[1] = lines[1].replace("a.jpg", "gone.jpg")
    lines[3] = lines[3].replace('"yes"', '"maybe"')
    lines[6] = lines[6][:20]
    for protocol in ("random", "popular", "adversarial"):
        (tmp_path / f"coco_pope_{protocol}.json").write_text("\n".join(lines))
    return tmp_path


def test_broken_questions_of_pope_are_failed_samples_each_with_its_line(pope):
    task = ObjectHallucination(HallucinationSettings())
    asked = [one for one in task.instances(PopeQuestions(pope), 8, 0) if one.protocol == "random"]
    assert len(asked) == 8
    broken = [one.error for one in asked if isinstance(one, Unreadable)]
    assert len(broken) == 3
    assert "no image at" in broken[0]
    assert "line 4: the label is 'maybe'" in broken[1]
    assert "line 7 is no JSON" in broken[2]


def test_a_broken_line_of_v2ls_episodes_takes_no_other_along(tmp_path):
    for wnid in ("n1", "n2"):
        (tmp_path / "images" / wnid).mkdir(parents=True)
        for name in "ab":
            picture().save(tmp_path / "images" / wnid / f"{name}.jpg")
    (tmp_path / "class_names.json").write_text('{"n1": "cat", "n2": "dog"}')
    (tmp_path / "fewshot_split").mkdir()
    good = "n1/a.jpg,n2/a.jpg,n1/b.jpg,"
    lines = [good, good[:-1], good.replace("n1/b", "n1/c"), good]
    (tmp_path / "fewshot_split" / "2_way_1_shot.csv").write_text("\n".join(lines))
    settings = FewShotSettings(ways=(2,), shots=(1,), shots_without_induction=())
    asked = list(islice(FewShotClassification(settings).instances(V2LEpisodes(tmp_path), 9, 0), 9))
    assert [isinstance(one, Instance) for one in asked] == [True, False, False, True]
    assert "line 2 does not end with a comma" in asked[1].error
    assert "c.jpg" in asked[2].error
