"""Figures of the small CLIP, on classes that it has not seen."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.packs.mini.scenes.glyphs import Split
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.packs.mini.scenes.training_images import stack
from frostbench.plugins.backbones import BackboneEntry
from frostbench.plugins.backbones.clip import Clip

EPISODES = 4000
WORDS = 3000
BATCH = 256


def measure(folder: Path, data: Path, split: Split, renderings: int = 6) -> dict[str, float]:
    """Figures of the model in `folder` on so many portraits of each class of a split.

    - "2-way 1-shot", "5-way 1-shot": how often the nearest of N labelled portraits, one a class,
      is of the query's class.
    - "zero-shot of N": how often "a photo of a NAME" is nearest, among all N names of the split.
    - "2-way zero-shot": how often it is nearer than that of another class, over all pairs: what a
      reader could know of the answer to "is there a NAME?". Besides for the classes whose names
      share no word with a trained one, and for the others.
    - "words@K same", "words@K other": mean share that two images have in common of the K nearest of
      `WORDS` strings or more, for images of one class and of different classes.
    """
    clip = Clip.load(BackboneEntry("clip", "open_clip", str(folder)))
    scenes = Scenes(data)
    names = scenes.glyphs.names(split)
    pixels = [scenes.portrait(name, 10_000 + i) for name in names for i in range(renderings)]
    images = embed_images(clip, stack(pixels)).view(len(names), renderings, -1)
    figures = {f"{ways}-way 1-shot": nearest_neighbour(images, ways) for ways in (2, 5)}
    prompts = embed_texts(clip, [f"a photo of a {name}" for name in names])
    similar = images @ prompts.T
    found = similar.argmax(-1) == torch.arange(len(names))[:, None]
    figures[f"zero-shot of {len(names)}"] = float(found.float().mean())
    won, trained = pairs_won(similar), words_of(scenes.glyphs.names("base"))
    new = torch.tensor([trained.isdisjoint(words_of([name])) for name in names])
    figures["2-way zero-shot"] = float(won.mean())
    figures["2-way zero-shot, new words"] = float(won[new].mean())
    figures["2-way zero-shot, a trained word"] = float(won[~new].mean())
    words = embed_texts(clip, vocabulary(clip.tokenizer.tokenizer))
    for count in (5, 21):
        same, other = word_overlap(images, words, count)
        figures[f"words@{count} same"] = same
        figures[f"words@{count} other"] = other
    return figures


def words_of(names: Sequence[str]) -> set[str]:
    """The words that names are made of."""
    return {word for name in names for word in name.split()}


def pairs_won(
    similar: Float[Tensor, "classes renderings classes"],
) -> Float[Tensor, " classes"]:
    """How often a class's own text is nearer than another's, over all others; a tie is half."""
    own = torch.einsum("crc->cr", similar)[..., None]
    won = (own > similar).float().sum(-1) + ((own == similar).float().sum(-1) - 1) / 2
    share: Tensor = won.mean(1) / (len(similar) - 1)
    return share


def nearest_neighbour(images: Float[Tensor, "classes renderings d"], ways: int) -> float:
    """Accuracy over `EPISODES` random episodes of `ways` classes with one labelled image each."""
    draw = np.random.default_rng(ways)
    classes, renderings, _ = images.shape
    right = 0
    for _ in range(EPISODES):
        chosen = draw.choice(classes, ways, replace=False)
        shots, query = draw.choice(renderings, 2, replace=False)
        support = images[torch.from_numpy(chosen), int(shots)]
        right += int((support @ images[int(chosen[0]), int(query)]).argmax()) == 0
    return right / EPISODES


def word_overlap(
    images: Float[Tensor, "classes renderings d"], words: Float[Tensor, "words d"], count: int
) -> tuple[float, float]:
    """Share of the `count` nearest words that two images share: of one class, of two classes."""
    top = (images @ words.T).topk(count).indices
    shown = torch.zeros(*top.shape[:2], len(words)).scatter_(-1, top, 1.0)
    same = torch.einsum("cw,cw->c", shown[:, 0], shown[:, 1]).mean()
    other = torch.einsum("cw,cw->c", shown[:, 0], shown[:, 1].roll(1, 0)).mean()
    return float(same) / count, float(other) / count


def vocabulary(tokenizer: object) -> list[str]:
    """The tokenizer's pieces that have letters and, up to `WORDS` strings, random pairs of them."""
    ids = range(len(tokenizer))  # type: ignore[arg-type]
    pieces = sorted({tokenizer.decode([i]).strip() for i in ids})  # type: ignore[attr-defined]
    pieces = [piece for piece in pieces if piece.isascii() and piece.isalpha()]
    draw = np.random.default_rng(0)
    pairs: dict[str, None] = {}
    while len(pieces) + len(pairs) < WORDS:
        first, second = draw.choice(len(pieces), 2)
        pairs[f"{pieces[first]} {pieces[second]}"] = None
    return [*pieces, *pairs]


def embed_images(clip: Clip, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
    """Embeddings of unit length of images in [0, 1]."""
    parts = torch.split(images, BATCH)
    return torch.cat([clip.encode_image(part, normalise=True) for part in parts])


def embed_texts(clip: Clip, texts: list[str]) -> Float[Tensor, "b d"]:
    """Embeddings of unit length of texts."""
    parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    return torch.cat([clip.encode_text(part, normalise=True) for part in parts])
