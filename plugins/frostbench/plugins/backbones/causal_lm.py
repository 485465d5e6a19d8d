"""A frozen language model of any causal class that transformers knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.linears import speed_up_linears
from frostbench.plugins.backbones.pretrained import load_pretrained
from frostbench.plugins.backbones.tokenizer import opening_ids
from frostbench.plugins.contract.prompts import Ids, ImagePiece, Piece, Prompt, Text, Vectors
from frostbench.plugins.host.settings import read_settings

CACHED_TEXTS = 1 << 16


@dataclass(frozen=True)
class CausalLmSettings:
    """How a language model is loaded.

    Attributes:
        device_map: How a model larger than one card is spread over several of one machine: "auto",
            or a device by the name of a module (see `device_map`). None is all on one device.
    """

    device_map: Any = None


class CausalLM:
    """A language model and its tokenizer.

    Attributes:
        model: The network, frozen, in evaluation mode.
        tokenizer: The tokenizer that came with it.
        identity: Where it came from, for people.
        eos_ids: Every id at which the model ends a text.
        opening_ids: What its tokenizer puts before a text: a beginning-of-sequence token, if any.
    """

    def __init__(self, model: Any, tokenizer: Any, identity: str = "") -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.identity = identity
        if self.device.type == "cpu":
            speed_up_linears(self.model)
        self.eos_ids = _eos_ids(model, tokenizer)
        self.opening_ids = opening_ids(tokenizer)
        # Only the cached function itself can put an entry into a cache of this kind.
        self._ids_of = lru_cache(CACHED_TEXTS)(self._tokenise)

    @classmethod
    def load(cls, entry: BackboneEntry, device: str = "cpu") -> "CausalLM":
        """Load from a local folder, or by hub id from the local Hugging Face cache.

        Nothing is downloaded.

        Raises:
            ValueError: the folder or a file is missing, damaged, or no causal language model; the
                message names it.
        """
        own = read_settings(CausalLmSettings, entry.settings, f"backbone {entry.role!r}")
        made = cls(
            *load_pretrained(
                "AutoModelForCausalLM", entry, device, "language model", device_map=own.device_map
            )
        )
        # transformers makes one of a masked model's weights without a word.
        masked = [kind for kind in made.model.config.architectures or () if "MaskedLM" in kind]
        if masked:
            raise ValueError(
                f"{made.identity} holds a {masked[0]}, which reads in both directions; a causal "
                "language model is wanted."
            )
        return made

    @property
    def device(self) -> torch.device:
        """Where the model reads what it is given, and where its answers are."""
        device: torch.device = self._table.weight.device
        return device

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """All that the model lies on, `device` first."""
        tensors = self.model.parameters()
        return tuple(dict.fromkeys((self.device, *(tensor.device for tensor in tensors))))

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the embeddings that the model reads."""
        return self._table.weight.dtype  # type: ignore[no-any-return]

    @property
    def width(self) -> int:
        """The length of a token's embedding."""
        return int(self._table.weight.shape[1])

    @property
    def vocabulary_size(self) -> int:
        """How many ids the model can read, counted from 0."""
        return int(self._table.weight.shape[0])

    @property
    def context_length(self) -> int | None:
        """How many tokens the model can read and write in all; None where it sets no limit."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(limit) if limit else None

    @property
    def eos_id(self) -> int | None:
        """The end-of-sequence token, where there is one."""
        return _first(self.tokenizer.eos_token_id, *sorted(self.eos_ids))

    def embed(self, ids: Sequence[int]) -> Float[Tensor, "n d"]:
        """The embeddings of ids, as the model would look them up.

        Raises:
            IndexError: an id is not in the vocabulary.
        """
        wrong = next((i for i in ids if not 0 <= i < self.vocabulary_size), None)
        if wrong is not None:
            raise IndexError(f"no token {wrong}: ids run from 0 to {self.vocabulary_size - 1}.")
        with torch.no_grad():
            table = self._table(torch.tensor(list(ids), dtype=torch.long, device=self.device))
        return table.view(len(ids), self.width)  # type: ignore[no-any-return]

    def encode(self, text: str) -> list[int]:
        """The tokens of a text by itself, without special tokens."""
        return list(self._ids_of(text))

    def _tokenise(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included."""
        return str(self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def length(self, piece: Piece) -> int:
        """How many positions a piece takes; the network is not run.

        Raises:
            ValueError: it is an image, and the model takes none.
        """
        match piece:
            case Text(text):
                return len(self.encode(text))
            case Ids(ids):
                return len(ids)
            case Vectors(vectors):
                return len(vectors)
            case ImagePiece():
                raise ValueError(
                    f"{self.identity or 'a language model'} takes no images; it reads text, ids "
                    "and vectors."
                )

    def spans(self, prompt: Prompt) -> tuple[range, ...]:
        """The positions of each of `prompt.pieces` in the prompt as the engine reads it.

        `Attend` takes these positions. They count from 0 and include the tokens with which the
        tokenizer opens a text, where the prompt has them.

        Raises:
            ValueError: it holds an image, and the model takes none.
        """
        return self.spans_of(prompt.pieces, prompt.bos)

    def spans_of(self, pieces: Sequence[Piece], bos: bool = True) -> tuple[range, ...]:
        """The positions of pieces in a prompt that is not made yet, because its ask needs them.

        Raises:
            ValueError: there is an image among them, and the model takes none.
        """
        at = len(self.opening_ids) if bos else 0
        spans = []
        for piece in pieces:
            spans.append(range(at, at + self.length(piece)))
            at = spans[-1].stop
        return tuple(spans)

    def over(self, model: Any, identity: str) -> "CausalLM":
        """The same reader over another network of the same architecture."""
        return CausalLM(model, self.tokenizer, identity)

    @property
    def _table(self) -> Any:
        return self.model.get_input_embeddings()


def _eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """End-of-sequence ids of the tokenizer, the configuration and the generation settings."""
    generation = getattr(model, "generation_config", None)
    found: set[int] = set()
    for value in (
        tokenizer.eos_token_id,
        getattr(model.config.get_text_config(), "eos_token_id", None),
        getattr(generation, "eos_token_id", None),
    ):
        found.update([] if value is None else [value] if isinstance(value, int) else value)
    return frozenset(found)


def _first(*ids: int | None) -> int | None:
    return next((i for i in ids if i is not None), None)
