"""The control `oracle_box`: the method is given the true box."""

from dataclasses import replace

from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.requests import (
    Ground,
    OracleThought,
    Reason,
    Refine,
    Request,
    Segment,
)
from frostbench.plugins.contract.task import Instance, TrueAnswer, TrueMasks


def true_boxes(instance: Instance) -> Request:
    """The same request, with the true box in place of the one that the method finds.

    For phrases, the method's mask refiner gets the tight boxes of the true masks, and nothing else;
    in a chain of thought, the second look is at the true box. The target reaches the method in this
    table row alone.

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
