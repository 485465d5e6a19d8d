"""ImageNet's thousand classes: wnids in the order of models' outputs, with a name for each."""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from torchvision.models import ResNet18_Weights

# torchvision has a dog "Cardigan" beside the jacket: the same word when case is ignored.
_TOLD_APART = {"n02113186": "Cardigan Welsh corgi"}


@cache
def imagenet_classes() -> Mapping[str, str]:
    """A name for each wnid, in the order of the wnids; no two are alike, in whatever case.

    The names are torchvision's: they tell the two cranes and the two maillots apart, and use blanks
    instead of underscores.
    """
    names = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    named = dict(zip(_wnids(), names, strict=True))
    return MappingProxyType(named | _TOLD_APART)


@cache
def v2l_classes() -> Mapping[str, str]:
    """The name for each wnid in the prompts of V2L-Tokenizer's published evaluation.

    They have underscores, two cranes and two maillots are alike, and the published blank of
    n01631663 is "eft" here.
    """
    told = {"n02012849": "crane", "n02113186": "Cardigan", "n03710721": "maillot"}
    names = {**imagenet_classes(), **told}
    return MappingProxyType({wnid: name.replace(" ", "_") for wnid, name in names.items()})


def _wnids() -> list[str]:
    spec = find_spec("timm")
    assert spec is not None
    assert spec.origin is not None
    # Importing timm takes seconds, and one small file of it is wanted.
    listed = Path(spec.origin).parent / "data" / "_info" / "imagenet_synsets.txt"
    return listed.read_text(encoding="utf-8").split()
