"""Lessons of the multimodal model: scenes, what their cells show, and conversations about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from frostbench.packs.mini.scenes.scenes import Composition, Scenes
from frostbench.packs.mini.scenes.training_images import stack
from frostbench.packs.mini.scenes.wording import caption_of, with_article
from frostbench.plugins.contract.scenes import Question

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerFast

IMAGE = "<image>"
ROLES = ("USER:", "ASSISTANT:")
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)  # of pixels, as in the pack's CLIP
DESCRIBE = "Please give me a description of the image."  # as F-LMM asks
LIST = "What is where?"
PADDED = -1  # the turn of padding


@dataclass(frozen=True)
class Turn:
    """A question and its expected answer; `kind` is the question's kind, "caption" or "list"."""

    kind: str
    question: str
    answer: str


@dataclass(frozen=True, eq=False)
class Conversations:
    """Conversations as the language model reads them, one a row.

    Each turn sees its row's image and itself, never another turn, and counts its positions from the
    image's end, as if it were a conversation of its own. `turns` numbers them from 1; the image's
    part is 0.
    """

    ids: Int[Tensor, "b t"]
    positions: Int[Tensor, "b t"]
    turns: Int[Tensor, "b t"]
    asked: Bool[Tensor, "b t"]  # the answers' tokens, <eos> included
    visible: Bool[Tensor, "b t t"]

    def to(self, device: str) -> "Conversations":
        """The same on a device."""
        return Conversations(
            *(getattr(self, name).to(device) for name in self.__dataclass_fields__)
        )


@dataclass(frozen=True, eq=False)
class ConversationLesson:
    """Images, what each of their cells shows, and conversations about them."""

    pixels: Float[Tensor, "b 3 h w"]
    shown: Float[Tensor, "b n names"]
    reading: Conversations

    def to(self, device: str) -> "ConversationLesson":
        """The same on a device."""
        return ConversationLesson(
            self.pixels.to(device), self.shown.to(device), self.reading.to(device)
        )


