"""Reads a file's entries one by one, so that a broken one spoils no other."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Generic, TypeVar

from frostbench.plugins.contract.task import Instance, Sample, Unreadable

T = TypeVar("T")
P = TypeVar("P")


class OneByOne(Iterator[T], Generic[T]):
    """The results of makers, in their order; None is skipped.

    Attributes:
        fault: The error that ended the makers themselves, if there was one.

    Raises:
        ValueError: on `next`: an entry is broken, and the next one can still be read; or the file
            itself is broken (`fault`).
    """

    def __init__(self, makers: Iterable[Callable[[], T | None]]) -> None:
        self._makers = iter(makers)
        self.fault: Exception | None = None

    def __next__(self) -> T:
        while True:
            if self.fault is not None:
                raise self.fault
            try:
                make = next(self._makers)
            except StopIteration:
                raise
            except Exception as error:
                self.fault = error
                raise
            made = make()
            if made is not None:
                return made


def sound(source: Iterator[T], task: str, protocol: str | None) -> Iterator[T | Unreadable]:
    """The entries of a source, and what is wrong with those that are broken.

    Raises:
        ValueError: the source itself is broken.
    """
    for number in count():
        try:
            entry = next(source)
        except StopIteration:
            return
        except ValueError as error:
            # A generator that has raised gives nothing any more, even if its file has more.
            if not isinstance(source, OneByOne) or source.fault is not None:
                raise
            yield Unreadable(f"{task}-entry-{number:05d}", protocol, str(error))
        else:
            yield entry


def one_by_one(protocols: Iterable[P], give: Callable[[P], Iterator[T]]) -> Iterator[T]:
    """The instances of each protocol; a protocol with a broken source spoils no other.

    Raises:
        ValueError: at the end, with what was wrong with broken protocols.
    """
    broken: list[str] = []
    for protocol in protocols:
        try:
            yield from give(protocol)
        except ValueError as error:
            broken.append(str(error))
    if broken:
        raise ValueError(" ".join(dict.fromkeys(broken)))


def asked(
    entries: Iterator[T | Unreadable], ask: Callable[[T], Iterator[Instance]]
) -> Iterator[Sample]:
    """All instances about entries, and those that cannot be read."""
    for entry in entries:
        if isinstance(entry, Unreadable):
            yield entry
        else:
            yield from ask(entry)
