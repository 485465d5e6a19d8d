"""Templates: texts around a word; CLIP's feature of the word is averaged over them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.clip import Clip


def or_imagenet(templates: Sequence[str]) -> tuple[str, ...]:
    """The templates, with `{}` where the word goes; for none, OpenAI's 80 for ImageNet."""
    if templates:
        return tuple(templates)
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def embed_words(
    clip: Clip, words: Sequence[str], templates: Sequence[str], batch: int = 256
) -> Float[Tensor, "words d"]:
    """CLIP's feature of each stripped word: the mean of its templates' features of length 1.

    On the CPU. The mean is shorter than 1, and stays so.
    """
    parts = []
    for start in range(0, len(words), batch):
        chunk = [word.strip() for word in words[start : start + batch]]
        total = torch.zeros(())
        for template in templates:
            texts = [template.format(word) for word in chunk]
            total = total + clip.encode_text(texts, normalise=True).cpu()
        parts.append(total / len(templates))
    return torch.cat(parts)
