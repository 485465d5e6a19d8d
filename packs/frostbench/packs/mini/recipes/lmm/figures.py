"""Figures of the small multimodal model's answers and attention, on scenes it has not seen."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from frostbench.packs.mini.recipes.lmm.lessons import (
    DESCRIBE,
    MEAN,
    STD,
    Conversations,
    ConversationWriter,
    Turn,
    conversation,
)
from frostbench.packs.mini.scenes.glyphs import Split
from frostbench.packs.mini.scenes.scenes import Composition, Scenes
from frostbench.packs.mini.scenes.training_images import stack
from frostbench.packs.mini.scenes.wording import with_article

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SEED = 1_000_003  # a seed that no training uses
ROWS = 20  # scenes at once


def measure(
    model: Any, tokenizer: "PreTrainedTokenizerFast", scenes: Scenes, count: int
) -> dict[str, float]:
    """Figures on `count` scenes of each split: new scenes of base classes, and new classes.

    - "KIND": the share of questions whose greedy answer is the expected one, to the letter. With
      classes that were never shown ("validation", "novel"), "what" asks for names never learned.
    - "KIND, blind": the same when always giving the commonest answer of the kind.
    - "names": the share of a caption's names predicted right, given the caption before them.
    - "pointing": the share of glyphs whose mask holds the maximum of the attention to the image
      (mean over layers, heads and the name's tokens) where the caption names them.
    - "pointing, best head": the same for the single head that points best on "base".
    - "pointing, blind": "pointing" with the map of a glyph of another scene, since glyphs lie more
      often near the middle than at the rim.
    """
    config = model.config
    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    reader = ConversationWriter(tokenizer, (side // patch) ** 2)
    figures: dict[str, float] = {}
    best: int | None = None
    splits: tuple[Split, ...] = ("base", "validation", "novel")
    for split in splits:
        made = [scenes.scene(split, SEED, number) for number in range(count)]
        found = answers(model, reader, made)
        maps = name_maps(model, reader, made)
        masks = [glyph.mask for scene in made for glyph in scene.placed]
        hits = torch.stack([pointed(m, mask) for m, mask in zip(maps, masks, strict=True)])
        if best is None:
            best = int(hits.float().mean(0).argmax())
        mean_maps = [m.mean(0, True) for m in maps]
        others = mean_maps[len(mean_maps) // 2 :] + mean_maps[: len(mean_maps) // 2]
        found["pointing"] = _share(mean_maps, masks)
        found["pointing, blind"] = _share(others, masks)
        found["pointing, best head"] = float(hits[:, best].float().mean())
        figures |= {f"{name} [{split}]": value for name, value in found.items()}
    return figures


@torch.no_grad()
def answers(
    model: Any, reader: ConversationWriter, scenes: Sequence[Composition]
) -> dict[str, float]:
    """The share of right answers by kind of question, blind too, and of right names in captions.

    A greedy answer is the expected one exactly if each of its tokens is the likeliest after those
    before it, so one pass over the expected answer suffices.
    """
    draw = np.random.default_rng(0)
    right: dict[str, list[bool]] = defaultdict(list)
    said: dict[str, list[str]] = defaultdict(list)
    for some in _rows(scenes):
        rows = [conversation(scene, draw) for scene in some]
        reading = reader.write(rows)
        logits = _run(model, some, reading).logits
        hit = torch.ones_like(reading.asked)
        hit[:, 1:] = logits[:, :-1].argmax(-1) == reading.ids[:, 1:]
        for row, turns in enumerate(rows):
            for number, turn in enumerate(turns, 1):
                at = (reading.turns[row] == number) & reading.asked[row]
                if turn.kind == "caption":
                    spans = _names_at(reader, some[row], turn.answer)
                    right["names"] += [bool(hit[row][at][a:b].all()) for a, b in spans]
                elif turn.kind != "list":
                    # The two questions about numbers have other answers.
                    kind = "how many things" if "things" in turn.question else turn.kind
                    right[kind].append(bool(hit[row][at].all()))
                    said[kind].append(turn.answer)
    figures = {kind: float(np.mean(hits)) for kind, hits in sorted(right.items())}
    for kind, given in sorted(said.items()):
        figures[f"{kind}, blind"] = Counter(given).most_common(1)[0][1] / len(given)
    return figures


@torch.no_grad()
def name_maps(
    model: Any, reader: ConversationWriter, scenes: Sequence[Composition]
) -> list[Float[Tensor, "maps h w"]]:
    """For each glyph of each scene, the attention of its name in the caption to the cells.

    One map a layer and head, layer by layer; mean over the name's tokens.
    """
    side = model.config.vision_config.image_size // model.config.vision_config.patch_size
    kept = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the only implementation that returns attention
    maps = []
    for some in _rows(scenes):
        reading = reader.write([[Turn("caption", DESCRIBE, scene.caption)] for scene in some])
        output = _run(model, some, reading, output_attentions=True)
        attention = torch.stack(output.attentions, 1).flatten(1, 2)
        image = reading.ids == model.config.image_token_id
        for row, scene in enumerate(some):
            asked = attention[row][:, reading.asked[row]][..., image[row]]
            for start, end in _names_at(reader, scene, scene.caption):
                maps.append(asked[:, start:end].mean(1).view(-1, side, side))
    model.set_attn_implementation(kept)
    return maps


def pointed(maps: Float[Tensor, "maps r c"], mask: Bool[Tensor, "h w"]) -> Bool[Tensor, " maps"]:
    """Whether each map, made as large as the mask, is highest inside it."""
    large = functional.interpolate(maps[None].float(), mask.shape, mode="bilinear")[0]
    return mask.flatten()[large.flatten(1).argmax(1)]


def _share(maps: Sequence[Float[Tensor, "1 r c"]], masks: Sequence[Bool[Tensor, "h w"]]) -> float:
    return float(np.mean([bool(pointed(m, mask)) for m, mask in zip(maps, masks, strict=True)]))


def _rows(scenes: Sequence[Composition]) -> Iterator[Sequence[Composition]]:
    for start in range(0, len(scenes), ROWS):
        yield scenes[start : start + ROWS]


def _run(model: Any, scenes: Sequence[Composition], reading: Conversations, **wanted: bool) -> Any:
    """The model's own forward pass, as a user of the folder would call it."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    # Not every attention accepts a boolean mask.
    hidden = torch.finfo(torch.float32).min
    return model(
        input_ids=reading.ids,
        pixel_values=(stack([scene.pixels for scene in scenes]) - mean) / std,
        attention_mask=torch.where(reading.visible[:, None], 0.0, hidden),
        position_ids=reading.positions,
        use_cache=False,
        **wanted,
    )


def _names_at(
    reader: ConversationWriter, scene: Composition, caption: str
) -> list[tuple[int, int]]:
    """Where each glyph's name stands among the tokens of a caption, in the caption's order."""
    found = []
    for glyph in scene.placed:
        phrase = f"{with_article(glyph.name)} {glyph.place}"
        start = caption.index(phrase) + phrase.index(glyph.name)
        found.append(reader.span(f" {caption}", start, start + 1 + len(glyph.name)))
    return found
