"""How training reads: prompts as embeddings, tuples at placeholders, texts word by word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.baselines.visionllm.model import GuidedTokens, TupleLayout, VisionLLM
from frostbench.baselines.visionllm.text import TextReader
from frostbench.baselines.visionllm.tuple_loss import Tuples, asked_classes
from frostbench.baselines.visionllm.wording import (
    ClassWord,
    ImageTokens,
    InstructionPart,
    texts_of,
)
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.engine.packed import decoder_of, packed_states

_IMAGE = -1  # stands for one image token; the class word k is _IMAGE - 1 - k


@dataclass(frozen=True, eq=False)
class TextBatch:
    """Texts as ids, filled up at the right; `mask` is true at tokens."""

    ids: Int[Tensor, "b l"]
    mask: Bool[Tensor, "b l"]


def text_batch(
    reader: TextReader, model: VisionLLM, prompts: Sequence[Sequence[InstructionPart]]
) -> TextBatch:
    """What the text encoder reads of prompts."""
    longest = model.settings.text.longest
    rows = [reader.ids(texts_of(parts), longest) for parts in prompts]
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
    device = model.class_slot.device
    return TextBatch(ids.to(device), mask.to(device))


@dataclass(frozen=True, eq=False)
class PromptBatch:
    """Prompts as embeddings, filled up at the left, where `mask` is 0."""

    embeddings: Float[Tensor, "b p w"]
    mask: Int[Tensor, "b p"]


def prompt_batch(
    lm: CausalLM,
    model: VisionLLM,
    prompts: Sequence[Sequence[InstructionPart]],
    tokens: Float[Tensor, "b m w"],
    answers: Sequence[Sequence[int]] = (),
) -> PromptBatch:
    """Prompts with image tokens and class words, and after them perhaps the ids of answers."""
    m = tokens.shape[1]
    rows = [_row(lm, parts, m) for parts in prompts]
    if answers:
        rows = [[*row, *answer] for row, answer in zip(rows, answers, strict=True)]
    longest = max(map(len, rows))
    ids = torch.tensor([[*[0] * (longest - len(row)), *row] for row in rows], device=lm.device)
    lengths = torch.tensor([len(row) for row in rows], device=lm.device)
    places = torch.arange(longest, device=lm.device)
    mask = (places >= longest - lengths[:, None]).long()
    with torch.no_grad():
        embeddings = lm.model.get_input_embeddings()(ids.clamp(min=0)).float()
    embeddings = embeddings.masked_scatter((ids == _IMAGE)[..., None], tokens.float())
    classes = ids < _IMAGE
    words = functional.embedding(_IMAGE - 1 - ids[classes], model.words.read)
    return PromptBatch(embeddings.masked_scatter(classes[..., None], words), mask)


def read_tuples(
    lm: CausalLM,
    adapted: Any,
    model: VisionLLM,
    seen: GuidedTokens,
    prompts: Sequence[Sequence[InstructionPart]],
    layout: TupleLayout,
    class_counts: Sequence[int],
) -> Tuples:
    """The tuples that a language model with its adapter predicts, one for each image token."""
    prompt = prompt_batch(lm, model, prompts, seen.tokens)
    groups = model.placeholders(seen.tokens.float(), layout)
    states = packed_states(adapted, prompt.embeddings, groups, mask=prompt.mask).groups.float()
    most = max(class_counts)
    with torch.autocast(states.device.type, enabled=False):
        classes = model.class_logits(states[:, :, 0], most)
        places = model.place_logits(states[:, :, 1:])
    known = asked_classes(class_counts, most).to(classes.device)
    classes = classes.masked_fill(~known[:, None], -torch.inf)
    return Tuples(classes, places.view(*places.shape[:2], layout.points, 2, -1), seen.centres)


@dataclass(frozen=True, eq=False)
class TextRead:
    """Logits at the tokens of answers, one answer after another, and the tokens themselves."""

    logits: Float[Tensor, "t words"]
    wanted: Int[Tensor, " t"]
    lengths: tuple[int, ...]

    @property
    def loss(self) -> Float[Tensor, ""]:
        """Next-token cross-entropy."""
        return functional.cross_entropy(self.logits, self.wanted)

    @property
    def whole(self) -> list[bool]:
        """Whether each answer is what the model itself would write by greedy decoding."""
        right = self.logits.argmax(1) == self.wanted
        return [bool(own.all()) for own in torch.split(right, list(self.lengths))]


def read_texts(
    lm: CausalLM,
    adapted: Any,
    model: VisionLLM,
    seen: GuidedTokens,
    prompts: Sequence[Sequence[InstructionPart]],
    answers: Sequence[str],
) -> TextRead:
    """Answers after their prompts, each with the end of sequence, under teacher forcing."""
    end = [] if lm.eos_id is None else [lm.eos_id]
    ids = [[*lm.encode(answer), *end] for answer in answers]
    batch = prompt_batch(lm, model, prompts, seen.tokens, ids)
    states = decoder_of(adapted)(
        inputs_embeds=batch.embeddings, attention_mask=batch.mask, use_cache=False
    ).last_hidden_state
    # Each answer ends its batch row, and the state before a token predicts it.
    asking = [states[row, -len(own) - 1 : -1] for row, own in enumerate(ids)]
    logits = lm.model.get_output_embeddings()(torch.cat(asking).to(lm.dtype))
    wanted = torch.tensor([i for own in ids for i in own], device=logits.device)
    return TextRead(logits.float(), wanted, tuple(map(len, ids)))


def _row(lm: CausalLM, parts: Sequence[InstructionPart], m: int) -> list[int]:
    row = list(lm.opening_ids)
    for part in parts:
        match part:
            case str():
                row += lm.encode(part)
            case ClassWord(index):
                row.append(_IMAGE - 1 - index)
            case ImageTokens():
                row += [_IMAGE] * m
    return row
