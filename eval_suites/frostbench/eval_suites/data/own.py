"""What a user writes beside her own images: captions, questions with answers, labels."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from frostbench.eval_suites.data.annotations import (
    either,
    entries,
    inside,
    read_json,
    read_lines,
    require,
    taken,
)
from frostbench.eval_suites.data.folder import ImageSettings, Reading
from frostbench.plugins.contract.datasets import AskedImage, CaptionedImage
from frostbench.plugins.contract.images import Image

T = TypeVar("T")


class Read(Sequence[T], Generic[T]):
    """Samples that are read one by one, when they are asked for."""

    def __init__(self, makers: Sequence[Callable[[], T]]) -> None:
        self._makers = makers

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Read(self._makers[index])
        return self._makers[index]()


class OwnCaptions:
    """Images with captions: `captions.csv` (file, caption) or `captions.json`.

    An image may stand in several lines of the CSV file, each with one caption. The JSON file is an
    object from file to a caption or a list of them. Samples are in the order of the file.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the entry.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        self._reading = Reading(folder, settings or ImageSettings())
        path = either(folder, ("captions.csv", "captions.json"), "a user's set of captions")
        self._captions: dict[str, list[str]] = {}
        for where, name, caption in _captions(path):
            _there(folder, name, where)
            self._captions.setdefault(name, []).append(_text(caption, "caption", where))
        _some(self._captions, path)

    def captioned(self) -> Sequence[CaptionedImage]:
        """The images in the order of the file."""
        return Read([self._maker(name, tuple(said)) for name, said in self._captions.items()])

    def references(self) -> Sequence[tuple[str, ...]]:
        """The captions in the order of the file."""
        return list(map(tuple, self._captions.values()))

    def _maker(self, name: str, captions: tuple[str, ...]) -> Callable[[], CaptionedImage]:
        return lambda: CaptionedImage(name, self._reading.image(name), captions, name)


class OwnQuestions:
    """Questions about images: `questions.jsonl`, a line {"file", "question", "answers"} each.

    `answers` is a text or a list of accepted ones, or all ten that people gave. A line may have
    an `id`.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the line.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        self._reading = Reading(folder, settings or ImageSettings())
        require(folder, ("questions.jsonl",), "a user's set of questions")
        path = folder / "questions.jsonl"
        self._questions: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        for number, (where, entry) in enumerate(read_lines(path)):
            name = taken(where, entry, "file", str)
            _there(folder, name, where)
            given = taken(where, entry, "answers", (str, list))
            answers = [given] if isinstance(given, str) else given
            if not answers:
                raise ValueError(f"{where} accepts no answer.")
            asked = _text(taken(where, entry, "question", str), "question", where)
            own = str(entry.get("id", f"{number:05d}"))
            if own in self._questions:
                raise ValueError(f"{where}: the id {own!r} is another question's too.")
            texts = tuple(_text(answer, "answer", where) for answer in answers)
            self._questions[own] = name, asked, texts
        _some(self._questions, path)

    def asked(self) -> Sequence[AskedImage]:
        """The questions in the order of the file; those of one image are one cluster."""
        return Read([self._maker(own, *rest) for own, rest in self._questions.items()])

    def _maker(
        self, own: str, name: str, question: str, answers: tuple[str, ...]
    ) -> Callable[[], AskedImage]:
        return lambda: AskedImage(own, self._reading.image(name), question, answers, name)


class OwnLabels:
    """Images by class: `labels.csv` (file, label). Each class is a family of its own.

    Raises:
        ValueError: there is no such file, or it is broken; the message names the line.
    """

    settings = ImageSettings

    def __init__(self, folder: Path, settings: ImageSettings | None = None) -> None:
        self._reading = Reading(folder, settings or ImageSettings())
        require(folder, ("labels.csv",), "a user's set of labels")
        path = folder / "labels.csv"
        labelled: dict[str, list[str]] = {}
        seen: Counter[str] = Counter()
        for where, name, label in _rows(path, "label"):
            _there(folder, name, where)
            if seen[name]:
                raise ValueError(f"{where}: {name} has a label already, and an image has one.")
            seen[name] += 1
            labelled.setdefault(_text(label, "label", where), []).append(name)
        _some(labelled, path)
        self._files: Mapping[str, list[str]] = labelled
        self._numbers = {name: number for number, name in enumerate(sorted(labelled))}

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in order."""
        return tuple(sorted(self._files))

    def family(self, name: str) -> int:
        """The number of a class: its own, as nobody says which look alike."""
        return self._numbers[name]

    def count(self, name: str) -> int:
        """How many images a class has."""
        return len(self._files[name])

    def portrait(self, name: str, number: int) -> Image:
        """Image `number` of a class, in the order of the file.

        Raises:
            ValueError: it cannot be read; the message names the file.
        """
        return self._reading.image(self._files[name][number])


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


def _text(value: Any, what: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where} has no {what}: a text is wanted that is not empty.")
    return value.strip()


def _some(found: Mapping[str, Any], path: Path) -> None:
    if not found:
        raise ValueError(f"{path} has no entries.")
