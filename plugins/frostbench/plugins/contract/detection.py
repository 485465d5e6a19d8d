"""Requests for everything of some classes, and for the boxes of phrases."""

from dataclasses import dataclass

from frostbench.plugins.contract.images import Image


@dataclass(frozen=True)
class Detect:
    """Give boxes with classes and scores for everything in `image` that is of one of `classes`.

    Raises:
        ValueError: no class is named, one is blank, or one is named twice.
    """

    id: str
    image: Image
    classes: tuple[str, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        _check_classes(self.id, self.classes)


@dataclass(frozen=True)
class SegmentInstances:
    """Give masks with classes and scores for everything in `image` that is of one of `classes`.

    Raises:
        ValueError: no class is named, one is blank, or one is named twice.
    """

    id: str
    image: Image
    classes: tuple[str, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        _check_classes(self.id, self.classes)


@dataclass(frozen=True)
class Locate:
    """Give one box for each of `phrases`: around what the phrase refers to.

    The phrases of one request are read in one sequence or apart, as the method does; phrases that
    must not see one another come in requests of their own.

    Raises:
        ValueError: there is no phrase, or one is blank.
    """

    id: str
    image: Image
    phrases: tuple[str, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        check_phrases(self.id, self.phrases, "locate")


def _check_classes(request: str, classes: tuple[str, ...]) -> None:
    if not classes:
        raise ValueError(f"request {request!r} names no class to look for; name one or more.")
    if not all(map(str.strip, classes)):
        raise ValueError(f"a class of request {request!r} is blank; there is nothing to find.")
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        raise ValueError(f"request {request!r} names the class {twice!r} twice.")


def check_phrases(request: str, phrases: tuple[str, ...], verb: str) -> None:
    """Check that a request has phrases to find.

    Raises:
        ValueError: there is none, or one is blank.
    """
    if not phrases:
        raise ValueError(f"request {request!r} has no phrase to {verb}; give one or more.")
    if not all(map(str.strip, phrases)):
        raise ValueError(f"a phrase of request {request!r} is blank; there is nothing to find.")
