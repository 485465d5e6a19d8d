"""The cache of visual tokens: each image is tokenized once for all runs.

    tokens/<first two>/<key>/<hash of the batch>.safetensors

The key stands for everything that the tokens can depend on: what the bench finds the method to be
made of, and the fingerprint that the method gives itself.

A file holds one batch from one call of `tokenize`, so that a batch is stored completely or not at
all: a killed run resumes with the same batches as an uninterrupted one. Its header lists the
images' digests, the digest of each image's tokens, and what each took: seconds, and joules where
the device told.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from frostbench.bench.store.atomic import sweep_dead, write_whole
from frostbench.plugins.contract.completions import Cost
from frostbench.plugins.contract.tokens import VisualTokens, join
from frostbench.plugins.host.identity import token_key
from frostbench.plugins.host.litter import files_like

ATTEMPTS = 3  # attempts at opening a file that is replaced meanwhile
_DAMAGED = (SafetensorError, OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError)


@dataclass(frozen=True)
class Kept:
    """The tokens of one image, as a batch of one, and the cost of computing them."""

    tokens: VisualTokens
    seconds: float
    joules: float | None = None

    @property
    def cost(self) -> Cost:
        """Seconds and joules."""
        return Cost(self.seconds, joules=self.joules)


class TokenStore:
    """The stored tokens of a method with this identity and fingerprint.

    `note` gets one sentence for each damaged file; its images then count as never stored.

    Attributes:
        made: the files that were written here, in their order.

    Raises:
        ValueError: the fingerprint is no hex digest.
    """

    def __init__(
        self, folder: Path, fingerprint: str, note: Callable[[str], None], identity: str = ""
    ) -> None:
        key = token_key(fingerprint, identity)
        self._folder = folder / key[:2] / key
        self._note = note
        self._places: dict[str, tuple[Path, int]] = {}
        self.made: list[Path] = []
        sweep_dead(self._folder)
        for path in files_like(self._folder, "*.safetensors"):
            try:
                with _opened(path) as file:
                    images = json.loads(file.metadata()["images"])
            except _DAMAGED as error:
                self._discard(path, error)
                continue
            self._places.update({image: (path, row) for row, image in enumerate(images)})

    def __contains__(self, image: str) -> bool:
        return image in self._places

    def get(self, image: str) -> Kept | None:
        """The tokens of an image by its digest; None where they are not stored or damaged."""
        if image not in self._places:
            return None
        path, row = self._places[image]
        try:
            with _opened(path) as file:
                header = file.metadata()
                keys = json.loads(header["keys"])
                named = {key: file.get_slice(key)[row : row + 1] for key in keys}
                if _digest(named) != json.loads(header["sha256"])[row]:
                    raise ValueError("the tokens do not have the digest they were kept with")
                seconds = float(json.loads(header["seconds"])[row])
                joules = json.loads(header.get("joules", "[]"))[row : row + 1]
            return Kept(VisualTokens.from_tensors(named), seconds, *joules)
        except _DAMAGED as error:
            self._discard(path, error)
            return None

    def put(self, images: Sequence[str], batch: Sequence[Kept]) -> None:
        """Keep the tokens of one batch of images.

        Raises:
            StoreFullError: there is no room.
        """
        named = join([kept.tokens for kept in batch]).tensors()
        rows = [
            {key: tensor[row : row + 1] for key, tensor in named.items()}
            for row in range(len(images))
        ]
        header = {
            "images": json.dumps(list(images)),
            "keys": json.dumps(list(named)),
            "sha256": json.dumps([_digest(row) for row in rows]),
            "seconds": json.dumps([kept.seconds for kept in batch]),
        }
        if all(kept.joules is not None for kept in batch):
            header["joules"] = json.dumps([kept.joules for kept in batch])
        name = hashlib.sha256("".join(images).encode()).hexdigest()[:32]
        path = self._folder / f"{name}.safetensors"
        # A file that another worker has made meanwhile stays: it may be reading it. Not synced:
        # after a loss of power a damaged file is noticed and made again.
        if not path.exists():
            write_whole(path, save(named, header), sync=False)
        self._places.update({image: (path, row) for row, image in enumerate(images)})
        self.made.append(path)

    def forget(self, since: int) -> None:
        """Remove the files of `made` from number `since` on: their tokens cannot be trusted."""
        for path in self.made[since:]:
            self._remove(path)
        del self.made[since:]

    def _discard(self, path: Path, error: Any) -> None:
        self._note(f"kept tokens in {path} are damaged ({error}); they are computed again.")
        self._remove(path)

    def _remove(self, path: Path) -> None:
        self._places = {image: place for image, place in self._places.items() if place[0] != path}
        path.unlink(missing_ok=True)


def _opened(path: Path) -> Any:
    """A file of tokens, open for reading.

    The library opens it by name twice, and another worker may replace it in between.
    """
    for _ in range(ATTEMPTS):
        with suppress(RuntimeError):
            return safe_open(path, framework="pt")
    return safe_open(path, framework="pt")


def _digest(named: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, kinds, shapes and bytes."""
    digest = hashlib.sha256()
    for key, tensor in named.items():
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
