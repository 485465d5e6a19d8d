"""Image files with captions, questions or labels; each file is read when it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from frostbench.eval_suites.data.folder import Reading
from frostbench.plugins.contract.datasets import AskedImage, CaptionedImage
from frostbench.plugins.contract.images import Image

T = TypeVar("T")


class Read(Sequence[T], Generic[T]):
    """Samples that are read one by one, when they are asked for.

    Functions that take or give some are typed `Sequence[Any]`: checking a sample's type would read
    it.
    """

    def __init__(self, makers: Sequence[Callable[[], T]]) -> None:
        self._makers = makers

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Read(self._makers[index])
        return self._makers[index]()


@dataclass(frozen=True)
class CaptionEntry:
    """An image file, by its path within the folder, and its captions; nothing is read yet."""

    id: str
    file: str
    captions: tuple[str, ...]


class CaptionedFiles:
    """Image files with captions, in a fixed order."""

    def __init__(self, reading: Reading, listed: Sequence[CaptionEntry]) -> None:
        self._reading, self._listed = reading, listed

    def captioned(self) -> Sequence[Any]:
        """The images in their order."""
        return Read([self._maker(entry) for entry in self._listed])

    def references(self) -> Sequence[tuple[str, ...]]:
        """The captions in the same order."""
        return [entry.captions for entry in self._listed]

    def _maker(self, entry: CaptionEntry) -> Callable[[], CaptionedImage]:
        return lambda: CaptionedImage(
            entry.id, self._reading.image(entry.file), entry.captions, entry.file
        )


@dataclass(frozen=True)
class QuestionEntry:
    """A question about an image file, by its path within the folder; nothing is read yet."""

    id: str
    file: str
    question: str
    answers: tuple[str, ...]


class AskedFiles:
    """Questions about image files, in a fixed order; those of one file are one cluster."""

    def __init__(self, reading: Reading, listed: Sequence[QuestionEntry]) -> None:
        self._reading, self._listed = reading, listed

    def asked(self) -> Sequence[Any]:
        """The questions in their order."""
        return Read([self._maker(entry) for entry in self._listed])

    def _maker(self, entry: QuestionEntry) -> Callable[[], AskedImage]:
        return lambda: AskedImage(
            entry.id, self._reading.image(entry.file), entry.question, entry.answers, entry.file
        )


class LabelledFiles:
    """Image files by class, in a fixed order; each class is a family of its own."""

    def __init__(self, reading: Reading, files: Mapping[str, Sequence[str]]) -> None:
        self._reading, self._files = reading, files
        self._numbers = {name: number for number, name in enumerate(files)}

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that have images, in their order."""
        return tuple(name for name, files in self._files.items() if files)

    def family(self, name: str) -> int:
        """The number of a class: each is its own family, since it is not known which look alike."""
        return self._numbers[name]

    def count(self, name: str) -> int:
        """How many images a class has."""
        return len(self._files[name])

    def portrait(self, name: str, number: int) -> Image:
        """Image `number` of a class, in the set's order.

        Raises:
            UnreadableError: it cannot be read; the message names the file.
        """
        return self._reading.image(self._files[name][number])
