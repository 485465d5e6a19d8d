"""The built-in backbones and the engine, offered like an outsider's."""

from collections.abc import Iterable

from frostbench.plugins.contract.cards import Offer
from frostbench.plugins.contract.converter import Converter, PublishedFile
from frostbench.plugins.contract.hooks import hookimpl

_LOADERS = "frostbench.plugins.backbones.shared"


@hookimpl
def frostbench_backbones() -> Iterable[Offer[str]]:
    """Offer frozen models of every kind that the shared backbones load."""
    return [
        Offer("causal_lm", f"{_LOADERS}:load_causal_lm"),
        Offer("lmm", f"{_LOADERS}:load_lmm"),
        Offer("mae", f"{_LOADERS}:load_mae"),
        Offer("masked_lm", f"{_LOADERS}:load_masked_lm"),
        Offer("open_clip", f"{_LOADERS}:load_open_clip"),
        Offer("perceptual", f"{_LOADERS}:load_perceptual"),
        Offer("sam", f"{_LOADERS}:load_sam"),
        Offer("timm", f"{_LOADERS}:load_timm"),
    ]


@hookimpl
def frostbench_converters() -> Iterable[Converter]:
    """Offer to read the CLIPs of other layouts."""
    return [
        Converter(
            "clip",
            (
                PublishedFile(
                    "clip",
                    "OpenAI's archive (ViT-L-14.pt) or transformers' folder of a CLIP",
                ),
            ),
            "frostbench.plugins.backbones.clip_published:convert",
            "a CLIP as a folder for the kind open_clip",
            "activation=quick_gelu or gelu, where the files do not say it",
        ),
        Converter(
            "perceptual",
            (PublishedFile("vgg", "torchvision's VGG16 (vgg16-397923af.pth)"),),
            "frostbench.plugins.backbones.perceptual_published:convert",
            "LPIPS on VGG16 as the perceptual network that trainings look through",
        ),
    ]


@hookimpl
def frostbench_engines() -> Iterable[Offer[str]]:
    """Offer the engine that runs prompts on frozen models."""
    return [Offer("frozen", "frostbench.plugins.engine.frozen:FrozenEngine")]
