"""The validation set of ImageNet (ILSVRC 2012), as V2L-Tokenizer lists it or by class."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from frostbench.eval_suites.data.annotations import inside, require, text_in, text_lines
from frostbench.eval_suites.data.class_names import imagenet_classes
from frostbench.eval_suites.data.folder import ImageSettings, ListedImages, Reading, images_below
from frostbench.eval_suites.data.samples import LabelledFiles

LISTS = ("class_labels.txt", "imagenet_split/val/class_labels.txt", "val/class_labels.txt")


@dataclass(frozen=True)
class ImageNetSettings(ImageSettings):
    """How the set is read.

    Attributes:
        first: How many images there are, the first in order; 0 takes all. V2L-Tokenizer's
            restorations take the first 5,001 of its `class_labels.txt`.
    """

    first: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first < 0:
            raise ValueError(f"first is a number of images, or 0 for all, not {self.first}.")


class ImageNetVal(ListedImages, LabelledFiles):
    """The validation images of ImageNet in order, and by class.

    The folder holds `val/`, with the images of each class in a folder named by its wnid, or all in
    `val/` itself with V2L's `class_labels.txt`, which may also lie in `imagenet_split/val/` or in
    `val/`. With that list, its order counts; without it, the order is that of torchvision's
    `ImageFolder`: by wnid, then by name. Each class is a family of its own.

    Raises:
        ValueError: the folder lacks these, or the list is broken; the message names the line.
    """

    settings = ImageNetSettings

    def __init__(self, folder: Path, settings: ImageNetSettings | None = None) -> None:
        chosen = settings or ImageNetSettings()
        require(folder, ("val",), "ImageNet's validation set")
        listed = next((folder / name for name in LISTS if (folder / name).is_file()), None)
        found = _by_class(folder) if listed is None else _listed(folder, listed)
        kept = dict(list(found.items())[: chosen.first or None])
        files: dict[str, list[str]] = {name: [] for name in imagenet_classes().values()}
        for path, name in kept.items():
            files[name].append(path)
        reading = Reading(folder, chosen, stored=True)
        ListedImages.__init__(self, reading, tuple(kept))
        LabelledFiles.__init__(self, reading, files)


def _by_class(folder: Path) -> Mapping[str, str]:
    """Paths of images, from `val/<wnid>/`, and the names of their classes."""
    classes, found = imagenet_classes(), {}
    for own in _class_folders(folder):
        if own.name not in classes:
            raise ValueError(f"{own} is none of ImageNet's classes: a folder's name is its wnid.")
        for name in sorted(images_below(own)):
            found[f"val/{own.name}/{name}"] = classes[own.name]
    if not found:
        raise ValueError(
            f"{folder} lacks class_labels.txt, and {folder / 'val'} has no folders of classes "
            "(val/n01440764/...): one of them says the class of each image."
        )
    return found


def _listed(folder: Path, path: Path) -> Mapping[str, str]:
    """Paths of images, from lines `val/ILSVRC2012_val_00000007.JPEG,334`, and their classes."""
    classes = list(imagenet_classes().items())
    by_class = bool(_class_folders(folder))
    found: dict[str, str] = {}
    for where, name, number in _labels(path):
        inside(folder, name, where)
        if number >= len(classes):
            raise ValueError(
                f"{where}: the label {number} is none of 0 to {len(classes) - 1}, the places of "
                "the wnids in sorted order; ids of ImageNet's devkit, from 1 to 1000, have another "
                "order, and are not read."
            )
        wnid, label = classes[number]
        parts = PurePosixPath(name).parts
        # The list is flat; many have sorted the images into folders of classes.
        place = f"val/{wnid}/{parts[1]}" if by_class and len(parts) == 2 else name
        if place in found:
            raise ValueError(f"{where}: {name} has a label already, and an image has one.")
        found[place] = label
    return found


def _labels(path: Path) -> Iterator[tuple[str, str, int]]:
    for where, line in text_lines(path):
        text = text_in(where, line)
        match = re.fullmatch(r"([^,]+),\s*([0-9]{1,9})", text)
        if match is None:
            raise ValueError(f"{where} is not relative/path,label: {text[:200]!r}.")
        yield where, match[1], int(match[2])


def _class_folders(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in (folder / "val").iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )
