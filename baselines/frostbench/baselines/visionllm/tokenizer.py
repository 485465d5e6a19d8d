"""The language-guided image tokenizer (section 3.3 of the paper).

Backbone, text encoder, cross-attention from every scale of the maps to the text, and a Deformable
DETR whose queries become image tokens: what each shows, where its centre lies, and whether there
is anything.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertModel,
    DeformableDetrConfig,
    DeformableDetrModel,
    ResNetConfig,
)

from frostbench.baselines.visionllm.settings import (
    BackboneSettings,
    DetrSettings,
    FusionSettings,
    TextEncoderSettings,
    VisionLLMSettings,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as for Deformable DETR
PRIOR = -4.595  # logit of 0.01, the usual start of objectness with focal losses


@dataclass(frozen=True, eq=False)
class Queried:
    """What the queries found: one image token each, `layers` being those of the decoder.

    `boxes` are (centre x, centre y, width, height) in parts of the image, `objectness` logits.
    """

    states: Float[Tensor, "b m d"]
    boxes: Float[Tensor, "layers b m 4"]
    objectness: Float[Tensor, "layers b m"]


class TextIntoMaps(nn.Module):
    """Adds to each place of one scale what it reads in the text, through a gate."""

    def __init__(self, width: int, text_width: int, settings: FusionSettings) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(
            width, settings.heads, kdim=text_width, vdim=text_width, batch_first=True
        )
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Parameter(torch.full((1,), settings.gate))

    def forward(
        self,
        maps: Float[Tensor, "b n d"],
        text: Float[Tensor, "b l t"],
        mask: Bool[Tensor, "b l"],
    ) -> Float[Tensor, "b n d"]:
        """Maps with the text in them; `mask` is true at tokens that are text."""
        read, _ = self.attention(
            self.norm(maps), text, text, key_padding_mask=~mask, need_weights=False
        )
        changed: Tensor = maps + self.gate.tanh() * read
        return changed


class BoxHead(nn.Sequential):
    """Three layers that move a reference point and give a size, as in Deformable DETR."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 4),
        )


