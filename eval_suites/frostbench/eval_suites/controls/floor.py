"""The control `floor`: the corrupted image, reconstructed from the method's own visual tokens."""

from frostbench.plugins.contract.requests import Reconstruct, Restore
from frostbench.plugins.contract.task import Instance


def corrupted_image(instance: Instance) -> Reconstruct:
    """The reconstruction of the corrupted image, in place of a restoration.

    An encoder that cannot represent noise leaves some of it out; a method restores by more than its
    visual tokens only what it restores beyond that.

    Raises:
        ValueError: the instance restores nothing.
    """
    request = instance.request
    if not isinstance(request, Restore):
        raise ValueError(
            f"only restorations have a floor; {request.id!r} is a {type(request).__name__} request."
        )
    return Reconstruct(request.id, request.image, request.seed)
