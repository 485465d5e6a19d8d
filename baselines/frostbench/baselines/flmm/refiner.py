"""F-LMM's mask refiner: SAM's prompt encoder and mask decoder, trained further."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from frostbench.plugins.backbones.numberless import is_numberless
from frostbench.plugins.backbones.sam import input_size, scale_boxes, to_image
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.parts.grounding.attention import lowest

LOWEST = -1.0  # the logit outside of the image, unless the mask head's lowest is lower


class Refiner(nn.Module):
    """Sharpens masks: the prompt of each is its logits, its box, and the words of its phrase.

    The frozen SAM gives the embeddings of images; its prompt encoder and mask decoder are copied,
    and the copies trained, under the names that the published checkpoints give them. Of the
    decoder's four masks, the first is used.
    """

    def __init__(self, sam: Any) -> None:
        super().__init__()
        copied = {"prompt_encoder": sam.prompt_encoder, "mask_decoder": sam.mask_decoder}
        self.model = nn.ModuleDict({name: copy.deepcopy(part) for name, part in copied.items()})
        self.model.requires_grad_(True)
        self._side = int(sam.image_encoder.img_size)

    @property
    def width(self) -> int:
        """The width of the words' states that it reads."""
        return int(self._prompts.embed_dim)

    def forward(
        self,
        embeddings: Float[Tensor, "n d side side"],
        size: tuple[int, int],
        logits: Float[Tensor, "n _rows _columns"],
        words: Sequence[Float[Tensor, "_k d"]],
    ) -> Float[Tensor, "n {size[0]} {size[1]}"]:
        """Logits at the size of an image, from logits that cover it in any number of cells.

        One row a phrase: the embedding of its image, its mask, and its words, as many as it has
        tokens. Phrases with the same number of tokens go through the decoder together. Gradients
        reach the mask head through the logits alone, and not through the boxes.
        """
        dense = self._prompts.mask_downscaling(self.as_prompt(logits, size))
        corners = self._corners(logits.detach(), size)
        refined: dict[int, Tensor] = {}
        for rows in _alike([len(told) for told in words]):
            told = torch.stack([words[row] for row in rows])
            sparse = torch.cat([corners[rows], told], 1)
            low = self.decode(embeddings[rows], sparse, dense[rows])
            refined |= zip(rows, to_image(low, size, self._side), strict=True)
        return torch.stack([refined[row] for row in range(len(logits))])

    def as_prompt(
        self, logits: Float[Tensor, "n _rows _columns"], size: tuple[int, int]
    ) -> Float[Tensor, "n 1 side side"]:
        """Logits of the image as the prompt encoder reads masks, padded as the image is.

        The padding is lower than any logit of the request, and at most -1, as published.
        """
        height, width = input_size(size, self._side)
        outside = lowest(logits, LOWEST)
        inside = functional.interpolate(
            logits[:, None], (height, width), mode="bilinear", align_corners=False
        )
        padded = functional.pad(
            inside, (0, self._side - width, 0, self._side - height), value=outside
        )
        return functional.interpolate(
            padded, self._prompts.mask_input_size, mode="bilinear", align_corners=False
        )

    def decode(
        self,
        embeddings: Float[Tensor, "n d side side"],
        sparse: Float[Tensor, "n k d"],
        dense: Float[Tensor, "n d side side"],
    ) -> Float[Tensor, "n rows columns"]:
        """The decoder's first mask for each prompt; each prompt has an image embedding of its own.

        SAM's own `MaskDecoder.forward` takes one embedding, and also computes the other masks and
        their quality, which are not used.
        """
        decoder: Any = self.model["mask_decoder"]
        count = len(embeddings)
        own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        tokens = torch.cat([own.expand(count, -1, -1), sparse], 1)
        places = self._prompts.get_dense_pe().expand(count, -1, -1, -1)
        states, pixels = decoder.transformer(embeddings + dense, places, tokens)
        maps = pixels.transpose(1, 2).reshape(dense.shape)
        fine = decoder.output_upscaling(maps)
        first = decoder.output_hypernetworks_mlps[0](states[:, 1])
        return torch.einsum("nd,ndrc->nrc", first, fine)

    @property
    def _prompts(self) -> Any:
        return self.model["prompt_encoder"]

    def _corners(
        self, logits: Float[Tensor, "n _rows _columns"], size: tuple[int, int]
    ) -> Float[Tensor, "n 2 d"]:
        # Probabilities are enlarged, not logits, as published.
        chances = functional.interpolate(
            logits[:, None].sigmoid(), size, mode="bilinear", align_corners=False
        )[:, 0]
        # An empty mask has no box: the prompt is then the whole image.
        whole = (0.0, 0.0, float(size[1]), float(size[0]))
        masks = [None] * len(chances) if is_numberless(chances) else (chances > 0.5).cpu()
        boxes = torch.tensor(
            [whole if mask is None or not mask.any() else box_of(mask) for mask in masks]
        )
        scaled = scale_boxes(boxes.to(logits.device), size, self._side)
        return self._prompts._embed_boxes(scaled)  # type: ignore[no-any-return]


def _alike(counts: Sequence[int]) -> list[list[int]]:
    """The places of equal numbers, group by group."""
    return [[i for i, n in enumerate(counts) if n == count] for count in sorted(set(counts))]
