"""A frozen multimodal model of transformers, read like the language model inside it.

An image goes through the model's own vision tower and projector once, and its features take the
places of the image tokens that the model's own processor writes. From there on the engine reads
embeddings, as with any language model. Loading checks that the model reads images in this way.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import vector_norm

from frostbench.plugins.backbones.causal_lm import CausalLM, CausalLmSettings
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.fitting import ramps, square
from frostbench.plugins.backbones.layouts import LayoutError, Ramped, denormalised, lay
from frostbench.plugins.backbones.pretrained import load_pretrained
from frostbench.plugins.backbones.views import View
from frostbench.plugins.contract.images import Image, to_pillow
from frostbench.plugins.contract.prompts import ImagePiece, Piece
from frostbench.plugins.host.errors import describe
from frostbench.plugins.host.settings import read_settings

CACHED_BYTES = 1 << 28  # features of images that are kept
CACHED_SIZES = 1 << 12
TELLING = 4  # pixels a side: on fewer, `ramps` has too little slope to read positions from

# Relative to the logits' spread: largest difference to the model's own forward pass.
# Both do the same products, but half precision may round otherwise with one token less.
TOLERANCE, HALF_TOLERANCE = 1e-4, 3e-2


@dataclass(frozen=True)
class LmmSettings(CausalLmSettings):
    """How a multimodal model is loaded, beside its `device_map`.

    Attributes:
        pad: Show the whole image, its longer side resized to the model's square and the rest
            padded with the processor's mean, as F-LMM does, instead of what the model's own
            processor does (LLaVA-1.5's crops the middle). Not for models that cut tiles.
    """

    pad: bool = False


@dataclass(frozen=True)
class ImageIds:
    """An image as a part of a prompt: the ids that the processor writes for it.

    `places` are those of its image tokens, where features go.
    """

    image: Image
    ids: tuple[int, ...]
    places: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


class LMM(CausalLM):
    """A multimodal model and its processor.

    Attributes:
        model: The whole network, vision tower included, frozen, in evaluation mode.
        processor: The processor that came with it.
        image_id: The token in whose places an image's features are read.
        grows: The cache that it fills while it is used.

    Raises:
        ValueError: it reads images in another way than as embeddings in the places of image
            tokens, or its processor cannot be asked for one image.
    """

    grows: ClassVar[tuple[str, ...]] = ("_features",)

    def __init__(
        self, model: Any, processor: Any, identity: str = "", settings: LmmSettings | None = None
    ) -> None:
        _check_parts(model, processor, identity)
        super().__init__(model, processor.tokenizer, identity)
        self.processor = processor
        self.settings = settings or LmmSettings()
        self.image_id = int(model.config.image_token_id)
        self._of = lru_cache(CACHED_SIZES)(self._written)
        self._views_of = lru_cache(CACHED_SIZES)(self._laid)
        self._features: OrderedDict[str, Tensor] = OrderedDict()
        self._side = _side(processor.image_processor, self._name) if self.settings.pad else 0
        self._check()

    @classmethod
    def load(cls, entry: BackboneEntry, device: str = "cpu") -> "LMM":
        """Load from a local folder, or by hub id from the local Hugging Face cache.

        Nothing is downloaded.

        Raises:
            ValueError: the folder or a file is missing, damaged, or no multimodal model that this
                class can serve; the message names it.
        """
        settings = read_settings(LmmSettings, entry.settings, f"backbone {entry.role!r}")
        automatic, noun = "AutoModelForImageTextToText", "multimodal model"
        there = settings.device_map
        loaded = load_pretrained(
            automatic, entry, device, noun, reads="AutoProcessor", device_map=there
        )
        return cls(*loaded, settings)

    def over(self, model: Any, identity: str) -> "LMM":
        """The same processor over another network of the same architecture."""
        return LMM(model, self.processor, identity, self.settings)

    def length(self, piece: Piece) -> int:
        """How many positions a piece takes; the network is not run."""
        if isinstance(piece, ImagePiece):
            return len(self.shown(piece.image))
        return super().length(piece)

    def shown(self, image: Image) -> ImageIds:
        """The image as a part of a prompt; the network is not run."""
        return ImageIds(image, *self._of(image.size))

    def read(self, shown: ImageIds) -> Float[Tensor, "n d"]:
        """The embeddings of an image's part: features at image tokens, the table's elsewhere."""
        return self._read(shown.ids, shown.places, self.features(shown.image))

    def _read(
        self, ids: Sequence[int], places: Sequence[int], features: Float[Tensor, "n d"]
    ) -> Float[Tensor, "m d"]:
        if len(features) != len(places):
            raise ValueError(
                f"{self._name} makes {len(features)} features of an image, and its processor "
                f"writes {len(places)} image tokens for them."
            )
        here = set(places)
        others = [place for place in range(len(ids)) if place not in here]
        rows = features.new_empty(len(ids), self.width)
        rows[torch.tensor(places, device=self.device)] = features
        if others:
            table = self.embed([ids[place] for place in others])
            rows[torch.tensor(others, device=self.device)] = table
        return rows

    def features(self, image: Image) -> Float[Tensor, "n d"]:
        """What the vision tower and the projector make of an image, one row an image token.

        Some are kept, those used last.
        """
        kept = self._features.pop(image.digest, None)
        if kept is None:
            kept = self._see(self._process(image))
        self._features[image.digest] = kept
        while len(self._features) > 1 and self._bytes() > CACHED_BYTES:
            self._features.popitem(last=False)
        return kept

    def _bytes(self) -> int:
        return sum(rows.numel() * rows.element_size() for rows in self._features.values())

    def views(self, image: Image) -> tuple[View, ...]:
        """How the image's positions lie on it: one grid, or a coarse and a fine one (LLaVA-Next).

        The network is not run. Offsets count from where the image begins in a prompt.

        Raises:
            ValueError: the processor lays images out in a way that is not known here, or the
                image is too small to tell.
        """
        return self._views_of(image.size)

    def _laid(self, size: tuple[int, int]) -> tuple[View, ...]:
        images = self.processor.image_processor
        try:
            tiles = denormalised(self._process(ramps(size))["pixel_values"], images)
            ramped = Ramped(size, self._of(size)[1], tiles, self.settings.pad)
            return lay(ramped, self.model.config, images)
        except LayoutError as error:
            if min(size) < TELLING:
                raise ValueError(
                    f"an image of {size[0]} x {size[1]} pixels is too small to tell where "
                    f"{self._name} sees its parts; give it at least {TELLING} x {TELLING}."
                ) from error
            raise ValueError(
                f"the processor of {self._name} {error}; positions are known on images of "
                "LLaVA-1.5, of LLaVA-Next, and of models that read one square."
            ) from error

    def _written(self, size: tuple[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The ids that the processor writes for an image of this size, and its image tokens."""
        ids = tuple(self._process(ramps(size))["input_ids"][0].tolist())
        places = tuple(place for place, token in enumerate(ids) if token == self.image_id)
        if not places:
            raise ValueError(
                f"the processor of {self._name} writes no token {self.image_id} for an image, "
                "in whose places the network would read it."
            )
        return ids, places

    def _process(self, image: Image, after: str = "") -> Any:
        """The processor's inputs for a text of one image, followed by `after`."""
        if self.settings.pad:
            mean = self.processor.image_processor.image_mean
            red, green, blue = (int(255 * value) for value in mean)
            shown = square(image, self._side, (red, green, blue))
        else:
            shown = to_pillow(image.pixels)
        return self.processor(
            images=[shown],
            text=[self.processor.image_token + after],
            add_special_tokens=False,
            return_tensors="pt",
        )

    def _see(self, inputs: Any) -> Float[Tensor, "n d"]:
        """Features of the image in the processor's inputs."""
        wanted = self.processor.image_processor.model_input_names
        given = {name: self._placed(inputs[name]) for name in wanted if name in inputs}
        # Not in inference mode, so that a training can build on these features.
        with torch.inference_mode(False), torch.no_grad():
            seen = _seer(self.model).get_image_features(**given)
        found = getattr(seen, "pooler_output", seen)
        parts = found if isinstance(found, list | tuple) else [found]
        return torch.cat([part.flatten(0, -2) for part in parts]).to(self.device, self.dtype)

    def _placed(self, value: Tensor) -> Tensor:
        value = torch.as_tensor(value)
        return value.to(self.device, self.dtype if value.is_floating_point() else None)

    @torch.no_grad()
    def _check(self) -> None:
        """Check that features in the places of image tokens are all that the network reads.

        They are compared with its own forward pass, which differs for a network that attends to an
        image in both directions (Gemma 3), counts positions in two dimensions (Qwen2-VL) or reads
        features in deeper layers too. A network that attends to all of a prompt in both directions
        (PaliGemma) differs where the prompt goes on.

        Raises:
            ValueError: they are not.
        """
        draw = torch.Generator().manual_seed(0)
        image = Image(torch.rand(3, 48, 64, generator=draw), "noise")
        try:
            inputs = self._process(image, " a")
            ids = tuple(inputs["input_ids"][0].tolist())
            places = tuple(place for place, token in enumerate(ids) if token == self.image_id)
            given = {name: self._placed(value) for name, value in inputs.items()}
            wanted = self.model(**given, use_cache=False).logits[0, -2:]
            rows = self._read(ids, places, self._see(inputs))[None]
            found = self.model(inputs_embeds=rows, use_cache=False).logits[0, -2:]
            before = self.model(inputs_embeds=rows[:, :-1], use_cache=False).logits[0, -1:]
        except Exception as error:
            raise ValueError(
                f"{self._name} cannot be asked about an image by way of image tokens: "
                f"{describe(error)}."
            ) from error
        if not _close(found, wanted) or not _close(before, found[:1]):
            raise ValueError(
                f"{self._name}, a {type(self.model).__name__}, reads an image in another way than "
                "as embeddings in the places of its image tokens, and would be answered for "
                "wrongly; models of LLaVA's family are served."
            )

    @property
    def _name(self) -> str:
        return f"multimodal model {self.identity or 'without a name'}"


def _close(found: Float[Tensor, "n v"], wanted: Float[Tensor, "n v"]) -> bool:
    most = TOLERANCE if wanted.dtype in (torch.float32, torch.float64) else HALF_TOLERANCE
    found, wanted = found.float(), wanted.float()
    spread = vector_norm(wanted - wanted.mean(-1, keepdim=True), dim=-1)
    return bool((vector_norm(found - wanted, dim=-1) <= most * spread).all())


def _check_parts(model: Any, processor: Any, identity: str) -> None:
    """Check that the parts that read images are there.

    Raises:
        ValueError: something is missing.
    """
    wanted = ("tokenizer", "image_processor", "image_token")
    absent = [f"a processor with {name}" for name in wanted if not hasattr(processor, name)]
    if getattr(model.config, "image_token_id", None) is None:
        absent.append("an image_token_id in the network's configuration")
    if not hasattr(_seer(model), "get_image_features"):
        absent.append("a network with get_image_features")
    if absent:
        raise ValueError(
            f"multimodal model {identity or 'without a name'} lacks {', '.join(absent)}; a folder "
            "is wanted as save_pretrained writes it of a model and of its processor."
        )


def _seer(model: Any) -> Any:
    """The part of a model that reads images: itself, or the part under its head (DeepSeek-VL)."""
    return model if hasattr(model, "get_image_features") else model.base_model


def _side(images: Any, name: str) -> int:
    """The side of the one square that an image processor makes of an image.

    Raises:
        ValueError: it makes something else.
    """
    blank = ramps((64, 64))
    made = torch.as_tensor(images([to_pillow(blank.pixels)], return_tensors="pt")["pixel_values"])
    if made.dim() != 4 or len(made) != 1 or made.shape[-1] != made.shape[-2]:
        raise ValueError(
            f"{name} reads no single square but {tuple(made.shape)}; leave the setting 'pad' out."
        )
    return int(made.shape[-1])
