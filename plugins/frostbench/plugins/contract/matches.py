"""What an image adds to an average precision: its detections, marked right or wrong."""

import math
from dataclasses import dataclass

RIGHT, WRONG, NEITHER = "+", "-", "."


@dataclass(frozen=True)
class ClassMatches:
    """What one image adds to the average precision of the class `name`.

    `things` is how many there are to be found. Each detection has its score and its marks, one
    character for each threshold of overlap, the same thresholds in all images: "+" where it is
    right, "-" where it is wrong, "." where it counts as neither, as on a crowd.

    Raises:
        ValueError: a detection lacks score or marks, numbers of marks differ, a score is no finite
            number, or more detections are right than there are things.
    """

    name: str
    things: int
    scores: tuple[float, ...] = ()
    marks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.things < 0 or len(self.scores) != len(self.marks):
            raise ValueError(
                f"class {self.name!r}: {len(self.scores)} scores and {len(self.marks)} rows of "
                f"marks stand beside {self.things} things; each detection has one of either."
            )
        if not all(map(math.isfinite, self.scores)):
            raise ValueError(f"class {self.name!r}: a score is infinite or not a number.")
        strange = set("".join(self.marks)) - {RIGHT, WRONG, NEITHER}
        if strange or len({*map(len, self.marks)}) > 1 or "" in self.marks:
            raise ValueError(
                f"class {self.name!r}: marks are {RIGHT}, {WRONG} and {NEITHER}, one for each "
                f"threshold; these are {', '.join(map(repr, self.marks[:3]))}."
            )
        right = max((column.count(RIGHT) for column in zip(*self.marks, strict=True)), default=0)
        if right > self.things:
            raise ValueError(
                f"class {self.name!r}: {right} detections are right, and there are {self.things} "
                "things; a thing is found once."
            )
