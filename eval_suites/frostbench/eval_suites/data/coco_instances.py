"""COCO instances, with boxes and masks: the validation sets of 2014 and 2017.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. Images come in the order of the
annotation file, as `COCO.getImgIds` of pycocotools gives them (2.0.11, coco.py, lines 88 and 177),
and an image's things in that of `COCO.imgToAnns`; classes are in the order of their ids, as
`COCOeval` has them (cocoeval.py, line 81), which are not contiguous.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from jaxtyping import Bool
from torch import Tensor

from frostbench.eval_suites.data.annotations import (
    entries,
    inside,
    read_json,
    require,
    taken,
    text_of,
)
from frostbench.eval_suites.data.coco_captions import images_of
from frostbench.eval_suites.data.regions import box_in, finite, mask_of
from frostbench.eval_suites.data.samples import Read
from frostbench.plugins.contract.datasets import BoxedImage, Thing
from frostbench.plugins.contract.images import Image, UnreadableError, read_image

_Entry = tuple[str, Any]


@dataclass(frozen=True)
class _File:
    """An image file of the set, by its path within the folder, and its height and width."""

    path: str
    size: tuple[int, int]


class CocoInstances:
    """A set: `annotations/instances_<split>.json` and the folder `<split>`.

    Images without things count, too. A fault in an image's entries is reported when that image is
    asked for, and spoils no other.

    Raises:
        ValueError: the folder lacks one of these, the file is no such JSON, two classes have one
            name or id, or an annotation belongs to no image; the message names the entry.
    """

    split: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        name = f"annotations/instances_{self.split}.json"
        require(folder, (name,), "COCO's instances")
        self._folder, self._images = folder, images_of(folder, self.split)
        path = folder / name
        content = read_json(path)
        self._names = _classes(path, content)
        self._files: list[_Entry] = list(_listed(path, content, "images"))
        self._entries = _by_image(path, content, self._files)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of their ids."""
        return tuple(self._names.values())

    def boxed(self) -> Sequence[Any]:
        """The images in the order of the file."""
        seen: dict[Any, str] = {}
        makers: list[Callable[[], BoxedImage]] = []
        for where, entry in self._files:
            number = entry.get("id") if isinstance(entry, Mapping) else None
            first = seen.setdefault(number, where) if isinstance(number, int) else where
            makers.append(partial(self._boxed, where, entry, None if first == where else first))
        return Read(makers)

    def _boxed(self, where: str, entry: Any, twin: str | None) -> BoxedImage:
        try:
            number = taken(where, entry, "id", int)
            if twin is not None:
                raise ValueError(f"{where} has the id {number}, which is that of {twin} too.")
            file = self._file(where, entry)
            image = Image(read_image(self._folder / file.path).pixels, file.path)
            if image.size != file.size:
                raise ValueError(
                    f"{where} says that {file.path} has {file.size} pixels (height, width), and it "
                    f"has {image.size}."
                )
            things = tuple(self._thing(place, one, image.size) for place, one in self._own(number))
        except UnreadableError:
            raise
        except ValueError as error:
            raise UnreadableError(str(error)) from error
        return BoxedImage(f"{number:012d}", image, things, file.path)

    def _file(self, where: str, entry: Any) -> _File:
        path = f"{self._images}/{taken(where, entry, 'file_name', str)}"
        inside(self._folder, path, where)
        return _File(path, (taken(where, entry, "height", int), taken(where, entry, "width", int)))

    def _own(self, number: int) -> Iterator[_Entry]:
        """The annotations of an image; no two have the same id."""
        for where, entry, twin in self._entries.get(number, ()):
            if twin is not None:
                raise ValueError(f"{where} has the id {entry['id']}, which is that of {twin} too.")
            yield where, entry

    def _thing(self, where: str, entry: Any, size: tuple[int, int]) -> Thing:
        category = taken(where, entry, "category_id", int)
        if category not in self._names:
            known = ", ".join(map(str, list(self._names)[:5]))
            raise ValueError(
                f"{where} is of category {category}, and there is none of that id among the "
                f"{len(self._names)} categories ({known}, ...)."
            )
        crowd = entry.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise ValueError(f"{where} holds {str(crowd)[:80]} under 'iscrowd', which is 0 or 1.")
        (area,) = finite(where, [entry.get("area")], 1, "area")
        if area < 0:
            raise ValueError(f"{where} has an area of {area:g}.")
        box = box_in(where, entry.get("bbox"), size)
        mask = _mask(where, entry, size)
        return Thing(self._names[category], box, area, mask, bool(crowd))


class CocoInstancesVal2014(CocoInstances):
    """COCO's val2014, all 40,504 images, with 80 classes of things.

    The folder holds `annotations/instances_val2014.json` and `val2014/`, or `images/val2014/`.
    """

    split = "val2014"


class CocoInstancesVal2017(CocoInstances):
    """COCO's val2017, all 5,000 images, with 80 classes of things, on which detection is reported.

    The folder holds `annotations/instances_val2017.json` and `val2017/`, or `images/val2017/`.
    """

    split = "val2017"


def _classes(path: Path, content: Any) -> Mapping[int, str]:
    """Names by id, in the order of the ids."""
    names: dict[int, str] = {}
    for where, entry in _listed(path, content, "categories"):
        number = taken(where, entry, "id", int)
        name = text_of(taken(where, entry, "name", str), "name", where)
        if number in names or name in names.values():
            raise ValueError(f"{where}: there is another category {number} or {name!r}.")
        names[number] = name
    if not names:
        raise ValueError(f"{path} has no categories.")
    return dict(sorted(names.items()))


def _by_image(
    path: Path, content: Any, images: Sequence[_Entry]
) -> Mapping[int, Sequence[tuple[str, Any, str | None]]]:
    """Annotations by the image's id, each with its place and that of its id's earlier use."""
    known = {entry.get("id") for _, entry in images if isinstance(entry, Mapping)}
    found: dict[int, list[tuple[str, Any, str | None]]] = defaultdict(list)
    seen: dict[int, str] = {}
    for where, entry in _listed(path, content, "annotations"):
        number = taken(where, entry, "image_id", int)
        if number not in known:
            raise ValueError(f"{where} is of image {number}, which is not among the images.")
        first = seen.setdefault(taken(where, entry, "id", int), where)
        found[number].append((where, entry, None if first == where else first))
    return found


def _listed(path: Path, content: Any, key: str) -> Iterator[_Entry]:
    return entries(f"{path}, {key}", taken(str(path), content, key, list))


def _mask(where: str, entry: Any, size: tuple[int, int]) -> Bool[Tensor, "h w"] | None:
    """The mask of `segmentation`; None where there is none."""
    drawn = entry.get("segmentation")
    if drawn is None or drawn == []:
        return None
    return mask_of(taken(where, entry, "segmentation", (list, dict)), size, where)
