"""What annotations forbid is refused while tests run, by `tests/worlds/checked.py`."""

from collections.abc import Iterator
from dataclasses import dataclass

import beartype
import pytest
import torch
from checked import checked
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from frostbench.bench.store.records import StoredCost
from frostbench.plugins.parts.hiding import hide

check = checked(typechecker=beartype.beartype)


@check
def plain(number: int, text: str = "") -> str:
    return text if number else number


@check
def shaped(one: Float[Tensor, "b n"], other: Float[Tensor, " b"]) -> Float[Tensor, " n"]:
    return one[0] if other[0] else one.flatten()[:1]


@check
def nested(tensors: list[Float[Tensor, " b"]] | None) -> None: ...


@check
def generated(number: int) -> Iterator[int]:
    yield number


@check
@dataclass(frozen=True)
class Whole:
    number: int


@check
@dataclass(frozen=True)
class Part(Whole):
    row: Float[Tensor, " b"]


def test_what_is_annotated_is_accepted():
    assert plain(1, "a") == "a"
    assert len(shaped(torch.ones(2, 3), torch.ones(2))) == 3
    nested([torch.ones(2), torch.ones(2)])
    assert list(generated(1)) == [1]
    assert Part(1, torch.ones(2)).number == Whole(1).number


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (plain, ("1",)),
        (plain, (0,)),
        (plain, (1, 2)),
        (shaped, (torch.ones(2, 3), torch.ones(3))),
        (shaped, (torch.ones(2, 3).int(), torch.ones(2))),
        (shaped, (torch.ones(2, 3), torch.zeros(2))),
        (nested, ([torch.ones(2, 2)],)),
        (generated, ("1",)),
        (Whole, ("1",)),
        (Part, ("1", torch.ones(2))),
        (Part, (1, torch.ones(2, 2))),
    ],
)
def test_what_is_not_is_refused(function, given):
    with pytest.raises(TypeCheckError):
        function(*given)


def test_the_packages_are_checked_with_it():
    with pytest.raises(TypeCheckError):
        StoredCost("long")
    with pytest.raises(TypeCheckError):
        hide(torch.ones(3, 4, 4), torch.ones(4, 5, dtype=torch.bool))
