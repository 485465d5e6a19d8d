"""A frozen image encoder of any class that timm knows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.devices import device_of, dtype_of
from frostbench.plugins.backbones.entry import BackboneEntry, check_weight_file
from frostbench.plugins.backbones.published import read_state
from frostbench.plugins.host.settings import read_settings

HEADS = ("head.", "fc.", "classifier.", "fc_norm.")
"""Names of classifier layers, which an encoder does without."""


@dataclass(frozen=True)
class TimmSettings:
    """How a timm model is made.

    Attributes:
        side: Height and width of the images that it reads; 0 is what its weights were made for.
    """

    side: int = 0


class TimmEncoder:
    """Features of images, as a network of timm gives them.

    Attributes:
        model: The network without its classifier, frozen, in evaluation mode.
        identity: Its name in timm, and where its weights came from.
        side: Height and width of the images that it reads.
    """

    def __init__(self, model: Any, identity: str, side: int, config: dict[str, Any]) -> None:
        self.model = model.eval().requires_grad_(False)
        self.identity = identity
        self.side = side
        self._config = config

    @classmethod
    def load(cls, entry: BackboneEntry, device: str = "cpu") -> "TimmEncoder":
        """Load a model by its name in timm and a local weight file, "NAME:FILE".

        The classifier's weights in the file are left out; otherwise nothing may be missing or left
        over. Nothing is downloaded.

        Raises:
            ValueError: there is no such model or file, or the two do not fit.
        """
        import timm
        from timm.data.config import resolve_model_data_config

        place, dtype = device_of(device), dtype_of(entry.dtype)
        settings = read_settings(TimmSettings, entry.settings, f"backbone {entry.role!r}")
        name, colon, path = entry.source.partition(":")
        file = Path(path).expanduser()
        if not colon or not timm.is_model(name):
            near = ", ".join(timm.list_models(f"*{name[:6]}*")[:6]) or "none of that beginning"
            raise ValueError(
                f"a timm model is NAME:FILE, its name in timm and a local weight file; "
                f"{entry.source!r} is not (among the names: {near})."
            )
        if not file.is_file():
            raise ValueError(f"no weight file at {file} for timm's {name}; nothing is downloaded.")
        more: dict[str, Any] = {"img_size": settings.side} if settings.side else {}
        try:
            model = timm.create_model(name, pretrained=False, num_classes=0, **more)
        except TypeError as error:
            raise ValueError(f"timm's {name} takes no side: {error}.") from error
        own = model.state_dict()
        state = {
            key: tensor
            for key, tensor in _state(file).items()
            if key in own or not key.startswith(HEADS)
        }
        weights.fill(model, state, str(file))
        config: dict[str, Any] = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
        side = settings.side or int(config["input_size"][-1])
        return cls(model.to(place, dtype), f"{name} of {file.name}", side, config)

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        device: torch.device = next(iter(self.model.parameters())).device
        return device

    @property
    def width(self) -> int:
        """Length of a feature."""
        return int(self.model.num_features)

    @property
    def class_tokens(self) -> int:
        """How many tokens for the whole image come before those of cells."""
        return int(getattr(self.model, "num_prefix_tokens", 0))

    @torch.no_grad()
    def encode_pooled(self, images: Float[Tensor, "b 3 _h _w"]) -> Float[Tensor, "b d"]:
        """One feature an image, pooled as the network does it for its classifier, in float32."""
        dtype = next(iter(self.model.parameters())).dtype
        found = self.model.forward_features(self.preprocess(images).to(self.device, dtype))
        return self.model.forward_head(found, pre_logits=True).float()  # type: ignore[no-any-return]

    @torch.no_grad()
    def encode(self, images: Float[Tensor, "b 3 _h _w"]) -> Float[Tensor, "b n d"]:
        """Features of images in [0, 1], in float32: tokens, or cells of the last map row by row.

        Images are resized to the side that the network reads and normalised as its own transforms
        do; a square image is not cropped.
        """
        dtype = next(iter(self.model.parameters())).dtype
        found = self.model.forward_features(self.preprocess(images).to(self.device, dtype))
        if found.dim() == 4:  # a map: channels first, as convolutional networks give it
            found = found.flatten(2).mT
        return found.float()  # type: ignore[no-any-return]

    def preprocess(self, images: Float[Tensor, "b 3 _h _w"]) -> Float[Tensor, "b 3 side side"]:
        """Images in [0, 1], prepared for the network."""
        mode = str(self._config["interpolation"])
        size = (self.side, self.side)
        ready = images
        if images.shape[-2:] != size:
            ready = functional.interpolate(
                images, size, mode=mode, antialias=True, align_corners=False
            ).clamp(0, 1)
        mean, std = (ready.new_tensor(self._config[key])[:, None, None] for key in ("mean", "std"))
        return (ready - mean) / std


def _state(file: Path) -> dict[str, Tensor]:
    """The state dict in a file of safetensors or of `torch.save`."""
    if file.suffix == ".safetensors":
        check_weight_file(file)
        return weights.read(file)
    return read_state(file, ("model", "state_dict"))
