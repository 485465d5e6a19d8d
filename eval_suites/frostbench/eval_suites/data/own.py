"""What a user writes beside her own images: captions, questions with answers, labels, boxes."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Any

from frostbench.eval_suites.data.annotations import (
    byte_lines,
    either,
    entries,
    inside,
    read_json,
    read_lines,
    require,
    taken,
    text_in,
    text_of,
)
from frostbench.eval_suites.data.folder import ImageSettings, Reading, WholeImageSettings
from frostbench.eval_suites.data.samples import (
    AskedFiles,
    CaptionedFiles,
    CaptionEntry,
    LabelledFiles,
    QuestionEntry,
    Read,
)
from frostbench.plugins.contract.datasets import BoxedImage, Thing
from frostbench.plugins.contract.images import UnreadableError
from frostbench.plugins.contract.requests import within

EDGES = ("left", "top", "right", "bottom")


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
        for where, (name, label) in _rows(path, "label"):
            _there(folder, name, where)
            if seen[name]:
                raise ValueError(f"{where}: {name} has a label already, and an image has one.")
            seen[name] += 1
            labelled.setdefault(text_of(label, "label", where), []).append(name)
        _some(labelled, path)
        super().__init__(reading, dict(sorted(labelled.items())))


class OwnBoxes:
    """Images with boxes: `boxes.csv` (file, class, left, top, right, bottom), in pixels.

    An image stands in as many lines as it has boxes; one without any stands in a line whose other
    cells are empty. Images are as they are, in the order of the file; classes are in that of their
    names. A box counts as large as it is.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the line.
    """

    def __init__(self, folder: Path) -> None:
        self._reading = Reading(folder, WholeImageSettings())
        require(folder, ("boxes.csv",), "a user's set of boxes")
        path = folder / "boxes.csv"
        self._things: dict[str, list[tuple[str, Thing]]] = {}
        for where, (name, kind, *edges) in _rows(path, "class", *EDGES):
            _there(folder, name, where)
            own = self._things.setdefault(name, [])
            if kind.strip() or any(map(str.strip, edges)):
                own.append((where, _boxed(where, text_of(kind, "class", where), edges)))
        _some(self._things, path)
        said = {thing.name for things in self._things.values() for _, thing in things}
        self.classes = tuple(sorted(said))
        if not said:
            raise ValueError(f"{path} has no box.")

    def boxed(self) -> Sequence[Any]:
        """The images in the order of the file."""
        return Read([partial(self._image, *entry) for entry in self._things.items()])

    def _image(self, name: str, things: Sequence[tuple[str, Thing]]) -> BoxedImage:
        image = self._reading.image(name)
        for where, thing in things:
            if not within(thing.box, image.size):
                height, width = image.size
                raise UnreadableError(
                    f"{where} has the box {thing.box}, which is none (left, top, right, bottom) "
                    f"within {width} x {height} pixels."
                )
        return BoxedImage(name, image, tuple(thing for _, thing in things), name)


def _boxed(where: str, name: str, edges: Sequence[str]) -> Thing:
    try:
        left, top, right, bottom = map(float, edges)
    except ValueError:
        raise ValueError(f"{where} has {', '.join(edges)} for the edges of its box.") from None
    return Thing(name, (left, top, right, bottom), (right - left) * (bottom - top))


def _captions(path: Path) -> Iterator[tuple[str, str, Any]]:
    if path.suffix == ".csv":
        yield from ((where, name, said) for where, (name, said) in _rows(path, "caption"))
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


def _rows(path: Path, *columns: str) -> Iterator[tuple[str, list[str]]]:
    """Lines of a CSV file with the columns `file` and others, each with where it stands."""
    wanted = ("file", *columns)
    try:
        rows = csv.DictReader(starmap(text_in, byte_lines(path)))
        missing = set(wanted) - set(rows.fieldnames or ())
        if missing:
            raise ValueError(
                f"{path} has no column {' or '.join(sorted(missing))!s}; its first line names "
                f"the columns {', '.join(wanted[:-1])} and {wanted[-1]}."
            )
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if None in row or any(row[column] is None for column in wanted):
                raise ValueError(f"{where} does not have as many cells as the first line.")
            yield where, [row[column] for column in wanted]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}.") from error


def _there(folder: Path, name: str, where: str) -> None:
    """See that an image is there; it is not read yet."""
    if not inside(folder, name, where).is_file():
        raise ValueError(f"{where} names {name[:200]!r}, and there is no such image in {folder}.")


def _some(found: Mapping[str, Any], path: Path) -> None:
    if not found:
        raise ValueError(f"{path} has no entries.")
