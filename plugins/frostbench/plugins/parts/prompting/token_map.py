"""Which of a language model's token ids stand for the codes of a codebook."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor

CodeToId: TypeAlias = Literal["identity", "offset", "permutation"]


@dataclass(frozen=True)
class TokenMap:
    """Code i is shown to the language model as its token `ids[i]`.

    `vocabulary` is the number of ids that the language model can generate.

    Raises:
        ValueError: an id stands for two codes, or is no id of the language model.
    """

    ids: tuple[int, ...]
    vocabulary: int

    def __post_init__(self) -> None:
        if not self.ids or len(set(self.ids)) != len(self.ids):
            raise ValueError("each code has an id of its own, and there is at least one code.")
        if min(self.ids) < 0 or max(self.ids) >= self.vocabulary:
            raise ValueError(
                f"codes are mapped to ids up to {max(self.ids)}, and the language model has "
                f"{self.vocabulary}, counted from 0; choose another code_to_id or a larger model."
            )

    @cached_property
    def allowed(self) -> frozenset[int] | None:
        """The ids that are codes; None where every id of the language model is one."""
        return None if len(self.ids) == self.vocabulary else frozenset(self.ids)

    @cached_property
    def _codes(self) -> dict[int, int]:
        return {token: code for code, token in enumerate(self.ids)}

    def ids_of(self, codes: Int[Tensor, "*grid"]) -> list[int]:
        """The ids of codes, in row order."""
        flat: list[int] = codes.flatten().tolist()
        return [self.ids[code] for code in flat]

    def codes_of(self, ids: list[int]) -> list[int]:
        """The codes of ids.

        Raises:
            ValueError: an id stands for no code.
        """
        strange = next((i for i in ids if i not in self._codes), None)
        if strange is not None:
            raise ValueError(
                f"the language model answered with id {strange}, which stands for none of the "
                f"{len(self.ids)} codes."
            )
        return [self._codes[i] for i in ids]


def map_codes(codes: int, vocabulary: int, how: CodeToId = "identity", first: int = 0) -> TokenMap:
    """Map the codes of a codebook to ids of a language model.

    Args:
        codes: Rows of the codebook.
        vocabulary: Ids of the language model.
        how: "identity": code i is id i, as V2L's own code does with a learned table; "offset":
            code i is id `first` + i, which leaves out special and byte tokens; "permutation":
            codes are ids `first`, `first` + 1, ... in an order drawn with a fixed seed, as the
            link between a learned code and an id is arbitrary anyway.
        first: The lowest id that stands for a code; 0 for "identity".

    Raises:
        ValueError: the language model has fewer ids than are needed.
    """
    start = 0 if how == "identity" else first
    if start < 0 or start + codes > vocabulary:
        raise ValueError(
            f"{codes} codes from id {start} on need {start + codes} ids, and the language "
            f"model has {vocabulary}; choose a smaller codebook, a lower first id or a larger "
            "vocabulary."
        )
    if how != "permutation":
        return TokenMap(tuple(range(start, start + codes)), vocabulary)
    order = torch.randperm(vocabulary - start, generator=torch.Generator().manual_seed(0))
    return TokenMap(tuple((start + order[:codes]).tolist()), vocabulary)
