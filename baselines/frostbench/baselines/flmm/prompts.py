"""Prompts from which the multimodal model's attention is read: an image, then a given text.

The model writes nothing here. Each piece of the text is tokenised alone, as the published code does
with the pieces of a narrative and with expressions, so that a phrase's tokens are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Attend, Ids, ImagePiece, Piece, Prompt, Text
from frostbench.plugins.contract.requests import Span
from frostbench.plugins.parts.grounding.attention import image_keys

BACKBONE = "lmm"


@dataclass(frozen=True)
class ChatWording:
    """Texts around images and questions; the defaults are those of LLaVA-1.5 (Vicuna).

    Attributes:
        before: Before the image.
        behind: Between the image and the question.
        after: Between the question and the answer.
        describe: How a description is asked for; narratives and expressions are read as answers.
        briefly: After a question of a visual chain of thought.
        think: After a question, asking for the object that matters most.
        thought: How the answer to that begins.
        whole: Between the image and the region that was found in it.
        region: Between the region and the question.
        stop: What ends an expression.
        blanks: What happens to blanks between pieces. "apart" leaves them out, as published: the
            tokenisers of these models write one before each piece. "word" joins them to the word
            that follows, as byte-level tokenisers expect.
        lead: What the first piece begins with, where `blanks` is "word".
    """

    before: str = "USER: "
    behind: str = "\n"
    after: str = " ASSISTANT:"
    describe: str = "Please give me a description of the image."
    briefly: str = "\nAnswer the question using a single word or phrase."
    think: str = " First think which object in this image is most relevant to the question."
    thought: str = " The object most relevant to the question is"
    whole: str = "the whole image, "
    region: str = "the image region that might help you answer the question: "
    stop: str = "."
    blanks: Literal["apart", "word"] = "apart"
    lead: str = ""

    def asking(self, image: Image, question: str, begun: str = "") -> tuple[Piece, ...]:
        """An image, a question, and how its answer begins."""
        asked = Text(f"{self.behind}{question}{self.after}{begun}")
        return (*_said(self.before), ImagePiece(image), asked)

    def asking_again(self, image: Image, region: Image, question: str) -> tuple[Piece, ...]:
        """An image, a region of it, and a question about both."""
        asked = Text(f"{self.region}{question}{self.briefly}{self.after}")
        images = (ImagePiece(image), *_said(self.whole), ImagePiece(region))
        return (*_said(self.before), *images, asked)


@dataclass(frozen=True)
class PhrasedPrompt:
    """Segments of a prompt, and for each phrase the numbers of those that are its own."""

    pieces: tuple[Piece, ...]
    phrases: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class AttentionPrompt:
    """A prompt that asks for attention, and for each phrase the numbers of its queries."""

    prompt: Prompt
    phrases: tuple[tuple[int, ...], ...]


def expressions(wording: ChatWording, image: Image, texts: Sequence[str]) -> PhrasedPrompt:
    """Expressions one after another, each with a stop after it; later ones see earlier ones."""
    pieces = list(wording.asking(image, wording.describe))
    phrases = []
    for number, text in enumerate(texts):
        phrases.append((len(pieces),))
        between = " " if number else wording.lead
        bare = text.strip()
        pieces.append(Text(between + bare if wording.blanks == "word" else bare))
        pieces.append(Text(wording.stop))
    return PhrasedPrompt(tuple(pieces), tuple(phrases))


def narrative(
    wording: ChatWording, image: Image, text: str, phrases: Sequence[Span]
) -> PhrasedPrompt:
    """A narrative, cut where phrases begin and end; phrases are spans of its characters."""
    pieces = list(wording.asking(image, wording.describe))
    parts: dict[Span, int] = {}
    carried = wording.lead
    for start, end in _cut(len(text), phrases):
        piece = text[start:end]
        if wording.blanks == "apart":
            said = piece.strip()
        else:
            whole = carried + piece
            said = whole.rstrip() if end < len(text) else whole
            carried = whole[len(said) :]
        if said:
            parts[start, end] = len(pieces)
            pieces.append(Text(said))
    return PhrasedPrompt(tuple(pieces), tuple(_within(parts, phrase) for phrase in phrases))


def questioned(wording: ChatWording, image: Image, question: str) -> PhrasedPrompt:
    """A question that is itself the phrase; the model is not asked to answer it."""
    asked = (*_said(wording.before), ImagePiece(image), *_said(wording.behind))
    return PhrasedPrompt((*asked, Text(question)), ((len(asked),),))


def spoken(asked: Sequence[Piece], ids: Sequence[int], phrases: Sequence[Span]) -> PhrasedPrompt:
    """What the model itself wrote after a prompt; phrases are spans of its own tokens."""
    pieces, parts = list(asked), {}
    for start, end in _cut(len(ids), phrases):
        parts[start, end] = len(pieces)
        pieces.append(Ids(tuple(ids[start:end])))
    return PhrasedPrompt(tuple(pieces), tuple(_within(parts, phrase) for phrase in phrases))


def tokens_of(lmm: LMM, ids: Sequence[int], phrases: Sequence[Span]) -> list[Span]:
    """For spans of characters in a written text, the spans of its tokens that they touch.

    As published: from the token with the first character on, and at least one token.
    """
    ends = [len(lmm.decode(ids[: count + 1])) for count in range(len(ids))]
    starts = [0, *ends[:-1]]
    spans = []
    for first, last in phrases:
        start = next(i for i, end in enumerate(ends) if end > first)
        stop = next((i for i, begun in enumerate(starts) if begun >= last), len(ids))
        spans.append((start, max(start + 1, stop)))
    return spans


def attention_prompt(phrased: PhrasedPrompt, lmm: LMM) -> AttentionPrompt:
    """Ask for the attention of each phrase's tokens to the image, the first one of the prompt.

    Raises:
        ValueError: a phrase has no token of its own.
    """
    spans = lmm.spans_of(phrased.pieces)
    number, shown = next(
        (i, part.image) for i, part in enumerate(phrased.pieces) if isinstance(part, ImagePiece)
    )
    keys = image_keys(lmm.views(shown), spans[number].start)
    tokens = [[at for part in phrase for at in spans[part]] for phrase in phrased.phrases]
    for place, own in enumerate(tokens, 1):
        if not own:
            raise ValueError(
                f"phrase {place} of {len(tokens)} has no token of its own to look with; give a "
                "phrase of words."
            )
    queries = sorted({at for own in tokens for at in own})
    row = {at: number for number, at in enumerate(queries)}
    ask = Attend(tuple(queries), keys)
    asked = Prompt(phrased.pieces, ask, backbone=BACKBONE)
    return AttentionPrompt(asked, tuple(tuple(row[at] for at in own) for own in tokens))


def _cut(length: int, phrases: Sequence[Span]) -> list[Span]:
    """0 to `length`, cut where phrases begin and end."""
    return list(pairwise(sorted({0, length, *(at for phrase in phrases for at in phrase)})))


def _within(parts: Mapping[Span, int], phrase: Span) -> tuple[int, ...]:
    """The numbers of the pieces that lie in a phrase."""
    return tuple(at for (a, b), at in parts.items() if phrase[0] <= a and b <= phrase[1])


def _said(text: str) -> tuple[Piece, ...]:
    """A text as pieces: none for an empty text."""
    return (Text(text),) if text else ()
