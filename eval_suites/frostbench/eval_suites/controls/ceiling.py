"""The control `ceiling`: the clean image, reconstructed from the method's own visual tokens."""

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Reconstruct, Restore
from frostbench.plugins.contract.task import Instance


def clean_image(instance: Instance) -> Reconstruct:
    """The reconstruction of the clean image, in place of a restoration.

    No restoration through these tokens is expected to come nearer to the target.

    Raises:
        ValueError: the instance restores nothing, or its target is no image.
    """
    request, target = instance.request, instance.target
    if not isinstance(request, Restore) or not isinstance(target, Image):
        raise ValueError(
            f"only restorations have a ceiling; {request.id!r} is a {type(request).__name__} "
            f"request with a {type(target).__name__} as its target."
        )
    return Reconstruct(request.id, target, request.seed)
