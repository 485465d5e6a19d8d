"""From a prompt to what a language model reads: token ids, or embeddings throughout."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.lmm import LMM, ImageIds
from frostbench.plugins.contract.engine import Length, UnanswerableError
from frostbench.plugins.contract.prompts import (
    Ask,
    Attend,
    Choose,
    Fill,
    Generate,
    Ids,
    ImagePiece,
    Piece,
    Prompt,
    Regress,
    Score,
    Text,
    TokenSets,
    Trie,
    Vectors,
)
from frostbench.plugins.host.errors import describe

ResolvedPiece: TypeAlias = tuple[int, ...] | Tensor | ImageIds
"""What a piece becomes: token ids, embeddings `[n d]`, or an image, seen when it is read."""
Feed: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class ReadyPrompt:
    """A prompt made ready.

    Attributes:
        ask: What is asked.
        parts: What the prompt's pieces became, in reading order.
        new: The most tokens that can come after the prompt; for a `Fill` those of one group.
        strings: The ids of each option (`Choose`) or string (`Trie`).
        halo: For a `Fill` with packed groups, how many tokens are read again before each group.
    """

    ask: Ask
    parts: tuple[ResolvedPiece, ...]
    new: int
    strings: Mapping[str, tuple[int, ...]]
    halo: int | None = None

    @cached_property
    def ids(self) -> tuple[int, ...] | None:
        """Token ids, None where the prompt holds embeddings or images."""
        ids: list[int] = []
        for part in self.parts:
            if not isinstance(part, tuple):
                return None
            ids += part
        return tuple(ids)

    @cached_property
    def length(self) -> int:
        """Tokens of the prompt."""
        return sum(map(len, self.parts))

    @property
    def room(self) -> int:
        """Tokens that its batch row needs: the prompt, and what is surely read after it."""
        match self.ask:
            case Regress():
                return self.length + self.new
            case Fill(groups):
                return self.length + len(groups) * (self.new + (self.halo or 0))
            case _:
                return self.length

    @property
    def batched_by(self) -> tuple[int, ...]:
        """Sizes of the ask that all prompts of a batch must share."""
        match self.ask:
            case Regress():
                return (self.new,)
            case Fill(groups):
                return tuple(groups.shape[:2])
            case _:
                return ()

    @property
    def question(self) -> object:
        """Prompt and ask as a key; None for a prompt with embeddings, which equals no other."""
        if isinstance(self.ask, Fill) or any(isinstance(part, Tensor) for part in self.parts):
            return None
        read: object = self.ids
        if read is None:
            read = tuple(p.image.digest if isinstance(p, ImageIds) else p for p in self.parts)
        if isinstance(self.ask, Regress):
            return read, self.ask.steps, feed_identity(self.ask.feed)
        return read, self.ask

    def inputs(self, lm: CausalLM) -> Tensor:
        """The row that a reader reads: ids `[n]` or embeddings `[n d]`."""
        if self.ids is not None:
            return torch.tensor(self.ids, dtype=torch.long, device=lm.device)
        return torch.cat([_row(part, lm) for part in self.parts if len(part)])


def _row(part: ResolvedPiece, lm: CausalLM) -> Tensor:
    match part:
        case ImageIds():
            assert isinstance(lm, LMM)
            return lm.read(part)
        case Tensor():
            return part
        case _:
            return lm.embed(part)


def resolve(prompt: Prompt, lm: CausalLM, role: str, halo: int | None = None) -> ReadyPrompt:
    """Tokenise a prompt's pieces, each alone, and check that the model can answer it.

    `lm` is the model under the prompt's adapter, if it names one; `halo` is that of `ReadyPrompt`.

    Raises:
        UnanswerableError: it cannot.
    """
    parts = _parts(prompt, lm, role)
    length = sum(map(len, parts))
    strings = _strings(prompt.ask, lm)
    new = _new_tokens(prompt.ask, strings, lm)
    if length == 0:
        raise UnanswerableError(
            f"an empty prompt cannot be answered: it has no pieces, and backbone {role!r} has no "
            "beginning-of-sequence token, or the prompt forgoes it."
        )
    limit = lm.context_length
    if limit is not None and length + new > limit:
        raise UnanswerableError(
            f"the prompt has {length} tokens and asks for up to {new} more, {length + new} in all; "
            f"backbone {role!r} reads at most {limit}."
        )
    if isinstance(prompt.ask, Attend):
        _check_positions(prompt.ask, length)
    return ReadyPrompt(prompt.ask, parts, new, strings, halo)


def measure(prompt: Prompt, lm: CausalLM, role: str) -> Length:
    """How long a prompt is, whether or not the model takes as much.

    Raises:
        UnanswerableError: it cannot be answered for another reason.
    """
    ask = prompt.ask
    tokens = sum(map(len, _parts(prompt, lm, role)))
    if isinstance(ask, Attend):
        _check_positions(ask, tokens)
    return Length(tokens, _new_tokens(ask, _strings(ask, lm), lm), lm.context_length)


def feed_identity(feed: Feed) -> object:
    """A key that tells a feed from others, while it lives.

    A method bound to an object is another object at each look, and the same feed all the same.
    """
    owner = getattr(feed, "__self__", None)
    function = getattr(feed, "__func__", None)
    return (id(owner), id(function)) if owner is not None and function is not None else id(feed)


def _parts(prompt: Prompt, lm: CausalLM, role: str) -> tuple[ResolvedPiece, ...]:
    begun: tuple[ResolvedPiece, ...] = (lm.opening_ids,) if prompt.bos and lm.opening_ids else ()
    return (*begun, *(_part(piece, lm, role) for piece in prompt.pieces))


def _part(piece: Piece, lm: CausalLM, role: str) -> ResolvedPiece:
    match piece:
        case Text(text):
            return _without_images(tuple(lm.encode(text)), lm)
        case Ids(ids):
            _check_ids(ids, lm, "the prompt holds")
            return _without_images(ids, lm)
        case Vectors(vectors):
            if vectors.dim() != 2 or vectors.shape[1] != lm.width:
                raise UnanswerableError(
                    f"embeddings of shape {tuple(vectors.shape)} do not fit backbone {role!r}, "
                    f"which reads (n, {lm.width})."
                )
            if not bool(torch.isfinite(vectors).all()):
                raise UnanswerableError("the prompt holds embeddings that are not finite numbers.")
            return vectors.detach().to(lm.device, lm.dtype)
        case ImagePiece(image) if isinstance(lm, LMM):
            try:
                return lm.shown(image)
            except ValueError as error:  # raised by the processor: not every size can be shown
                raise UnanswerableError(
                    f"backbone {role!r} cannot be shown an image of {image.size[0]} x "
                    f"{image.size[1]}: {describe(error)}."
                ) from error
        case ImagePiece():
            raise UnanswerableError(
                f"backbone {role!r} takes no images; it reads text, ids and vectors."
            )


def _without_images(ids: tuple[int, ...], lm: CausalLM) -> tuple[int, ...]:
    """The ids, if none of them stands for an image that is not there."""
    if isinstance(lm, LMM) and lm.image_id in ids:
        raise UnanswerableError(
            f"the prompt's text holds {lm.decode([lm.image_id])!r}, in whose place an image is "
            "read; put an ImagePiece there."
        )
    return ids


def _check_positions(ask: Attend, length: int) -> None:
    """Check that there are positions, all in the prompt, and no key after a query."""
    for what, positions in (("queries", ask.queries), ("keys", ask.keys)):
        if not positions:
            raise UnanswerableError(f"Attend names no {what}; name positions of the prompt.")
        wrong = next((at for at in positions if not 0 <= at < length), None)
        if wrong is not None:
            raise UnanswerableError(
                f"Attend names position {wrong} among its {what}; the prompt's {length} tokens are "
                f"at positions 0 to {length - 1}."
            )
    first, last = min(ask.queries), max(ask.keys)
    if first < last:
        raise UnanswerableError(
            f"Attend asks what position {first} sees of position {last}, which comes after it "
            "and is hidden from it; ask for keys that no query stands before."
        )


def _check_groups(groups: Tensor, lm: CausalLM) -> None:
    """Check that there are placeholders, and that the model can read them."""
    if groups.dim() != 3 or groups.shape[2] != lm.width or not groups.numel():
        raise UnanswerableError(
            f"Fill holds placeholders of shape {tuple(groups.shape)}; one or more groups of one or "
            f"more embeddings of width {lm.width} are wanted."
        )
    if not bool(torch.isfinite(groups).all()):
        raise UnanswerableError("Fill holds placeholders that are not finite numbers.")


def _check_ids(ids: Sequence[int] | frozenset[int], lm: CausalLM, what: str) -> None:
    count = lm.vocabulary_size
    if ids and not 0 <= min(ids) <= max(ids) < count:
        wrong = next(i for i in sorted(ids) if not 0 <= i < count)
        raise UnanswerableError(
            f"{what} the id {wrong}; the model's ids run from 0 to {count - 1}."
        )


def samples_of(item: ReadyPrompt) -> int:
    """How many continuations of a prompt are written."""
    return item.ask.samples if isinstance(item.ask, Generate) else 1


def _undrawable(ask: Generate) -> str:
    """Why samples cannot be drawn as they are asked for; "" where they can."""
    if ask.samples < 1:
        return f"samples is at least 1, not {ask.samples}."
    if not 0 <= ask.temperature < math.inf:
        return f"temperature is a finite number from 0 on, not {ask.temperature}."
    if ask.samples > 1 and not ask.temperature:
        return (
            f"{ask.samples} samples are asked for at temperature 0, where all are the same; give a "
            "temperature above 0, or ask for one."
        )
    return ""


def _strings(ask: Ask, lm: CausalLM) -> dict[str, tuple[int, ...]]:
    match ask:
        case Choose(options=options):
            texts, what = options, "option"
        case Generate(allowed=Trie(texts)):
            what = "allowed string"
        case _:
            return {}
    if not texts:
        raise UnanswerableError(f"there is no {what} to choose from.")
    ids = {text: tuple(lm.encode(text)) for text in texts}
    empty = next((text for text, tokens in ids.items() if not tokens), None)
    if empty is not None:
        raise UnanswerableError(
            f"the {what} {empty!r} has no tokens, so that it has no probability."
        )
    return ids


def _new_tokens(ask: Ask, strings: Mapping[str, Sequence[int]], lm: CausalLM) -> int:
    longest = max((len(ids) for ids in strings.values()), default=0)
    match ask:
        case Choose():
            return longest
        case Attend() | Score():
            return 0
        case Fill(groups):
            _check_groups(groups, lm)
            return groups.shape[1]
        case Regress(steps=steps) if steps < 1:
            raise UnanswerableError(f"steps is at least 1, not {steps}.")
        case Regress(steps=steps):
            return steps
        case Generate(max_new_tokens=most) if most < 0:
            raise UnanswerableError(f"max_new_tokens is at least 0, not {most}.")
        case Generate() if said := _undrawable(ask):
            raise UnanswerableError(said)
        case Generate(max_new_tokens=most, allowed=TokenSets(sets)):
            for allowed in dict.fromkeys(sets):
                _check_ids(allowed, lm, "a token set allows")
            return min(most, len(sets))
        case Generate(max_new_tokens=most, allowed=Trie()):
            if most < longest:
                text = next(text for text, ids in strings.items() if len(ids) == longest)
                raise UnanswerableError(
                    f"max_new_tokens is {most}, and the allowed string {text!r} has {longest} "
                    "tokens; a string is written whole or not at all."
                )
            return longest
        case Generate(max_new_tokens=most):
            return most
