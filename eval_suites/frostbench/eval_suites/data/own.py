"""Readers of a user's own images with captions, questions and answers, labels, or boxes."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
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
from frostbench.eval_suites.data.dropped import Dropped
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
from frostbench.plugins.host.errors import LeftOutNote

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
        images = _Images(folder, path)
        for where, name, caption in _captions(path):
            said = text_of(caption, "caption", where)
            if images.has(name, where):
                captions.setdefault(name, []).append(said)
        images.say()
        listed = [CaptionEntry(name, name, tuple(texts)) for name, texts in captions.items()]
        super().__init__(reading, listed)


class OwnQuestions(AskedFiles):
    """Questions about images: `questions.jsonl`, a line {"file", "question", "answers"} each.

    `answers` is a text, a list of accepted texts, or all ten answers that people gave. A line may
    have an `id`. Samples are in the order of the file.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the line.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        reading = Reading(folder, settings or ImageSettings())
        require(folder, ("questions.jsonl",), "a user's set of questions")
        path = folder / "questions.jsonl"
        questions: dict[str, QuestionEntry] = {}
        images = _Images(folder, path)
        for number, (where, entry) in enumerate(read_lines(path)):
            name = taken(where, entry, "file", str)
            given = taken(where, entry, "answers", (str, list))
            answers = [given] if isinstance(given, str) else given
            if not answers:
                raise ValueError(f"{where} accepts no answer.")
            asked = text_of(taken(where, entry, "question", str), "question", where)
            own = str(entry.get("id", f"{number:05d}"))
            if own in questions:
                raise ValueError(f"{where}: the id {own!r} is another question's too.")
            texts = tuple(text_of(answer, "answer", where) for answer in answers)
            if images.has(name, where):
                questions[own] = QuestionEntry(own, name, asked, texts)
        images.say()
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
        images = _Images(folder, path)
        for where, (name, label) in _rows(path, "label"):
            if seen[name]:
                raise ValueError(f"{where}: {name} has a label already, and an image has one.")
            seen[name] += 1
            said = text_of(label, "label", where)
            if images.has(name, where):
                labelled.setdefault(said, []).append(name)
        images.say()
        super().__init__(reading, dict(sorted(labelled.items())))


class OwnBoxes:
    """Images with boxes: `boxes.csv` (file, class, left, top, right, bottom), in pixels.

    An image stands in as many lines as it has boxes; an image without boxes stands in a line whose
    other fields are empty. Images are not resized, and keep the order of the file; classes are in
    the order of their names. A thing's size is that of its box.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the line.
    """

    def __init__(self, folder: Path) -> None:
        self._reading = Reading(folder, WholeImageSettings())
        require(folder, ("boxes.csv",), "a user's set of boxes")
        path = folder / "boxes.csv"
        self._things: dict[str, list[tuple[str, Thing]]] = {}
        images = _Images(folder, path)
        for where, (name, kind, *edges) in _rows(path, "class", *EDGES):
            some = kind.strip() or any(map(str.strip, edges))
            thing = _boxed(where, text_of(kind, "class", where), edges) if some else None
            if images.has(name, where):
                own = self._things.setdefault(name, [])
                own += [] if thing is None else [(where, thing)]
        images.say()
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
    """Lines of a CSV file with the columns `file` and others, each with its place."""
    wanted = ("file", *columns)
    rows = csv.DictReader(starmap(text_in, byte_lines(path)))
    try:
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
        raise ValueError(f"{path}, line {rows.line_num + 1} is no line of CSV.") from error


class _Images:
    """The images that a file names; entries for missing images are left out.

    Raises:
        ValueError: in `say`, if no image is there.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self._folder, self._path = folder, path
        self._dropped = Dropped(path)
        self._first, self._some = "", False

    def has(self, name: str, where: str) -> bool:
        """Whether an image is there; it is not read yet.

        Raises:
            ValueError: the name leads out of the folder.
        """
        there = inside(self._folder, name, where).is_file()
        self._first = self._first or name
        self._some |= there
        if not there:
            self._dropped.add(f"there are no such images in {self._folder}", f"{where} ({name})")
        return there

    def say(self) -> None:
        """Warn of what is left out, once all is read."""
        if not self._first:
            raise ValueError(f"{self._path} has no entries.")
        if not self._some:
            raise ValueError(
                f"{self._path} names no image that is there; the first is {self._first[:200]!r}."
            )
        self._dropped.say(LeftOutNote)
