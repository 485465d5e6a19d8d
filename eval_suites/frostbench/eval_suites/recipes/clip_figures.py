"""What the small CLIP is for, in figures, on classes that it has not seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import torch
from jaxtyping import Float
from torch import Tensor, nn

from frostbench.eval_suites.data.glyphs import Split
from frostbench.eval_suites.data.pictures import stack
from frostbench.eval_suites.data.scenes import Scenes

RENDERINGS = 6  # portraits of each class
EPISODES = 4000
WORDS = 3000


def measure(folder: Path, data: Path, split: Split) -> dict[str, float]:
    """Figures of the model in `folder` on the classes of a split.

    - "2-way 1-shot", "5-way 1-shot": how often the nearest of N labelled portraits, one a class,
      is of the query's class.
    - "zero-shot of N": how often "a photo of a NAME" is nearest, among all N names of the split.
    - "words@K same", "words@K other": mean part that the K nearest of `WORDS` strings of two
      pictures have in common, for two of one class and for two of different classes.
    """
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    normalise = preprocess.transforms[-1]
    scenes = Scenes(data)
    names = scenes.glyphs.names(split)
    pixels = [scenes.portrait(name, 10_000 + i) for name in names for i in range(RENDERINGS)]
    images = embed_images(model, normalise(stack(pixels))).view(len(names), RENDERINGS, -1)
    figures = {f"{ways}-way 1-shot": nearest_neighbour(images, ways) for ways in (2, 5)}
    prompts = embed_texts(model, tokenizer, [f"a photo of a {name}" for name in names])
    found = (images @ prompts.T).argmax(-1)
    right = found == torch.arange(len(names))[:, None]
    figures[f"zero-shot of {len(names)}"] = float(right.float().mean())
    words = embed_texts(model, tokenizer, vocabulary(tokenizer.tokenizer))
    for count in (5, 21):
        same, other = word_overlap(images, words, count)
        figures[f"words@{count} same"] = same
        figures[f"words@{count} other"] = other
    return figures


def nearest_neighbour(images: Float[Tensor, "classes renderings d"], ways: int) -> float:
    """Accuracy over `EPISODES` random episodes of `ways` classes with one labelled picture each."""
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
    """Part of the `count` nearest words shared by two pictures: of one class, of two classes."""
    top = (images @ words.T).topk(count).indices
    shown = torch.zeros(*top.shape[:2], len(words)).scatter_(-1, top, 1.0)
    same = torch.einsum("cw,cw->c", shown[:, 0], shown[:, 1]).mean()
    other = torch.einsum("cw,cw->c", shown[:, 0], shown[:, 1].roll(1, 0)).mean()
    return float(same) / count, float(other) / count


def vocabulary(tokenizer: object) -> list[str]:
    """`WORDS` strings: the tokenizer's pieces that have letters, then random pairs of these."""
    ids = range(len(tokenizer))  # type: ignore[arg-type]
    pieces = sorted({tokenizer.decode([i]).strip() for i in ids})  # type: ignore[attr-defined]
    pieces = [piece for piece in pieces if piece.isascii() and piece.isalpha()]
    draw = np.random.default_rng(0)
    pairs: dict[str, None] = {}
    while len(pieces) + len(pairs) < WORDS:
        first, second = draw.choice(len(pieces), 2)
        pairs[f"{pieces[first]} {pieces[second]}"] = None
    return [*pieces, *pairs]


@torch.no_grad()
def embed_images(model: nn.Module, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
    """Embeddings of unit length of normalised pictures."""
    parts = torch.split(images, 256)
    return torch.cat([model.encode_image(part, normalize=True) for part in parts])  # type: ignore[operator]


@torch.no_grad()
def embed_texts(
    model: nn.Module, tokenizer: Callable[[list[str]], Tensor], texts: list[str]
) -> Float[Tensor, "b d"]:
    """Embeddings of unit length of texts."""
    parts = torch.split(tokenizer(texts), 256)
    return torch.cat([model.encode_text(part, normalize=True) for part in parts])  # type: ignore[operator]
