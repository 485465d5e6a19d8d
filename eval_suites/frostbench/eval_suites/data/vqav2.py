"""VQAv2: questions about COCO's val2014, each with ten answers.

Goyal et al., CVPR 2017, https://arxiv.org/abs/1612.00837. Questions come in the order of the
annotations, as `VQA.getQuesIds` of GT-Vision-Lab/VQA gives them, and bear its ids.
"""

from pathlib import Path

from frostbench.eval_suites.data.annotations import (
    entries,
    read_json,
    require,
    taken,
    text_of,
)
from frostbench.eval_suites.data.coco_captions import images_of
from frostbench.eval_suites.data.dropped import Dropped
from frostbench.eval_suites.data.folder import Reading, WholeImageSettings
from frostbench.eval_suites.data.samples import AskedFiles, QuestionEntry

QUESTIONS = "v2_OpenEnded_mscoco_val2014_questions.json"
ANNOTATIONS = "v2_mscoco_val2014_annotations.json"
ANSWERS = 10


class VQAv2Questions(AskedFiles):
    """VQAv2's validation set; only the challenge's server has the answers of test-dev and test.

    The folder holds `v2_OpenEnded_mscoco_val2014_questions.json` and
    `v2_mscoco_val2014_annotations.json`, or has both in `annotations/`, and `val2014/`, or
    `images/val2014/`.

    Raises:
        ValueError: the folder lacks one of these, or a file is not as published; the message names
            the entry.
    """

    settings = WholeImageSettings

    def __init__(self, folder: Path, settings: WholeImageSettings | None = None) -> None:
        beside = folder / "annotations"
        base = beside if (beside / QUESTIONS).exists() else folder
        require(
            base,
            (QUESTIONS, ANNOTATIONS),
            "VQAv2's val (test-dev and test have no answers to score with)",
        )
        images = images_of(folder, "val2014")
        questions = _questions(base / QUESTIONS)
        listed: dict[int, QuestionEntry] = {}
        path = base / ANNOTATIONS
        left = Dropped(path)
        given = taken(str(path), read_json(path), "annotations", list)
        for where, entry in entries(f"{path}, annotations", given):
            number, image = (taken(where, entry, key, int) for key in ("question_id", "image_id"))
            if number not in questions or questions[number][0] != image:
                raise ValueError(
                    f"{where}: {QUESTIONS} has no question {number} about image {image}."
                )
            answers = tuple(
                taken(place, one, "answer", str)
                for place, one in entries(f"{where}, answers", taken(where, entry, "answers", list))
            )
            if len(answers) != ANSWERS:
                raise ValueError(f"{where} has {len(answers)} answers; VQAv2 has {ANSWERS}.")
            file = f"{images}/COCO_val2014_{image:012d}.jpg"
            new = QuestionEntry(str(number), file, questions[number][1], answers)
            if not left.is_twin(listed, number, new, where):
                listed[number] = new
        left.say()
        missing = questions.keys() - listed.keys()
        if missing or not listed:
            raise ValueError(
                f"{path} answers {len(listed)} questions of {len(questions)}"
                + (f"; {min(missing)} is one that it does not answer." if missing else ".")
            )
        super().__init__(Reading(folder, settings or WholeImageSettings()), list(listed.values()))


def _questions(path: Path) -> dict[int, tuple[int, str]]:
    """The image and the text of each question."""
    found: dict[int, tuple[int, str]] = {}
    left = Dropped(path)
    given = taken(str(path), read_json(path), "questions", list)
    for where, entry in entries(f"{path}, questions", given):
        number = taken(where, entry, "question_id", int)
        text = text_of(taken(where, entry, "question", str), "question", where)
        new = taken(where, entry, "image_id", int), text
        if not left.is_twin(found, number, new, where):
            found[number] = new
    left.say()
    return found
