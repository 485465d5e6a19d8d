"""What a user writes beside her own images: captions, questions with answers, labels."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frostbench.eval_suites.data.annotations import (
    either,
    entries,
    inside,
    read_json,
    read_lines,
    require,
    taken,
    text_of,
)
from frostbench.eval_suites.data.folder import ImageSettings, Reading
from frostbench.eval_suites.data.samples import (
    AskedFiles,
    CaptionedFiles,
    CaptionEntry,
    LabelledFiles,
    QuestionEntry,
)


class OwnCaptions(CaptionedFiles):
    """Images with captions: `captions.csv` (file, caption) or `captions.json`.

    An image may stand in several lines of the CSV file, each with one caption. The JSON file is an
    object from file to a caption or a list of them. Samples are in the order of the file.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the entry.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        reading = Reading(folder, settings or ImageSettings())
        path = either(folder, ("captions.csv", "captions.json"), "a user's set of captions")
        captions: dict[str, list[str]] = {}
        for where, name, caption in _captions(path):
            _there(folder, name, where)
            captions.setdefault(name, []).append(text_of(caption, "caption", where))
        _some(captions, path)
        listed = [CaptionEntry(name, name, tuple(said)) for name, said in captions.items()]
        super().__init__(reading, listed)


class OwnQuestions(AskedFiles):
    """Questions about images: `questions.jsonl`, a line {"file", "question", "answers"} each.

    `answers` is a text or a list of accepted ones, or all ten that people gave. A line may have
    an `id`. Samples are in the order of the file.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the line.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        reading = Reading(folder, settings or ImageSettings())
        require(folder, ("questions.jsonl",), "a user's set of questions")
        path = folder / "questions.jsonl"
        questions: dict[str, QuestionEntry] = {}
        for number, (where, entry) in enumerate(read_lines(path)):
            name = taken(where, entry, "file", str)
            _there(folder, name, where)
            given = taken(where, entry, "answers", (str, list))
            answers = [given] if isinstance(given, str) else given
            if not answers:
                raise ValueError(f"{where} accepts no answer.")
            asked = text_of(taken(where, entry, "question", str), "question", where)
            own = str(entry.get("id", f"{number:05d}"))
            if own in questions:
                raise ValueError(f"{where}: the id {own!r} is another question's too.")
            texts = tuple(text_of(answer, "answer", where) for answer in answers)
            questions[own] = QuestionEntry(own, name, asked, texts)
        _some(questions, path)
        super().__init__(reading, list(questions.values()))


class OwnLabels(LabelledFiles):
    """Images by class: `labels.csv` (file, label). Each class is a family of its own.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the line.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        reading = Reading(folder, settings or ImageSettings())
        require(folder, ("labels.csv",), "a user's set of labels")
        path = folder / "labels.csv"
        labelled: dict[str, list[str]] = {}
        seen: Counter[str] = Counter()
        for where, name, label in _rows(path, "label"):
            _there(folder, name, where)
            if seen[name]:
                raise ValueError(f"{where}: {name} has a label already, and an image has one.")
            seen[name] += 1
            labelled.setdefault(text_of(label, "label", where), []).append(name)
        _some(labelled, path)
        super().__init__(reading, dict(sorted(labelled.items())))


def _captions(path: Path) -> Iterator[tuple[str, str, Any]]:
    if path.suffix == ".csv":
        yield from _rows(path, "caption")
        return
    found = read_json(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no object from a file's name to its captions.")
    for name, said in found.items():
        where = f"{path}, entry {name!r}"
        if isinstance(said, str):
            yield where, name, said
        else:
            yield from ((place, name, one) for place, one in entries(where, said))


def _rows(path: Path, column: str) -> Iterator[tuple[str, str, str]]:
    """Lines of a CSV file with the columns `file` and another, each with where it stands."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            missing = {"file", column} - set(rows.fieldnames or ())
            if missing:
                raise ValueError(
                    f"{path} has no column {' or '.join(sorted(missing))!s}; its first line names "
                    f"the columns file and {column}."
                )
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if row["file"] is None or row[column] is None or None in row:
                    raise ValueError(f"{where} does not have as many cells as the first line.")
                yield where, row["file"], row[column]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8: {error}.") from error


def _there(folder: Path, name: str, where: str) -> None:
    """See that an image is there; it is not read yet."""
    if not inside(folder, name, where).is_file():
        raise ValueError(f"{where} names {name[:200]!r}, and there is no such image in {folder}.")


def _some(found: Mapping[str, Any], path: Path) -> None:
    if not found:
        raise ValueError(f"{path} has no entries.")
