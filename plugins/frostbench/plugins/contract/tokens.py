"""Visual tokens: what `tokenize` makes of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Grid:
    """Discrete tokens, one for each grid cell of the image, row by row."""

    ids: Int[Tensor, "b rows columns"]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Discrete tokens of the whole image, the most fitting first."""

    ids: Int[Tensor, "b k"]


@dataclass(frozen=True, eq=False)
class Pyramid:
    """Discrete tokens in layers, from coarse to fine; each layer is a grid."""

    layers: tuple[Int[Tensor, "b _r _c"], ...]


@dataclass(frozen=True, eq=False)
class Continuous:
    """Feature vectors."""

    features: Float[Tensor, "b n d"]


@dataclass(frozen=True)
class Texts:
    """Sentences: an image that became text. For each image its texts, the most fitting first.

    They are no codes, so they give an image no number of tokens or bits: how many tokens a text has
    depends on the language model that reads it.
    """

    texts: tuple[tuple[str, ...], ...]


Part: TypeAlias = Grid | Ranked | Pyramid | Continuous | Texts


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """The tokens of a batch of images, as named parts ("local", "global", ...)."""

    parts: Mapping[str, Part]

    @staticmethod
    def none(count: int) -> "VisualTokens":
        """The tokens of `count` images for a method that makes none, and shows the images.

        >>> len(VisualTokens.none(3)), len(VisualTokens.none(3).split())
        (3, 3)
        """
        return VisualTokens({"none": Continuous(torch.zeros(count, 0, 0))})

    def __len__(self) -> int:
        return images_in(next(iter(self.parts.values())))

    def grid(self, name: str) -> Int[Tensor, "b rows columns"]:
        """The ids of the grid called `name`."""
        part = self.parts[name]
        if not isinstance(part, Grid):
            raise TypeError(f"visual tokens {name!r} are no grid but {type(part).__name__}.")
        return part.ids

    def ranked(self, name: str) -> Int[Tensor, "b k"]:
        """The ids of the ranked set called `name`."""
        part = self.parts[name]
        if not isinstance(part, Ranked):
            raise TypeError(f"visual tokens {name!r} are no ranked set but {type(part).__name__}.")
        return part.ids

    def texts(self, name: str) -> tuple[tuple[str, ...], ...]:
        """The texts called `name`, of each image."""
        part = self.parts[name]
        if not isinstance(part, Texts):
            raise TypeError(f"visual tokens {name!r} are no texts but {type(part).__name__}.")
        return part.texts

    def split(self) -> list["VisualTokens"]:
        """One object an image, each a batch of one."""
        return [
            VisualTokens({name: _one(part, i) for name, part in self.parts.items()})
            for i in range(len(self))
        ]

    def tensors(self) -> dict[str, Tensor]:
        """Everything as named tensors on the CPU, for storing; `from_tensors` reads it back."""
        named: dict[str, Tensor] = {}
        for name, part in self.parts.items():
            kind = type(part).__name__
            for i, tensor in enumerate(tensors_of(part)):
                named[f"{kind}/{name}/{i}"] = tensor.detach().cpu().contiguous()
        return named

    @staticmethod
    def from_tensors(named: Mapping[str, Tensor]) -> "VisualTokens":
        """The tokens that `tensors` described."""
        groups: dict[tuple[str, str], list[tuple[int, Tensor]]] = {}
        for key, tensor in named.items():
            kind, rest = key.split("/", 1)
            name, index = rest.rsplit("/", 1)
            groups.setdefault((name, kind), []).append((int(index), tensor))
        parts: dict[str, Part] = {}
        for (name, kind), indexed in groups.items():
            tensors = [tensor for _, tensor in sorted(indexed, key=lambda pair: pair[0])]
            match kind:
                case "Grid":
                    parts[name] = Grid(tensors[0])
                case "Ranked":
                    parts[name] = Ranked(tensors[0])
                case "Pyramid":
                    parts[name] = Pyramid(tuple(tensors))
                case "Continuous":
                    parts[name] = Continuous(tensors[0])
                case "Texts":
                    parts[name] = _texts_of(*tensors)
                case _:
                    raise ValueError(f"stored visual tokens of unknown kind {kind!r}.")
        return VisualTokens(parts)


