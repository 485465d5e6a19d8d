"""RefCOCO, RefCOCO+ and RefCOCOg: expressions that refer to one object in a COCO image.

Yu et al., ECCV 2016, and Mao et al., CVPR 2016, in the layout of lichengunc/refer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from frostbench.eval_suites.data.annotations import (
    either,
    entries,
    read_json,
    require,
    taken,
    text_of,
)
from frostbench.eval_suites.data.dropped import Dropped
from frostbench.eval_suites.data.regions import box_in, mask_of
from frostbench.eval_suites.data.sound import OneByOne
from frostbench.plugins.backbones.published import read_pickle
from frostbench.plugins.contract.datasets import Referent, ReferredImage
from frostbench.plugins.contract.images import read_image

IMAGES = ("train2014", "images/train2014", "images/mscoco/images/train2014")


class Expressions:
    """One split: images in the order of the file, each once, with all its referents.

    The folder holds `<which>/refs(<who>).p`, `<which>/instances.json`, and COCO's train2014.

    Raises:
        ValueError: the folder lacks one of these, or a file is not as published.
    """

    def __init__(self, folder: Path, which: str, who: str, split: str) -> None:
        refs, instances = f"{which}/refs({who}).p", f"{which}/instances.json"
        require(folder, (refs, instances), f"{which} ({who})")
        self._images = either(folder, IMAGES, which)
        self._annotations = _annotations(folder / instances)
        self._pictures = _referents(folder / refs, split)
        self._numbers = list(self._pictures)

    @property
    def size(self) -> int:
        """How many images the split has."""
        return len(self._numbers)

    def grounded(self, index: int) -> ReferredImage:
        """An image by its place in the split.

        Raises:
            ValueError: it cannot be read, or its annotations are broken.
        """
        number = self._numbers[index]
        return self._referred(number, self._pictures[number])

    def referred(self, seed: int) -> Iterator[ReferredImage]:
        """The images of the split, whatever the seed; see `ReferringSource`."""
        return OneByOne(partial(self._referred, *picture) for picture in self._pictures.items())

    def _referred(self, number: int, refs: Mapping[int, Any]) -> ReferredImage:
        # `file_name` of a referent has the annotation's id appended.
        image = read_image(self._images / f"COCO_train2014_{number:012d}.jpg")
        return ReferredImage(
            str(number),
            image,
            tuple(self._referent(annotation, ref, image.size) for annotation, ref in refs.items()),
        )

    def _referent(self, annotation: int, ref: "_Ref", size: tuple[int, int]) -> Referent:
        if annotation not in self._annotations:
            raise ValueError(f"{ref.where}: instances.json has no annotation {annotation}.")
        drawn, edges = self._annotations[annotation]
        mask = mask_of(drawn, size, ref.where)
        if not bool(mask.any()):
            raise ValueError(f"{ref.where}: the mask of annotation {annotation} is empty.")
        box = None if edges is None else box_in(ref.where, edges, size)
        return Referent(str(annotation), tuple(ref.sentences), mask, ref.typed, box)


def _annotations(path: Path) -> Mapping[int, tuple[Any, Any]]:
    """Segmentations and boxes (None where there is none) by the annotation's id."""
    listed = taken(str(path), read_json(path), "annotations", list)
    return {
        taken(where, entry, "id", int): (
            taken(where, entry, "segmentation", (list, dict)),
            entry.get("bbox"),
        )
        for where, entry in entries(f"{path}, annotations", listed)
    }


@dataclass
class _Ref:
    """What the file says of an annotation, and the place where it last does."""

    where: str = ""
    sentences: list[str] = field(default_factory=list)
    typed: str = ""


def _referents(path: Path, split: str) -> dict[int, dict[int, _Ref]]:
    """Referents by image and annotation, in the order in which the file first names them.

    An annotation that the file names several times has all the sentences, as for lichengunc/refer,
    and `typed` of the last, which mmdetection's `RefCOCODataset` keeps and F-LMM asks.
    """
    images: dict[int, dict[int, _Ref]] = {}
    splits = set()
    left = Dropped(path)
    for where, entry in entries(str(path), read_pickle(path.read_bytes(), path)):
        found = taken(where, entry, "split", str)
        splits.add(found)
        # The name is compared whole: "test" is not "testA".
        if found != split:
            continue
        said = list(entries(f"{where}, sentences", taken(where, entry, "sentences", list)))
        said = [one for one in said if taken(*one, "sent", str).strip()]
        if not said:
            left.add("they have no sentence", where)
            continue
        sentences = [sentence["sent"] for _, sentence in said]
        own = images.setdefault(taken(where, entry, "image_id", int), {})
        ref = own.setdefault(taken(where, entry, "ann_id", int), _Ref())
        ref.where = where
        ref.sentences += sentences
        place, first = said[0]
        ref.typed = text_of(taken(place, first, "raw", str), "sentence as it was typed", place)
    if split in splits and not images:
        raise ValueError(f"{path} has no sentence in the split {split!r}.")
    if not images:
        raise ValueError(
            f"{path} has no split {split!r}; it has {', '.join(sorted(splits)) or 'none'}."
        )
    left.say()
    return images


refcoco_unc_train = partial(Expressions, which="refcoco", who="unc", split="train")
refcoco_unc_val = partial(Expressions, which="refcoco", who="unc", split="val")
refcoco_unc_testA = partial(Expressions, which="refcoco", who="unc", split="testA")  # noqa: N816
refcoco_unc_testB = partial(Expressions, which="refcoco", who="unc", split="testB")  # noqa: N816
refcoco_google_val = partial(Expressions, which="refcoco", who="google", split="val")
refcoco_google_test = partial(Expressions, which="refcoco", who="google", split="test")
refcoco_plus_train = partial(Expressions, which="refcoco+", who="unc", split="train")
refcoco_plus_val = partial(Expressions, which="refcoco+", who="unc", split="val")
refcoco_plus_testA = partial(Expressions, which="refcoco+", who="unc", split="testA")  # noqa: N816
refcoco_plus_testB = partial(Expressions, which="refcoco+", who="unc", split="testB")  # noqa: N816
refcocog_umd_train = partial(Expressions, which="refcocog", who="umd", split="train")
refcocog_umd_val = partial(Expressions, which="refcocog", who="umd", split="val")
refcocog_umd_test = partial(Expressions, which="refcocog", who="umd", split="test")
refcocog_google_val = partial(Expressions, which="refcocog", who="google", split="val")
