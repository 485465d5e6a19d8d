"""POPE's own questions about COCO val2014, in the files of RUCAIBox/POPE."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from frostbench.eval_suites.data.annotations import (
    either,
    inside,
    parsed,
    require,
    taken,
    text_lines,
)
from frostbench.eval_suites.data.sound import OneByOne
from frostbench.eval_suites.grounding.settings import POPE
from frostbench.plugins.contract.datasets import YesNoQuestion
from frostbench.plugins.contract.images import read_image

FILES = tuple(f"coco_pope_{protocol}.json" for protocol in POPE)
IMAGES = ("val2014", "images/val2014")


class PopeQuestions:
    """The questions of `coco_pope_<protocol>.json`, JSON lines, in their order.

    The folder holds the three files and COCO's val2014. Ids of questions restart in each file, so
    protocols are kept apart and never pooled.

    Raises:
        ValueError: the folder lacks one of these.
    """

    def __init__(self, folder: Path) -> None:
        require(folder, FILES, "POPE")
        self._folder = folder
        self._images = either(folder, IMAGES, "POPE")

    def questions(self, protocol: str, seed: int) -> Iterator[YesNoQuestion]:
        """The questions of a protocol, whatever the seed; see `YesNoSource`."""
        lines = text_lines(self._folder / f"coco_pope_{protocol}.json")
        return OneByOne(partial(self._question, *line) for line in lines)

    def _question(self, where: str, line: bytes) -> YesNoQuestion:
        entry = parsed(where, line)
        label = taken(where, entry, "label", str)
        if label not in ("yes", "no"):
            raise ValueError(f'{where}: the label is {label!r}, and neither "yes" nor "no".')
        image = taken(where, entry, "image", str)
        return YesNoQuestion(
            f"{taken(where, entry, 'question_id', int):05d}",
            read_image(inside(self._images, image, where)),
            taken(where, entry, "text", str),
            label == "yes",
            image,
        )
