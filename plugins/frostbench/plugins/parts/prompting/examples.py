"""In-context examples of restoration prompts, as whole grids of codes.

Disturbed copies are those of V2L-Tokenizer's published code (Zhu et al., CVPR 2024,
https://arxiv.org/abs/2403.07874).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class CodeExample:
    """An example: a window of `given` is shown as input, the same window of `wanted` as output."""

    given: Int[Tensor, " cells"]
    wanted: Int[Tensor, " cells"]


def disturbed(
    given: Int[Tensor, " cells"],
    wanted: Int[Tensor, " cells"],
    codes: int,
    counts: Sequence[int],
    seed: int,
) -> list[CodeExample]:
    """Copies of the image's own codes, each with as many replaced as `counts` says.

    In each copy `given` and `wanted` take the same codes at the same positions, drawn uniformly
    from all `codes`. The same seed gives the same copies.

    Raises:
        ValueError: more codes would be replaced than there are.
    """
    draw = torch.Generator().manual_seed(seed)
    cells = len(wanted)
    examples = []
    for count in counts:
        if count > cells:
            raise ValueError(
                f"{count} of {cells} codes cannot be disturbed; give lower rates, or fewer tokens "
                "beside the grid."
            )
        places = torch.randperm(cells, generator=draw)[:count]
        strange = torch.randint(codes, (count,), generator=draw)
        examples.append(
            CodeExample(
                given.index_copy(0, places, strange.to(given)),
                wanted.index_copy(0, places, strange.to(wanted)),
            )
        )
    return examples


def disturbed_counts(rates: Sequence[float], examples: int, tokens: int) -> list[int]:
    """How many codes are replaced in each example: floor(rate times `tokens`).

    `tokens` counts the grid and all tokens beside it, as the published code does: with 256 cells
    and 21 global words a rate of 0.50 replaces 138 of the cells, 53.9 % of them. With another
    number of examples than rates, rates are taken evenly from the list.

    >>> disturbed_counts((0.50, 0.47, 0.26, 0.23), 4, 277)
    [138, 130, 72, 63]
    >>> disturbed_counts((0.50, 0.47, 0.26, 0.23), 2, 277)
    [138, 72]
    """
    taken = [rates[i * len(rates) // examples] for i in range(examples)]
    # Products such as 0.29 * 100 fall just short of the intended whole number.
    return [math.floor(round(rate * tokens, 9)) for rate in taken]


def held_out(
    corrupted: Int[Tensor, " cells"],
    clean: Int[Tensor, " cells"],
    hidden: Bool[Tensor, " cells"] | None,
) -> CodeExample:
    """Another image before and after its restoration.

    Where cells are filled in one after the other, the query's input shows cells that are filled
    already; so does the example's: its hidden cells stand in `given` as they should be filled.
    """
    return CodeExample(
        corrupted if hidden is None else torch.where(hidden, clean, corrupted), clean
    )
