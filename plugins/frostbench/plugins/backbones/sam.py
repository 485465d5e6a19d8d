"""A frozen SAM: images become embeddings once, prompts become masks many times.

Kirillov et al., "Segment Anything", ICCV 2023, https://arxiv.org/abs/2304.02643; the network is the
package `segment-anything`'s own.
"""

import json
import threading
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image as Pillow
from torch import Tensor, nn
from torch.nn import functional

from frostbench.plugins.backbones import precision, weights
from frostbench.plugins.backbones.devices import device_of, dtype_of
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.published import read_torch
from frostbench.plugins.backbones.sam_sizes import SamSettings, build_sam, published_sizes
from frostbench.plugins.contract.images import Image, to_pillow
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.host.texts import kind_of, read_json

CONFIG, WEIGHTS = "config.json", "model.safetensors"
KEPT = 64  # embeddings; 4 MiB each at the published sizes


class Sam:
    """Image encoder, prompt encoder and mask decoder.

    Attributes:
        model: The network, frozen, in evaluation mode.
        settings: Its sizes.
        identity: Where its weights came from.
        grows: The cache that it fills while it is used.
    """

    grows: ClassVar[tuple[str, ...]] = ("_kept",)

    def __init__(self, model: Any, settings: SamSettings, identity: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.settings = settings
        self.identity = identity
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = threading.RLock()

    @classmethod
    def load(cls, entry: BackboneEntry, device: str = "cpu") -> "Sam":
        """Load a folder with `config.json` and `model.safetensors`, or one of Meta's `.pth` files.

        A folder's weights may be kept with a byte a number (see `precision`). Nothing that is
        pickled in a `.pth` file is run. Nothing is downloaded.

        Raises:
            ValueError: the folder or a file is missing, damaged, or no SAM; the message names it.
        """
        place, dtype = device_of(device), dtype_of(entry.dtype)
        path = Path(entry.source).expanduser()
        if path.suffix == ".pth":
            state = read_torch(path)
            if not isinstance(state, dict):
                raise ValueError(f"{path} holds no state dict but {type(state).__name__}.")
            settings = published_sizes(state, str(path))
        else:
            settings = _read_config(path)
            state = precision.read(path / WEIGHTS)
        model = build_sam(settings)
        weights.fill(model, state, str(path))
        return cls(model.to(place, dtype), settings, entry.source)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        device: torch.device = self.model.pixel_mean.device
        return device

    def embed(self, image: Image) -> Float[Tensor, "d side side"]:
        """The embedding of an image, in float32 on the model's device.

        The image encoder reads an image once: embeddings of the last `KEPT` images are kept, by
        the digest of their pixels, and treated as constants by whoever gets them.
        """
        with self._lock:
            if image.digest in self._kept:
                self._kept.move_to_end(image.digest)
                return self._kept[image.digest]
            made = self._encode(image.pixels)
            self._kept[image.digest] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return made

    @torch.no_grad()
    def _encode(self, pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "d side side"]:
        dtype = self.model.pixel_mean.dtype
        ready = prepare(self.model, pixels.to(self.device, torch.float32)).to(dtype)
        return self.model.image_encoder(ready[None])[0].float()  # type: ignore[no-any-return]

    @torch.no_grad()
    def masks_from_boxes(self, image: Image, boxes: Float[Tensor, "n 4"]) -> Bool[Tensor, "n h w"]:
        """SAM's own mask of what each box holds, at the image's size.

        Boxes are left, top, right and bottom in pixels of the image, the last two exclusive.
        """
        dtype = self.model.pixel_mean.dtype
        scaled = scale_boxes(boxes.to(self.device), image.size, self.settings.image_size)
        sparse, dense = self.model.prompt_encoder(points=None, boxes=scaled, masks=None)
        low, _ = self.model.mask_decoder(
            image_embeddings=self.embed(image)[None].to(dtype),
            image_pe=self.model.prompt_encoder.get_dense_pe().to(dtype),
            sparse_prompt_embeddings=sparse.to(dtype),
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        logits = to_image(low[:, 0].float(), image.size, self.settings.image_size)
        return (logits > 0).cpu()


def input_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Height and width of an image whose longest side is made `side`; at least a pixel each.

    >>> input_size((480, 640), 1024), input_size((1, 4000), 1024)
    ((768, 1024), (1, 1024))
    """
    scale = side / max(size)
    height, width = (max(1, int(length * scale + 0.5)) for length in size)
    return height, width


def prepare(model: Any, pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 side side"]:
    """An image in [0, 1], prepared for the image encoder.

    The longest side becomes the encoder's, values are normalised, and the rest, at the bottom and
    at the right, is 0. The same steps as SAM's own, which rounds to 8 bits and resizes with Pillow.
    """
    height, width = input_size((pixels.shape[-2], pixels.shape[-1]), model.image_encoder.img_size)
    file = to_pillow(pixels).resize((width, height), Pillow.Resampling.BILINEAR)
    resized = torch.from_numpy(np.array(file)).permute(2, 0, 1)
    return model.preprocess(resized.to(pixels))  # type: ignore[no-any-return]


def scale_boxes(
    boxes: Float[Tensor, "*n 4"], size: tuple[int, int], side: int
) -> Float[Tensor, "*n 4"]:
    """Boxes in pixels of an image of `size` as pixels of what the image encoder reads."""
    height, width = input_size(size, side)
    across, down = width / size[1], height / size[0]
    return boxes * torch.tensor([across, down, across, down], device=boxes.device)


def to_image(
    low: Float[Tensor, "n _rows _columns"], size: tuple[int, int], side: int
) -> Float[Tensor, "n h w"]:
    """The mask decoder's logits at the size of the image, without the padding."""
    height, width = input_size(size, side)
    whole = functional.interpolate(low[:, None], (side, side), mode="bilinear", align_corners=False)
    seen = whole[..., :height, :width]
    return functional.interpolate(seen, size, mode="bilinear", align_corners=False)[:, 0]


def save_sam(
    folder: Path, model: nn.Module, settings: SamSettings, kept: precision.Precision = "half"
) -> None:
    """Write both files that `Sam.load` reads, in half precision or with a byte a number."""
    precision.write(folder / WEIGHTS, model.state_dict(), kept)
    text = json.dumps(asdict(settings), indent=2) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def _read_config(folder: Path) -> SamSettings:
    path = folder / CONFIG
    try:
        values = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"no SAM at {folder}: a folder with {CONFIG} and {WEIGHTS} is wanted, or one of the "
            "published .pth files."
        ) from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no settings but {kind_of(values)}.")
    return read_settings(SamSettings, values, str(path))
