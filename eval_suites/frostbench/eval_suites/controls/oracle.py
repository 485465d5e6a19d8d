"""The control `oracle_box`: what a method does where it is told the true box."""

from dataclasses import replace

from jaxtyping import Bool
from torch import Tensor

from frostbench.plugins.contract.requests import (
    Box,
    Ground,
    OracleThought,
    Reason,
    Refine,
    Request,
    Segment,
)
from frostbench.plugins.contract.task import Instance, TrueAnswer, TrueMasks


def true_boxes(instance: Instance) -> Request:
    """The same request, the true box in place of what the method finds by itself.

    Of phrases, the method's mask refiner gets the tight boxes of the true masks, and nothing else;
    of a chain of thought, the second look is at the true box. The row stands apart by its name, so
    that the target reaches the method in no other.

    Raises:
        ValueError: a true mask is empty, so that it has no box, or the instance asks for no masks
            and no thought.
    """
    request, target = instance.request, instance.target
    match request, target:
        case ((Segment() | Ground()), TrueMasks(masks)):
            boxes = tuple(map(box_of, masks))
            return Refine(request.id, request.image, boxes, request.seed)
        case Reason(), TrueAnswer(box=box):
            return replace(request, thought=OracleThought(box))
        case _:
            raise ValueError(
                f"only masks and thoughts have a true box; {request.id!r} is a "
                f"{type(request).__name__} request with a {type(target).__name__} as its target."
            )


def box_of(mask: Bool[Tensor, "h w"]) -> Box:
    """The smallest box around a mask.

    >>> box_of(torch.tensor([[False, False, False], [False, True, True]]))
    (1.0, 1.0, 3.0, 2.0)

    Raises:
        ValueError: the mask is empty.
    """
    if not bool(mask.any()):
        raise ValueError("the true mask is empty, so that there is no box around it.")
    rows, columns = (mask.any(axis).nonzero().flatten() for axis in (1, 0))
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    return float(left), float(top), float(right), float(bottom)
