"""Random choices that depend on a prompt's content alone, not on process, batch or order."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar, assert_never

import torch

from frostbench.plugins.contract.prompts import Ids, ImagePiece, Piece, Prompt, Text, Vectors

T = TypeVar("T")

# Part of the hash, so that ties fall the same way if a class is renamed.
_NAMES = {Text: "Text", Ids: "Ids", Vectors: "Vectors", ImagePiece: "Picture"}


def draw(prompt: Prompt, items: Sequence[T], purpose: str) -> T:
    """One of `items`, chosen uniformly by a hash of what the prompt shows.

    Different `purpose`s draw independently. The hash knows nothing of the target, so that a tie
    between all options is broken at chance level.
    """
    if len(items) == 1:
        return items[0]
    digest = hashlib.sha256(f"{fingerprint(prompt)} {purpose}".encode()).digest()
    return items[int.from_bytes(digest[:16], "big") % len(items)]


def fingerprint(prompt: Prompt) -> str:
    """SHA-256 of the opening, the shots and the query."""
    digest = hashlib.sha256()
    for piece in prompt.pieces:
        content = _bytes(piece)
        digest.update(f"{_NAMES[type(piece)]} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _bytes(piece: Piece) -> bytes:
    match piece:
        case Text(text):
            return text.encode()
        case Ids(ids):
            return repr(ids).encode()
        case Vectors(vectors):
            plain = vectors.detach().to("cpu", torch.float32).contiguous().numpy()
            return repr(plain.shape).encode() + plain.tobytes()
        case ImagePiece(image):
            return image.digest.encode()
        case _:
            assert_never(piece)
