"""Blobs: images, features and masks, kept once each under the hash of their content."""

import hashlib
import io
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, UInt8
from numpy.lib import format as npy
from PIL import Image as Pillow
from torch import Tensor

from frostbench.bench.store.atomic import StoreError, reason, regular, write_whole
from frostbench.bench.store.typed import BlobName, typed

SUFFIXES = (".webp", ".npy", ".json")
LARGEST_JSON = 1 << 28  # bytes
MOST_PIXELS = 1 << 26  # 8192 × 8192
NAMES = 1 << 16  # hashes of compressed images, by their pixels


class DamagedError(StoreError):
    """A file does not hold what was stored; the message names it."""


class Blobs:
    """A folder of files named by the SHA-256 of their bytes: `ab/abcdef....webp`.

    Missing files are looked for in the folder `beside` it.
    """

    def __init__(self, folder: Path, beside: Path | None = None) -> None:
        self._folder = folder
        self._beside = beside
        self._unsynced = False
        # Many rows predict the same image, and compressing it takes longer than finding it.
        self._names: dict[bytes, str] = {}

    def put_image(self, pixels: Float[Tensor, "3 h w"]) -> str:
        """Keep an image in lossless WebP, after rounding to 8 bits a channel; its hash."""
        levels = _levels(pixels).permute(1, 2, 0).contiguous().numpy()
        key = hashlib.sha256(f"{levels.shape}".encode() + levels.tobytes()).digest()
        known = self._names.get(key)
        if known is not None and self.intact(known):
            return known
        buffer = io.BytesIO()
        # In lossless mode `quality` means effort: the image is exact at any value.
        Pillow.fromarray(levels).save(buffer, "WEBP", lossless=True, exact=True, quality=40)
        if len(self._names) >= NAMES:
            self._names.clear()
        self._names[key] = self._put(buffer.getvalue(), ".webp")
        return self._names[key]

    def put_array(self, array: npt.ArrayLike) -> str:
        """Keep an array as float32; its hash."""
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
        return self._put(buffer.getvalue(), ".npy")

    def put_json(self, value: Any) -> str:
        """Keep plain values as JSON; their hash."""
        return self._put(json.dumps(value, separators=(",", ":")).encode(), ".json")

    def copy(self, path: Path) -> str:
        """Keep the file of another folder of blobs; its hash.

        Raises:
            DamagedError: its bytes are not those that were stored.
            StoreError: it is no regular file, or there is no room.
        """
        content = regular(path).read_bytes()
        if hashlib.sha256(content).hexdigest() != path.stem:
            raise _damaged(path)
        return self._put(content, path.suffix)

    def sync(self) -> None:
        """Return when everything put until now survives a loss of power."""
        if self._unsynced:
            # One call for all new files: syncing each would take milliseconds an image.
            os.sync()
            self._unsynced = False

    def path(self, name: str) -> Path:
        """The file of a hash.

        Raises:
            LookupError: there is none, or it is no hash.
            StoreError: its file leads out of the folder.
        """
        try:
            typed(BlobName, name)
        except ValueError as error:
            raise LookupError(f"no blob {str(name)[:80]} in {self._folder}: {error}.") from None
        stems = [one / name[:2] / name for one in (self._folder, self._beside) if one is not None]
        paths = (stem.with_suffix(suffix) for stem in stems for suffix in SUFFIXES)
        found = next((path for path in paths if path.exists()), None)
        if found is None:
            raise LookupError(f"no blob {name} in {self._folder}; the run's folder is incomplete.")
        return regular(found)

    def _checked(self, name: str) -> Path:
        """The file of a hash, checked to hold the stored bytes.

        Raises:
            LookupError: there is none.
            DamagedError: they are not.
        """
        path = self.path(name)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != name:
                raise _damaged(path)
        return path

    def image(self, name: str) -> Pillow.Image:
        """An image, loaded.

        Raises:
            StoreError: it is damaged, of another format, or too large.
        """
        with self._reading(name) as path, Pillow.open(path, formats=("WEBP",)) as file:
            if file.width * file.height > MOST_PIXELS:
                raise ValueError(f"it has {file.width} × {file.height} pixels")
            return file.convert("RGB")

    def pixels(self, name: str) -> Float[Tensor, "3 h w"]:
        """An image as RGB floats in [0, 1]."""
        array = np.asarray(self.image(name), dtype=np.float32) / 255
        return torch.from_numpy(array).permute(2, 0, 1).contiguous()

    def array(self, name: str) -> npt.NDArray[np.float32]:
        """An array.

        Raises:
            StoreError: it is damaged, or not of finite numbers.
        """
        with self._reading(name) as path:
            loaded = _array(path)
            if not np.isfinite(loaded).all():
                raise ValueError("it holds something else than finite numbers")
            return loaded

    def json(self, name: str) -> Any:
        """Plain values.

        Raises:
            StoreError: they are damaged, too deep or too large.
        """
        with self._reading(name) as path:
            if path.stat().st_size > LARGEST_JSON:
                raise ValueError(f"it has more than {LARGEST_JSON} bytes")
            return typed(Any, json.loads(path.read_bytes()))

    def intact(self, name: str) -> bool:
        """Whether the file is there and its bytes are those that were stored."""
        try:
            self._checked(name)
        except (LookupError, OSError, StoreError):
            return False
        return True

    @contextmanager
    def _reading(self, name: str) -> Iterator[Path]:
        path = self._checked(name)
        try:
            yield path
        except Exception as error:  # whatever a stranger's file makes of its reader
            raise StoreError(f"{path} cannot be read: {reason(error)}.") from error

    def _put(self, content: bytes, suffix: str) -> str:
        name = hashlib.sha256(content).hexdigest()
        path = self._folder / name[:2] / f"{name}{suffix}"
        # After a loss of power a file may be cut short, and a disk may spoil one.
        if not path.exists() or path.read_bytes() != content:
            write_whole(path, content, sync=False)
            self._unsynced = True
        return name


def _damaged(path: Path) -> DamagedError:
    return DamagedError(f"{path} is damaged: it is not what was stored under its hash.")


def _array(path: Path) -> npt.NDArray[np.float32]:
    """Read what `put_array` wrote, without trusting the sizes in its header."""
    with path.open("rb") as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError("it is of another version")
        shape, _, kind = npy.read_array_header_1_0(file)
        stored = path.stat().st_size - file.tell()
        if kind != np.float32 or min(shape, default=0) < 0 or 4 * math.prod(shape) != stored:
            raise ValueError(f"its header promises {kind} of shape {shape}")
        file.seek(0)
        loaded: npt.NDArray[np.float32] = np.load(file, allow_pickle=False)
        return loaded


def rounded(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """An image as it comes back from its blob: 8 bits a channel, float32, on the CPU.

    Scores are of this image, so that the stored one scores the same.
    """
    return _levels(pixels).to(torch.float32) / 255


def _levels(pixels: Float[Tensor, "3 h w"]) -> UInt8[Tensor, "3 h w"]:
    return (pixels.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
