"""Prompts: interleaved pieces and one ask of a backbone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.contract.images import Image


@dataclass(frozen=True)
class Text:
    """Text, which the engine tokenises by itself, without special tokens.

    Each text piece is tokenised alone, as the published code does, and the ids are joined.
    `visual` says that the text stands for an image; the control `no_image` leaves such pieces
    out, as it does with ids, vectors and images.
    """

    text: str
    visual: bool = False


@dataclass(frozen=True)
class Ids:
    """Tokens of the LLM's own vocabulary, put into the prompt as they are."""

    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Vectors:
    """Embeddings of the LLM's width, put in place of token embeddings."""

    vectors: Float[Tensor, "n d"]


@dataclass(frozen=True)
class ImagePiece:
    """An image for a backbone that takes images itself (an LMM)."""

    image: Image


Piece: TypeAlias = Text | Ids | Vectors | ImagePiece


@dataclass(frozen=True)
class TokenSets:
    """For each generated position, the ids that are allowed there.

    Generation ends after the last set, or at the end-of-sequence token where a set allows it.
    Share one set between positions where they are equal.
    """

    sets: tuple[frozenset[int], ...]


@dataclass(frozen=True)
class Trie:
    """The answer is one of these strings, whole: no mixture of two is possible.

    Each string is tokenised alone, like a `Text` piece.
    """

    strings: tuple[str, ...]


@dataclass(frozen=True)
class Generate:
    """Generation of at most `max_new_tokens` tokens: greedy, or sampled at a `temperature`.

    It ends at the model's end-of-sequence token, before the first occurrence of a `stop` string
    (which is cut off), or where `allowed` leaves no token.

    At temperature 0 each token is the most likely one. Above 0 it is drawn with the probability
    that the logits, divided by the temperature, give it among those that are allowed. What is drawn
    depends on the model, the prompt and `seed` alone: give a seed that is made of the request's
    (`seed_of(request.seed, step)`), or all requests draw alike. `samples` is how many continuations
    are drawn of one prompt, which is read once; each ends for itself.
    """

    max_new_tokens: int
    allowed: TokenSets | Trie | None = None
    stop: tuple[str, ...] = ()
    samples: int = 1
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Choose:
    """Choose the option that continues the prompt best, by the log-probability of all its tokens.

    With `mean` the log-probability is divided by the number of tokens. Of two equally likely
    options the first wins.
    """

    options: tuple[str, ...]
    mean: bool = False


@dataclass(frozen=True)
class Regress:
    """Autoregression on continuous features, `steps` times (LM4LV).

    The last hidden state, after the model's final norm, goes through `feed` (`[b, d] -> [b, d]`)
    and is the next input embedding. The first state is the one after the prompt, and the last is
    not fed. `feed` gets float32 on the model's device, one row for each prompt that names this very
    function or bound method (a function made anew for each prompt is fed row by row), and treats
    its rows apart.
    """

    steps: int
    feed: Callable[[Float[Tensor, "b d"]], Float[Tensor, "b d"]]


@dataclass(frozen=True)
class Attend:
    """Rows of attention: from the positions `queries` to the positions `keys`, per layer and head.

    Hidden states at `queries` are returned too (F-LMM). Positions count the prompt's tokens from 0,
    the beginning of sequence included (`CausalLM.spans` tells those of a prompt, `spans_of` those
    of pieces before there is one); none of `keys` comes after any of `queries`.
    """

    queries: tuple[int, ...]
    keys: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Fill:
    """Hidden states at placeholders after the prompt, in groups that do not see one another.

    `groups` are the placeholders' embeddings, in groups of one length. Each placeholder sees the
    whole prompt and those before it in its own group, and stands at the position that it would
    have if its group alone followed the prompt (VisionLLM's output format as query).
    """

    groups: Float[Tensor, "g n d"]


@dataclass(frozen=True)
class Score:
    """How well each of `texts` fits an image, by a backbone with two towers (a CLIP).

    The score is the cosine of the two embeddings. A text is cut to the text tower's context, 77
    tokens in OpenAI's CLIP. The prompt has no pieces: `Prompt((), Score(texts, image),
    backbone="clip")`. Without an image, as the control `no_image` asks, all texts fit equally: 0.
    """

    texts: tuple[str, ...]
    image: Image | None


Ask: TypeAlias = Generate | Choose | Regress | Attend | Fill | Score


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter of a method: a folder as peft saves it, and its name for people.

    The engine lays it over a copy of the backbone that shares all frozen weights.
    """

    name: str
    folder: Path


@dataclass(frozen=True)
class Shot:
    """One in-context example: what is shown, and the answer to it."""

    shown: tuple[Piece, ...]
    answer: tuple[Piece, ...]


@dataclass(frozen=True)
class Prompt:
    """What a frozen backbone reads, left to right: `opening`, then `shots`, then `query`.

    The engine joins them; that the shots are kept apart lets controls answer the same prompt
    without a language model (majority vote). `bos` puts first what the model's own tokenizer opens
    a text with: a beginning-of-sequence token, if any. `adapter` is a LoRA adapter of the method,
    if one is to be active.
    """

    query: tuple[Piece, ...]
    ask: Ask
    shots: tuple[Shot, ...] = ()
    opening: tuple[Piece, ...] = ()
    backbone: str = "llm"
    adapter: Adapter | None = None
    bos: bool = True

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All pieces in reading order."""
        shown = tuple(piece for shot in self.shots for piece in (*shot.shown, *shot.answer))
        return (*self.opening, *shown, *self.query)


Wave: TypeAlias = list[Prompt]
"""Prompts that do not depend on one another, so that the engine may run them together."""