def join(tokens: Sequence[VisualTokens]) -> VisualTokens:
    """One batch out of several with the same parts; the inverse of `VisualTokens.split`."""
    first = tokens[0]
    parts: dict[str, Part] = {}
    for name, part in first.parts.items():
        if isinstance(part, Texts):
            parts[name] = Texts(tuple(row for other in tokens for row in other.texts(name)))
            continue
        columns = zip(*(tensors_of(other.parts[name]) for other in tokens), strict=True)
        parts[name] = _rebuild(part, tuple(torch.cat(column) for column in columns))
    return VisualTokens(parts)


def images_in(part: Part) -> int:
    """How many images a part covers."""
    return len(part.texts) if isinstance(part, Texts) else len(tensors_of(part)[0])


def tensors_of(part: Part) -> tuple[Tensor, ...]:
    """The tensors of a part, each with the batch as its first axis.

    For texts they are the UTF-8 bytes of each, padded, and their number, -1 where an image has
    fewer texts than others.
    """
    match part:
        case Grid(ids) | Ranked(ids):
            return (ids,)
        case Pyramid(layers):
            return layers
        case Continuous(features):
            return (features,)
        case Texts(texts):
            return _bytes_of(texts)


def discrete_ids(tokens: VisualTokens) -> list[list[tuple[str, int]]]:
    """For each image, its discrete tokens as (part, id) pairs, for counting what two share."""
    ids: list[list[tuple[str, int]]] = [[] for _ in range(len(tokens))]
    for name, part in tokens.parts.items():
        if isinstance(part, Continuous | Texts):
            continue
        for tensor in tensors_of(part):
            for row, values in zip(ids, tensor.flatten(1).tolist(), strict=True):
                row.extend((name, value) for value in values)
    return ids


def sentences_of(tokens: VisualTokens) -> list[list[str]]:
    """For each image, the texts of all its parts."""
    rows: list[list[str]] = [[] for _ in range(len(tokens))]
    for part in tokens.parts.values():
        if isinstance(part, Texts):
            for row, texts in zip(rows, part.texts, strict=True):
                row.extend(texts)
    return rows


def _bytes_of(texts: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
    rows = [[text.encode("utf-8", "surrogatepass") for text in row] for row in texts]
    most = max([1, *map(len, rows)])
    longest = max([1, *(len(text) for row in rows for text in row)])
    filled = torch.zeros(len(rows), most, longest, dtype=torch.uint8)
    lengths = torch.full((len(rows), most), -1)
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            filled[i, j, : len(text)] = torch.tensor(list(text), dtype=torch.uint8)
            lengths[i, j] = len(text)
    return filled, lengths


def _texts_of(filled: Tensor, lengths: Tensor) -> Texts:
    return Texts(
        tuple(
            tuple(
                bytes(text[:length].tolist()).decode("utf-8", "surrogatepass")
                for text, length in zip(row, several, strict=True)
                if length >= 0
            )
            for row, several in zip(filled, lengths.tolist(), strict=True)
        )
    )


def _one(part: Part, index: int) -> Part:
    if isinstance(part, Texts):
        return Texts(part.texts[index : index + 1])
    return _rebuild(part, tuple(tensor[index : index + 1] for tensor in tensors_of(part)))


def _rebuild(part: Part, tensors: tuple[Tensor, ...]) -> Part:
    match part:
        case Grid():
            return Grid(tensors[0])
        case Ranked():
            return Ranked(tensors[0])
        case Pyramid():
            return Pyramid(tensors)
        case Continuous():
            return Continuous(tensors[0])
        case Texts():
            return _texts_of(*tensors)
