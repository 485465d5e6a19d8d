"""Panoptic Narrative Grounding: a mask for each noun phrase of a narrative.

Gonzalez et al., ICCV 2021, https://github.com/BCV-Uniandes/PNG.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from frostbench.eval_suites.data.annotations import either, entries, read_json, require, taken
from frostbench.eval_suites.data.sound import OneByOne
from frostbench.plugins.contract.datasets import Narrative
from frostbench.plugins.contract.images import open_image, read_image
from frostbench.plugins.contract.requests import Span


class PanopticNarratives:
    """The narratives of a split, in the order of the file, each with its grounded phrases.

    A phrase's mask is the union of its panoptic segments. As in F-LMM, a plural always counts as
    things, and a singular as its first segment's category says. The text is that of the utterances,
    joined by blanks. A narrative without any grounded phrase is left out.

    Raises:
        ValueError: the folder lacks one of the files, or one is not as published.
    """

    def __init__(self, folder: Path, split: str = "val2017") -> None:
        told, panoptic = (f"annotations/{kind}_{split}.json" for kind in ("png_coco", "panoptic"))
        require(folder, (told, panoptic), "PNG")
        segments = (f"annotations/panoptic_segmentation/{split}", f"annotations/panoptic_{split}")
        self._segments = either(folder, segments, "PNG")
        self._images = either(folder, (f"images/{split}", split), "PNG")
        self._narratives = list(entries(str(folder / told), read_json(folder / told)))
        self._things = _things(folder / panoptic)

    @cached_property
    def _grounded(self) -> list[int]:
        """The narratives with a grounded phrase."""
        return [number for number, entry in enumerate(self._narratives) if _is_grounded(*entry)]

    @property
    def size(self) -> int:
        """How many narratives have a grounded phrase."""
        return len(self._grounded)

    def grounded(self, index: int) -> Narrative:
        """A narrative by its place among those that have a grounded phrase.

        Raises:
            ValueError: it is broken, or its image cannot be read.
        """
        number = self._grounded[index]
        made = self._narrative(number, *self._narratives[number])
        assert made is not None
        return made

    def narratives(self, seed: int) -> Iterator[Narrative]:
        """The narratives, whatever the seed; see `NarrativeSource`."""
        return OneByOne(
            partial(self._narrative, number, *entry)
            for number, entry in enumerate(self._narratives)
        )

    def _narrative(self, number: int, where: str, entry: Any) -> Narrative | None:
        identity = _number(where, taken(where, entry, "image_id", (str, int)))
        text, spans, kinds, wanted = "", [], [], []
        for place, segment in entries(f"{where}, segments", taken(where, entry, "segments", list)):
            said = taken(place, segment, "utterance", str).strip()
            ids = [_number(place, one) for one in taken(place, segment, "segment_ids", list)]
            start = len(text) + bool(text and said)
            text = f"{text} {said}".strip()
            if ids and said:
                spans.append((start, start + len(said)))
                plural = bool(segment.get("plural", False))
                kinds.append(self._kinds(place, identity, ids, plural))
                wanted.append((place, ids))
        if not spans:
            return None
        image = read_image(self._images / f"{identity:012d}.jpg")
        painted = _painted(self._segments / f"{identity:012d}.png")
        if tuple(painted.shape) != image.size:
            raise ValueError(
                f"{where}: the segments are {tuple(painted.shape)}, and the image {image.size}."
            )
        masks = [_union(place, ids, painted) for place, ids in wanted]
        phrases: tuple[Span, ...] = tuple(spans)
        return Narrative(f"{number:05d}", image, text, phrases, torch.stack(masks), tuple(kinds))

    def _kinds(self, where: str, image: int, ids: list[int], plural: bool) -> tuple[str, ...]:
        if plural:
            return "thing", "plural"
        known = self._things.get(image, {})
        if ids[0] not in known:
            raise ValueError(f"{where}: image {image} has no panoptic segment {ids[0]}.")
        return "thing" if known[ids[0]] else "stuff", "singular"


def _is_grounded(where: str, entry: Any) -> bool:
    listed = taken(where, entry, "segments", list)
    return any(
        taken(place, one, "utterance", str).strip() and taken(place, one, "segment_ids", list)
        for place, one in entries(f"{where}, segments", listed)
    )


def _things(path: Path) -> Mapping[int, Mapping[int, bool]]:
    """For each image and segment, whether it is a thing (not stuff)."""
    whole = read_json(path)
    where = f"{path}, categories"
    is_thing = {
        taken(place, one, "id", int): bool(taken(place, one, "isthing", int))
        for place, one in entries(where, taken(str(path), whole, "categories", list))
    }
    found: dict[int, dict[int, bool]] = {}
    where = f"{path}, annotations"
    for place, one in entries(where, taken(str(path), whole, "annotations", list)):
        segments = found.setdefault(taken(place, one, "image_id", int), {})
        for spot, segment in entries(place, taken(place, one, "segments_info", list)):
            category = taken(spot, segment, "category_id", int)
            if category not in is_thing:
                raise ValueError(f"{spot}: there is no category {category}.")
            segments[taken(spot, segment, "id", int)] = is_thing[category]
    return found


def _painted(path: Path) -> Int[Tensor, "h w"]:
    """The segment of each pixel: R + 256 G + 65536 B."""
    try:
        with open_image(path) as file:
            # Bytes would overflow.
            colours = np.asarray(file.convert("RGB"), dtype=np.int64)
    except Exception as error:  # whatever a damaged file makes of Pillow's readers
        raise ValueError(f"cannot read the panoptic segments {path}: {error}.") from error
    return torch.from_numpy(colours @ np.array([1, 256, 65536]))


def _union(where: str, ids: list[int], painted: Int[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    mask = torch.isin(painted, torch.tensor(ids))
    if not bool(mask.any()):
        raise ValueError(f"{where}: no pixel is of its segments {ids}; its mask is empty.")
    return mask


def _number(where: str, value: Any) -> int:
    """An id, which these files write as a text."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: {value!r} is no id.") from None


png_train2017 = partial(PanopticNarratives, split="train2017")