class ConversationWriter:
    r"""Writes conversations in LLaVA's form: `USER: <image>\n{question} ASSISTANT: {answer}`."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", cells: int) -> None:
        self._end = tokenizer.eos_token_id
        self._opening: list[int] = tokenizer(f"USER: {IMAGE * cells}\n").input_ids

        @cache  # the same questions come again and again
        def encode(text: str) -> "Encoding":
            encoding: Encoding = tokenizer(text, add_special_tokens=False).encodings[0]
            return encoding

        self._encode = encode

    def write(self, rows: Sequence[Sequence[Turn]]) -> Conversations:
        """Rows of turns, filled up on the right."""
        written = [self._row(turns) for turns in rows]
        longest = max(len(ids) for ids, *_ in written)
        filling = (0, 0, PADDED, 0)
        columns = [
            torch.tensor([[*row[kind], *[fill] * (longest - len(row[kind]))] for row in written])
            for kind, fill in enumerate(filling)
        ]
        ids, positions, turns, asked = columns
        same = turns[:, :, None] == turns[:, None, :]
        visible = (same | (turns[:, None, :] == 0)) & torch.ones(longest, longest).tril().bool()
        return Conversations(ids, positions, turns, asked.bool(), visible)

    def span(self, text: str, start: int, end: int) -> tuple[int, int]:
        """The first and the last token (exclusive) with a character in [start, end) of a text."""
        touching = [
            at
            for at, (first, last) in enumerate(self._encode(text).offsets)
            if first < end and last > start
        ]
        return touching[0], touching[-1] + 1

    def _row(self, turns: Sequence[Turn]) -> tuple[list[int], list[int], list[int], list[int]]:
        ids = list(self._opening)
        positions, numbers, asked = list(range(len(ids))), [0] * len(ids), [0] * len(ids)
        for number, turn in enumerate(turns, 1):
            question = self._encode(f"{turn.question} ASSISTANT:").ids
            answer = (*self._encode(f" {turn.answer}").ids, self._end)
            length = len(question) + len(answer)
            ids += [*question, *answer]
            positions += range(len(self._opening), len(self._opening) + length)
            numbers += [number] * length
            asked += [0] * len(question) + [1] * len(answer)
        return ids, positions, numbers, asked


class Lessons:
    """Makes lessons by number from a stock of base-class scenes, the same for the same seed."""

    def __init__(
        self,
        scenes: Scenes,
        tokenizer: "PreTrainedTokenizerFast",
        patch: int,
        stock: int,
        seed: int,
    ) -> None:
        self._patch, self._stock, self._seed = patch, stock, seed
        self._most = scenes.settings.most
        self._names = {name: at for at, name in enumerate(scenes.glyphs.names("base"))}
        self._reader = ConversationWriter(tokenizer, (scenes.settings.side // patch) ** 2)

        @cache  # composing a scene costs half as much as learning from it
        def scene(number: int, count: int | None) -> Composition:
            return scenes.scene("base", seed, number, count)

        self._scene = scene

    def make(self, index: int, count: int, *, speaking: bool) -> ConversationLesson:
        """Lesson number `index` of `count` images.

        Without conversations, half of the scenes are full, since more is learned from them, and
        images are rolled around, which moves what they show to other cells.
        """
        draw = np.random.default_rng([self._seed, index])
        chosen = [int(number) for number in draw.integers(self._stock, size=count)]
        full = [self._most if number % 2 and not speaking else None for number in chosen]
        scenes = [self._scene(*key) for key in zip(chosen, full, strict=True)]
        turns = [conversation(scene, draw) if speaking else [] for scene in scenes]
        moves = draw.integers(1 if speaking else len(scenes[0].pixels), size=(count, 2))
        pixels = [np.roll(s.pixels, by, (0, 1)) for s, by in zip(scenes, moves, strict=True)]
        shown = [self._shown(s, by) for s, by in zip(scenes, moves, strict=True)]
        return ConversationLesson(stack(pixels), torch.stack(shown), self._reader.write(turns))

    def _shown(self, scene: Composition, by: NDArray[np.int64]) -> Float[Tensor, "n names"]:
        """The share of each cell that each class covers, and, last, that none does."""
        masks = [glyph.mask.roll((int(by[0]), int(by[1])), (0, 1)) for glyph in scene.placed]
        parts = cells(torch.stack(masks), self._patch)
        shown = torch.zeros(parts.shape[1], len(self._names) + 1)
        for glyph, part in zip(scene.placed, parts, strict=True):
            shown[:, self._names[glyph.name]] += part
        shown[:, -1] = 1 - shown.sum(1)
        return shown


def cells(masks: Bool[Tensor, "glyphs h w"], patch: int) -> Float[Tensor, "glyphs n"]:
    """The share of each cell that each mask covers, row by row."""
    return functional.avg_pool2d(masks[:, None].float(), patch).flatten(1)


def conversation(scene: Composition, draw: np.random.Generator) -> list[Turn]:
    """A caption or a list in any order, and one question of each possible kind.

    The list gives places before names, so that places as well as names tell what to look at next.
    """
    order = draw.permutation(len(scene.placed))
    names, places = ([getattr(scene.placed[i], part) for i in order] for part in ("name", "place"))
    if draw.random() < 0.5:
        turns = [Turn("caption", DESCRIBE, caption_of(names, places)[0])]
    else:
        parts = zip(places, names, strict=True)
        text = ", ".join(f"{where} {with_article(name)}" for where, name in parts)
        turns = [Turn("list", LIST, f"{text}.")]
    for kind in get_args(Question.__annotations__["kind"]):
        asked = [question for question in scene.questions if question.kind == kind]
        if kind == "whether":  # half of them have the answer "no"
            answer = ("yes", "no")[int(draw.integers(2))]
            asked = [question for question in asked if answer in question.answers]
        if asked:
            question = asked[int(draw.integers(len(asked)))]
            turns.append(Turn(kind, question.text, question.answers[0]))
    return turns
