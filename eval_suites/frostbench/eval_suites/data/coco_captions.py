"""COCO Captions: the validation sets of 2014 and 2017, and Karpathy's splits of 2014.

Chen et al., 2015, https://arxiv.org/abs/1504.00325; Karpathy and Fei-Fei, CVPR 2015. Images come in
the order of the annotation file, as `COCO.getImgIds` of pycocotools gives them, and bear its ids.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from frostbench.eval_suites.data.annotations import (
    either,
    entries,
    inside,
    read_json,
    require,
    taken,
)
from frostbench.eval_suites.data.dropped import Dropped
from frostbench.eval_suites.data.folder import Reading, WholeImageSettings
from frostbench.eval_suites.data.samples import CaptionedFiles, CaptionEntry


class CocoCaptions(CaptionedFiles):
    """A validation set: `annotations/captions_<split>.json` and the folder `<split>`.

    Raises:
        ValueError: the folder lacks one of these, or the file is not as published; the message
            names the entry.
    """

    settings = WholeImageSettings
    split: ClassVar[str]

    def __init__(self, folder: Path, settings: WholeImageSettings | None = None) -> None:
        name = f"annotations/captions_{self.split}.json"
        require(folder, (name,), "COCO Captions")
        images = images_of(folder, self.split)
        path = folder / name
        content = read_json(path)
        files: dict[int, str] = {}
        left = Dropped(path)
        for where, entry in _listed(path, content, "images"):
            file = f"{images}/{taken(where, entry, 'file_name', str)}"
            inside(folder, file, where)
            if not left.is_twin(files, taken(where, entry, "id", int), file, where):
                files[entry["id"]] = file
        captions: dict[int, list[str]] = {number: [] for number in files}
        for where, entry in _listed(path, content, "annotations"):
            number = taken(where, entry, "image_id", int)
            if number not in captions:
                raise ValueError(f"{where} is of image {number}, which is not among the images.")
            if taken(where, entry, "caption", str).strip():
                captions[number].append(entry["caption"].strip())
            else:
                left.add("they are blank", where)
        listed = []
        for number, said in captions.items():
            if said:
                listed.append(CaptionEntry(str(number), files[number], tuple(said)))
            else:
                left.add("they have no caption", f"image {number}")
        if not listed:
            raise ValueError(f"{path} has no captions.")
        left.say()
        super().__init__(Reading(folder, settings or WholeImageSettings()), listed)


class CocoCaptionsVal2014(CocoCaptions):
    """COCO Captions' val2014, all 40,504 images, which are none of Karpathy's splits.

    The folder holds `annotations/captions_val2014.json` and `val2014/`, or `images/val2014/`.
    """

    split = "val2014"


class CocoCaptionsVal2017(CocoCaptions):
    """COCO Captions' val2017, all 5,000 images, which are none of Karpathy's splits.

    The folder holds `annotations/captions_val2017.json` and `val2017/`, or `images/val2017/`.
    """

    split = "val2017"


class KarpathyCaptions(CaptionedFiles):
    """A split of Karpathy's `dataset_coco.json` over the images of 2014: `val2014/`.

    Raises:
        ValueError: the folder lacks one of these, or the file is not as published; the message
            names the entry.
    """

    settings = WholeImageSettings
    split: ClassVar[str]

    def __init__(self, folder: Path, settings: WholeImageSettings | None = None) -> None:
        names = ("dataset_coco.json", "annotations/dataset_coco.json")
        path = either(folder, names, "Karpathy's splits of COCO")
        above = images_of(folder, "val2014").removesuffix("val2014")
        listed: dict[int, CaptionEntry] = {}
        left = Dropped(path)
        splits = set()
        for where, entry in _listed(path, read_json(path), "images"):
            found = taken(where, entry, "split", str)
            splits.add(found)
            if found != self.split:
                continue
            number = taken(where, entry, "cocoid", int)
            place, name = (taken(where, entry, key, str) for key in ("filepath", "filename"))
            file = f"{above}{place}/{name}"
            inside(folder, file, where)
            sentences = taken(where, entry, "sentences", list)
            typed = [
                taken(spot, one, "raw", str).strip()
                for spot, one in entries(f"{where}, sentences", sentences)
            ]
            new = CaptionEntry(str(number), file, tuple(filter(None, typed)))
            if not new.captions:
                left.add("they have no caption", where)
            elif not left.is_twin(listed, number, new, where):
                listed[number] = new
        if not listed:
            raise ValueError(
                f"{path} has no split {self.split!r}; it has {', '.join(sorted(splits)) or 'none'}."
            )
        left.say()
        reading = Reading(folder, settings or WholeImageSettings())
        super().__init__(reading, list(listed.values()))


class KarpathyVal(KarpathyCaptions):
    """The 5,000 images of Karpathy's split `val`.

    The folder holds `dataset_coco.json`, or has it in `annotations/`, and `val2014/`, or
    `images/val2014/`.
    """

    split = "val"


class KarpathyTest(KarpathyCaptions):
    """The 5,000 images of Karpathy's split `test`, on which most results of captioning are given.

    The folder holds `dataset_coco.json`, or has it in `annotations/`, and `val2014/`, or
    `images/val2014/`.
    """

    split = "test"


def images_of(folder: Path, split: str) -> str:
    """Where the images of one of COCO's splits lie within the folder.

    Raises:
        ValueError: nowhere.
    """
    places = (split, f"images/{split}")
    return either(folder, places, f"COCO's {split}").relative_to(folder).as_posix()


def _listed(path: Path, content: Any, key: str) -> Iterator[tuple[str, Any]]:
    return entries(f"{path}, {key}", taken(str(path), content, key, list))