class ImageTokenizer(nn.Module):
    """Images and a text become M image tokens."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: VisionLLMSettings) -> None:
        super().__init__()
        detr, text = settings.detr, settings.text
        self.side = detr.side
        self.detr = DeformableDetrModel(detr_config(settings.backbone, detr))
        self.text = BertModel(_bert_config(text), add_pooling_layer=False)
        self.fusion = nn.ModuleList(
            TextIntoMaps(detr.width, text.width, settings.fusion) for _ in range(detr.levels)
        )
        # Without refinement all layers share their heads, as in Deformable DETR.
        own = detr.decoder_layers if detr.refine else 1
        boxes = [BoxHead(detr.width) for _ in range(own)]
        objectness = [nn.Linear(detr.width, 1) for _ in range(own)]
        times = detr.decoder_layers // own
        self.boxes = nn.ModuleList(boxes * times)
        self.objectness = nn.ModuleList(objectness * times)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        for head, sure in zip(boxes, objectness, strict=True):
            last = head[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            # A box starts at about a tenth of the image, as in Deformable DETR.
            last.bias.data[2:] = -2.0
            nn.init.constant_(sure.bias, PRIOR)
        if detr.refine:
            self.detr.decoder.bbox_embed = self.boxes

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each scale of the maps."""
        sides = [-(-self.side // 2**power) for power in (3, 4, 5)]
        while len(sides) < self.detr.config.num_feature_levels:
            sides.append(-(-sides[-1] // 2))
        return [(side, side) for side in sides[: self.detr.config.num_feature_levels]]

    @property
    def places(self) -> int:
        """How many places all maps have together (n)."""
        return sum(rows * columns for rows, columns in self.shapes)

    def maps(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """Maps of all scales, place by place, of images with values in [0, 1]; no text is read."""
        size = (self.side, self.side)
        if images.shape[-2:] != size:
            images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        seen = self.detr.backbone((images - self.mean) / self.std, _whole(images))
        features = [feature for feature, _ in seen]
        sources = [
            project(feature)
            for project, feature in zip(self.detr.input_proj, features, strict=False)
        ]
        for project in self.detr.input_proj[len(features) :]:
            coarsest = features[-1] if len(sources) == len(features) else sources[-1]
            sources.append(project(coarsest))
        return torch.cat([source.flatten(2).transpose(1, 2) for source in sources], 1)

    def forward(
        self,
        maps: Float[Tensor, "b n d"],
        text_ids: Int[Tensor, "b l"],
        text_mask: Bool[Tensor, "b l"],
    ) -> Queried:
        """What the queries find in maps, guided by a text; `text_mask` is true at its tokens."""
        longest = self.text.config.max_position_embeddings
        text_ids, text_mask = text_ids[:, :longest], text_mask[:, :longest]
        text = self.text(text_ids, attention_mask=text_mask.long()).last_hidden_state
        sizes = [rows * columns for rows, columns in self.shapes]
        scales = torch.split(maps, sizes, 1)
        guided = [
            fuse(scale, text, text_mask) for fuse, scale in zip(self.fusion, scales, strict=True)
        ]
        return self.query(torch.cat(guided, 1))

    def query(self, maps: Float[Tensor, "b n d"]) -> Queried:
        """What the queries find in maps, without a text."""
        detr, rows = self.detr, len(maps)
        where = self._where(maps)
        encoded = detr.encoder(
            inputs_embeds=maps, spatial_position_embeddings=self._positions(maps), **where
        ).last_hidden_state
        position, content = detr.query_position_embeddings.weight.chunk(2, 1)
        reference = detr.reference_points(position).sigmoid().expand(rows, -1, -1)
        decoded = detr.decoder(
            inputs_embeds=content.expand(rows, -1, -1),
            object_queries_position_embeddings=position.expand(rows, -1, -1),
            encoder_hidden_states=encoded,
            encoder_attention_mask=where.pop("attention_mask"),
            reference_points=reference,
            **where,
        )
        states = decoded.intermediate_hidden_states.unbind(1)
        moved = decoded.intermediate_reference_points.unbind(1)
        references = [reference, *moved[:-1]]
        return Queried(
            states[-1],
            torch.stack(
                [
                    _boxes(head(state), start)
                    for head, state, start in zip(self.boxes, states, references, strict=True)
                ]
            ),
            torch.stack(
                [
                    head(state).squeeze(-1)
                    for head, state in zip(self.objectness, states, strict=True)
                ]
            ),
        )

    def _where(self, maps: Float[Tensor, "b n d"]) -> dict[str, Any]:
        """Deformable DETR's description of the maps: their sizes, without padding."""
        shapes = torch.tensor(self.shapes, device=maps.device)
        starts = torch.cat((shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]))
        return {
            "attention_mask": maps.new_ones(maps.shape[:2], dtype=torch.bool),
            "spatial_shapes": shapes,
            "spatial_shapes_list": self.shapes,
            "level_start_index": starts,
            "valid_ratios": maps.new_ones(len(maps), len(self.shapes), 2),
        }

    def _positions(self, maps: Float[Tensor, "b n d"]) -> Float[Tensor, "1 n d"]:
        """Where each place lies, and in which scale."""
        positions = []
        for level, (rows, columns) in enumerate(self.shapes):
            shape = torch.Size((1, maps.shape[2], rows, columns))
            mask = torch.ones(1, rows, columns, dtype=torch.bool, device=maps.device)
            sine = self.detr.position_embedding(
                shape=shape, device=maps.device, dtype=torch.float32, mask=mask
            )
            positions.append(sine.flatten(2).transpose(1, 2) + self.detr.level_embed[level])
        return torch.cat(positions, 1).to(maps.dtype)


def detr_config(backbone: BackboneSettings, detr: DetrSettings) -> DeformableDetrConfig:
    """The sizes as a configuration of transformers."""
    network: dict[str, Any] | ResNetConfig
    if backbone.timm:
        network = {
            "model_type": "timm_backbone",
            "backbone": backbone.timm,
            "num_channels": 3,
            "features_only": True,
            "use_pretrained_backbone": False,
            "out_indices": [2, 3, 4],
        }
    else:
        network = ResNetConfig(
            embedding_size=backbone.embedding,
            hidden_sizes=list(backbone.hidden),
            depths=list(backbone.depths),
            layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        )
    return DeformableDetrConfig(
        backbone_config=network,
        num_queries=detr.queries,
        d_model=detr.width,
        num_feature_levels=detr.levels,
        encoder_layers=detr.encoder_layers,
        decoder_layers=detr.decoder_layers,
        encoder_attention_heads=detr.heads,
        decoder_attention_heads=detr.heads,
        encoder_ffn_dim=detr.inner,
        decoder_ffn_dim=detr.inner,
        encoder_n_points=detr.points,
        decoder_n_points=detr.points,
        dropout=detr.dropout,
    )


def _bert_config(text: TextEncoderSettings) -> BertConfig:
    return BertConfig(
        vocab_size=text.words,
        hidden_size=text.width,
        num_hidden_layers=text.layers,
        num_attention_heads=text.heads,
        intermediate_size=text.inner,
        max_position_embeddings=text.longest,
    )


def _whole(images: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b h w"]:
    """The mask of images without padding."""
    return torch.ones_like(images[:, 0], dtype=torch.long)


def _boxes(moved: Float[Tensor, "b m 4"], start: Float[Tensor, "b m _c"]) -> Float[Tensor, "b m 4"]:
    """A head's output as boxes: its first numbers move what the layer started from."""
    known = torch.logit(start, 1e-5)
    missing = moved.shape[-1] - known.shape[-1]
    return (moved + functional.pad(known, (0, missing))).sigmoid()
