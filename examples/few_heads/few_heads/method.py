"""Localization heads: a few attention heads of a frozen multimodal model find what a phrase names.

Kang et al., "Your Large Vision-Language Model Only Needs A Few Attention Heads For Visual
Grounding", CVPR 2025, https://arxiv.org/abs/2503.06287. Nothing is trained: the heads are picked on
phrases without their masks. What paper and published code leave open is a setting.
"""

from dataclasses import asdict, dataclass

import torch
from scipy.ndimage import gaussian_filter

from frostbench.plugins import (
    Attend,
    Card,
    Ground,
    ImagePiece,
    Locate,
    Masks,
    Method,
    Prompt,
    Text,
    VisualTokens,
)
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.grounding.attention import enlarged, image_keys, laid_out, of_image
from frostbench.plugins.parts.grounding.boxes import located
from frostbench.plugins.parts.grounding.masks import largest_part, refined
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.training import folder


@dataclass(frozen=True)
class FewHeadsSettings:
    """The heads, as layer and number, how they are asked, and how they were picked.

    `before`, `between` and `after` stand around image and phrase; the last token's attention
    is used. `sigma` smooths a head's map, in cells. With `refined` SAM makes the masks. Of each of
    `samples` phrases the `lowest` most compact heads count; the `picked` most frequent are taken.
    """

    heads: tuple[tuple[int, int], ...] = ()
    before: str = ""
    between: str = "\n"
    after: str = "\n"
    sigma: float = 1.0
    refined: bool = True
    samples: int = 1000
    lowest: int = 10
    picked: int = 3


def asked(lmm, image, phrase, own):
    """Section 3.1: what the last token of a text sees of the image."""
    texts = [Text(own.before)] if own.before else []
    pieces = (*texts, ImagePiece(image), Text(own.between + phrase.strip() + own.after))
    spans = lmm.spans_of(pieces)
    keys = image_keys(lmm.views(image), spans[len(texts)].start)
    return Prompt(pieces, Attend((spans[-1].stop - 1,), keys), backbone="lmm")


def maps_of(attended, lmm, image):
    """The map of every head, `[layers, heads, rows, columns]`; an image's views are added."""
    layers, heads = attended.attention.shape[:2]
    rows = attended.attention[:, :, 0].flatten(0, 1)[None].cpu()
    maps = laid_out(rows, lmm.views(image))
    return maps.reshape(-1, layers, heads, *maps.shape[2:]).sum(0)


class FewHeads(Method):
    """Section 4: the heads' smoothed maps are added, and what is above the mean is found."""

    card = Card(
        name="few_heads",
        paper="https://arxiv.org/abs/2503.06287",
        summary="masks and boxes of phrases from a few attention heads, without training",
        capabilities=frozenset({"Segment", "Ground", "Locate"}),
        backbones=("lmm", "sam"),
        in_context=False,
        discrete=False,
    )
    fingerprint = fingerprint(method="few_heads")

    def __init__(self, lmm, sam, settings):
        if not settings.heads:
            raise ValueError("few_heads has no heads; `frostbench train few_heads` picks them.")
        self.lmm, self.sam, self.settings = lmm, sam, settings

    @classmethod
    def build(cls, setup):
        found = folder.stored_settings(setup.folder("few_heads"), FewHeadsSettings())
        own = {**asdict(found), **setup.settings}
        models = (setup.backbones.get(role) for role in cls.card.backbones)
        return cls(*models, read_settings(FewHeadsSettings, own, "method.few_heads"))

    @classmethod
    def toy(cls):
        from frostbench.plugins.kit.toys import backbones

        models = (backbones().get(role) for role in cls.card.backbones)
        return cls(*models, FewHeadsSettings(heads=((0, 1), (1, 2))))

    def tokenize(self, images, sizes):
        return VisualTokens.none(len(images))

    def prompt(self, request, tokens):
        phrases = request.texts if isinstance(request, Ground) else request.phrases
        seen = yield [asked(self.lmm, request.image, one, self.settings) for one in phrases]
        return torch.stack([self.found(maps_of(one, self.lmm, request.image)) for one in seen])

    def found(self, maps):
        chosen = torch.stack([maps[head] for head in self.settings.heads]).numpy()
        smooth = gaussian_filter(chosen, self.settings.sigma, axes=(1, 2), radius=3).sum(0)
        return largest_part(torch.from_numpy(smooth / smooth.mean() - 1))

    def decode(self, requests, outcomes):
        return [self.decoded(*pair) for pair in zip(requests, outcomes, strict=True)]

    def decoded(self, request, logits):
        image = request.image
        whole = enlarged(of_image(logits, self.lmm.views(image), image.size), image.size)
        if isinstance(request, Locate):
            return located(whole, request.phrases)
        return Masks(refined(whole > 0, self.sam, image) if self.settings.refined else whole > 0)
