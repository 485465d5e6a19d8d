"""POPE's own questions about COCO val2014, in the files of RUCAIBox/POPE."""

from collections.abc import Iterator
from pathlib import Path

from frostbench.eval_suites.data.annotations import either, inside, read_lines, require, taken
from frostbench.eval_suites.grounding.settings import POPE
from frostbench.plugins.contract.datasets import YesNoQuestion
from frostbench.plugins.contract.images import read_image

FILES = tuple(f"coco_pope_{protocol}.json" for protocol in POPE)
IMAGES = ("val2014", "images/val2014")


class PopeQuestions:
    """The questions of `coco_pope_<protocol>.json`, JSON lines, in their order.

    The folder holds the three files and COCO's val2014. A question's id restarts in each file, so
    that protocols are kept apart and never pooled.

    Raises:
        ValueError: the folder lacks one of these.
    """

    def __init__(self, folder: Path) -> None:
        require(folder, FILES, "POPE")
        self._folder = folder
        self._images = either(folder, IMAGES, "POPE")

    def questions(self, protocol: str, seed: int) -> Iterator[YesNoQuestion]:
        """The questions of a protocol, whatever the seed; see `YesNoSource`."""
        for where, entry in read_lines(self._folder / f"coco_pope_{protocol}.json"):
            label = taken(where, entry, "label", str)
            if label not in ("yes", "no"):
                raise ValueError(f'{where}: the label is {label!r}, and neither "yes" nor "no".')
            image = taken(where, entry, "image", str)
            yield YesNoQuestion(
                f"{taken(where, entry, 'question_id', int):05d}",
                read_image(inside(self._images, image, where)),
                taken(where, entry, "text", str),
                label == "yes",
                image,
            )
