"""The sizes of a SAM, and the network of those sizes, of the package `segment-anything`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamSettings:
    """Sizes; the defaults are those of the published ViT-L.

    Attributes:
        image_size: Side, in pixels, of the square that the image encoder reads.
        patch: Side of a cell of the embedding.
        width: Of the image encoder's tokens.
        depth: Blocks of the image encoder.
        heads: Of each of these blocks.
        global_blocks: Numbers of the blocks that attend to the whole image; the others attend
            within windows.
        window: Cells along a window's side; 0 for no windows.
        prompt_width: Of prompts, and channels of the embedding.
        mask_channels: Inner channels of what reads mask prompts.
        decoder_depth: Blocks of the mask decoder.
        decoder_heads: Of each of these blocks.
        decoder_inner: Width of their feed-forward layers.
        ambiguous_masks: How many masks the decoder offers beside the first, where a prompt may
            mean several things.
        quality_depth: Layers of the head that estimates how good a mask is.
        quality_width: Of these layers.
    """

    image_size: int = 1024
    patch: int = 16
    width: int = 1024
    depth: int = 24
    heads: int = 16
    global_blocks: tuple[int, ...] = (5, 11, 17, 23)
    window: int = 14
    prompt_width: int = 256
    mask_channels: int = 16
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_inner: int = 2048
    ambiguous_masks: int = 3
    quality_depth: int = 3
    quality_width: int = 256

    def __post_init__(self) -> None:
        if self.image_size % self.patch:
            raise ValueError(
                f"images of {self.image_size} pixels are not cut into whole cells of "
                f"{self.patch}; choose a patch that divides image_size."
            )
        # Cross-attention halves the width before it splits it into heads.
        for width, heads, what in (
            (self.width, self.heads, "width and heads"),
            (self.prompt_width, 2 * self.decoder_heads, "prompt_width and twice decoder_heads"),
            (self.prompt_width, 8, "prompt_width and 8"),
            (self.mask_channels, 4, "mask_channels and 4"),
        ):
            if width % heads:
                raise ValueError(f"{what} must divide without rest; they are {width} and {heads}.")

    @property
    def side(self) -> int:
        """Cells along one side of the embedding."""
        return self.image_size // self.patch


VIT_B = SamSettings(width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11))
VIT_L = SamSettings()
VIT_H = SamSettings(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31))


def build_sam(settings: SamSettings) -> Any:
    """A `segment_anything` Sam with random weights."""
    from segment_anything.modeling import (
        ImageEncoderViT,
        MaskDecoder,
        PromptEncoder,
        Sam,
        TwoWayTransformer,
    )

    side = settings.side
    return Sam(
        ImageEncoderViT(
            img_size=settings.image_size,
            patch_size=settings.patch,
            embed_dim=settings.width,
            depth=settings.depth,
            num_heads=settings.heads,
            mlp_ratio=4,
            out_chans=settings.prompt_width,
            qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=settings.window,
            global_attn_indexes=settings.global_blocks,
        ),
        PromptEncoder(
            embed_dim=settings.prompt_width,
            image_embedding_size=(side, side),
            input_image_size=(settings.image_size, settings.image_size),
            mask_in_chans=settings.mask_channels,
        ),
        MaskDecoder(
            transformer_dim=settings.prompt_width,
            transformer=TwoWayTransformer(
                depth=settings.decoder_depth,
                embedding_dim=settings.prompt_width,
                num_heads=settings.decoder_heads,
                mlp_dim=settings.decoder_inner,
            ),
            num_multimask_outputs=settings.ambiguous_masks,
            iou_head_depth=settings.quality_depth,
            iou_head_hidden_dim=settings.quality_width,
        ),
    )


def published_sizes(state: Mapping[str, Tensor], source: str) -> SamSettings:
    """The sizes of a SAM in Meta's layout, read off its tensors.

    Shapes do not tell the mask decoder's number of heads, which is 8 in every published SAM.

    Raises:
        ValueError: it is no SAM.
    """
    try:
        patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
        _, side, _, width = state["image_encoder.pos_embed"].shape
        reach = {
            int(name.split(".")[2]): tuple(table.shape)
            for name, table in state.items()
            if name.startswith("image_encoder.blocks.") and name.endswith("attn.rel_pos_h")
        }
        # A table of relative positions has a row for each distance within a window, or the image.
        whole = tuple(block for block, (rows, _) in sorted(reach.items()) if rows == 2 * side - 1)
        windows = {(rows + 1) // 2 for block, (rows, _) in reach.items() if block not in whole}
        return replace(
            decoder_sizes(state, source),
            image_size=side * patch,
            patch=patch,
            width=width,
            depth=len(reach),
            heads=width // reach[0][1],
            global_blocks=whole,
            window=min(windows, default=0),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(
            f"{source} holds no SAM with its image encoder ({error}); a SAM is a `.pth` file of "
            "segment-anything, or a folder with config.json and model.safetensors."
        ) from None


def decoder_sizes(state: Mapping[str, Tensor], source: str) -> SamSettings:
    """The sizes of a SAM's prompt encoder and mask decoder; those of its image encoder are ViT-L's.

    Raises:
        ValueError: they are not there.
    """
    try:
        return SamSettings(
            prompt_width=state["prompt_encoder.no_mask_embed.weight"].shape[1],
            mask_channels=len(state["prompt_encoder.mask_downscaling.3.weight"]),
            decoder_depth=_count(state, "mask_decoder.transformer.layers."),
            decoder_inner=len(state["mask_decoder.transformer.layers.0.mlp.lin1.weight"]),
            ambiguous_masks=len(state["mask_decoder.mask_tokens.weight"]) - 1,
            quality_depth=_count(state, "mask_decoder.iou_prediction_head.layers."),
            quality_width=len(state["mask_decoder.iou_prediction_head.layers.0.weight"]),
        )
    except KeyError as error:
        raise ValueError(f"{source} holds no mask decoder of SAM: it lacks {error}.") from None


def _count(state: Mapping[str, Tensor], before: str) -> int:
    return len({name[len(before) :].split(".")[0] for name in state if name.startswith(before)})
