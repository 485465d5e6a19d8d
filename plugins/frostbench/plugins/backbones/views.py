"""How the positions that a multimodal model gives to an image lie on it."""

from dataclasses import dataclass

from frostbench.plugins.contract.requests import Box


@dataclass(frozen=True)
class View:
    """A grid of image positions, row by row.

    Attributes:
        offset: The first cell's place within what the image takes of a prompt.
        rows: Cells from top to bottom.
        columns: Cells from left to right.
        stride: Places from a row to the next: `columns`, or one more where a newline ends each row.
        box: What the grid covers, (left, top, right, bottom) in the image's pixels. It reaches
            beyond the image where that was padded, and leaves edges out where they were cropped
            away.
    """

    offset: int
    rows: int
    columns: int
    stride: int
    box: Box

    def positions(self, start: int = 0) -> tuple[int, ...]:
        """The cells' places in a prompt where the image begins at `start`, row by row."""
        first = start + self.offset
        return tuple(
            first + row * self.stride + column
            for row in range(self.rows)
            for column in range(self.columns)
        )
