"""Turns a sample of lmms-eval into a request, or says in a sentence why it cannot.

Both directions use this module, so that a method is asked the same whichever bench runs it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from frostbench.bench.lmms.version import LmmsError
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Answer, Caption, LabelledImage, Request
from frostbench.plugins.contract.seeds import seed_of

CAPTIONING = re.compile(r"(coco\d*_cap|flickr30k|nocaps|textcaps)")
"""Names of its tasks that ask for a caption; all others ask a question."""


@dataclass(frozen=True)
class LmmsSample:
    """A sample as lmms-eval gives it; `visuals` are what its task gives under that name."""

    task: str
    number: int
    text: str
    visuals: Sequence[Any] | None

    @property
    def id(self) -> str:
        """A name that sorts as the samples are numbered."""
        return f"{self.number:06d}"


@dataclass(frozen=True)
class Posed:
    """One sample that lmms-eval asks about; `open` makes its request when that is wanted.

    It raises an LmmsError where a method cannot be asked the sample.
    """

    id: str
    protocol: str | None
    open: Callable[[], Request]


def request_type(task: str) -> str:
    """What is asked of a method in a task."""
    return "Caption" if CAPTIONING.match(task) else "Answer"


def request_of(
    sample: LmmsSample, seed: int, examples: Sequence[LmmsSample] = (), said: Sequence[str] = ()
) -> Answer | Caption:
    """The request for a sample; `said` are the answers of its examples.

    Raises:
        LmmsError: there is none, since a method of frostbench is asked about one image.
    """
    image = one_image(sample)
    own = seed_of(seed, sample.task, sample.number)
    captioned = request_type(sample.task) == "Caption"
    shown = tuple(
        LabelledImage(one_image(one), text, "" if captioned else one.text.strip())
        for one, text in zip(examples, said, strict=True)
    )
    if captioned:
        return Caption(sample.id, image, shown, own)
    return Answer(sample.id, image, sample.text.strip(), shown, own)


def one_image(sample: LmmsSample) -> Image:
    """The only image of a sample.

    Raises:
        LmmsError: it has none, several, or something else.
    """
    where = f"task {sample.task!r}, sample {sample.number}"
    visuals = list(sample.visuals or ())
    others = sorted({_kind(one) for one in visuals if not isinstance(one, Pillow.Image)})
    if others:
        raise LmmsError(f"{where}: it shows {' and '.join(others)}, and methods read images.")
    if len(visuals) != 1:
        how = f"{len(visuals)} images" if visuals else "no image"
        raise LmmsError(f"{where}: it has {how}, and a request is about one.")
    return image_of(visuals[0], f"{sample.task} {sample.number}")


def image_of(visual: Pillow.Image, name: str = "") -> Image:
    """An image of lmms-eval, its pixels as they are."""
    array = np.array(visual.convert("RGB"), dtype=np.float32) / 255
    return Image(torch.from_numpy(array).permute(2, 0, 1).contiguous(), name)


def _kind(visual: Any) -> str:
    """A name for something that is no image."""
    if isinstance(visual, dict) and "array" in visual:
        return "audio"
    if isinstance(visual, str | bytes) or hasattr(visual, "get_batch"):
        return "a video or a file"
    return f"a {type(visual).__name__}"
