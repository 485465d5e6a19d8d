"""A frozen masked language model, such as BERT or RoBERTa."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.linears import speed_up_linears
from frostbench.plugins.backbones.pretrained import load_pretrained

HEADS = ("lm_head", "cls")  # the layers before the logits, in the families of RoBERTa and BERT


class MaskedLM:
    """A masked language model and its tokenizer.

    Its weights never change, and gradients pass through it to whoever made the embeddings.

    Attributes:
        model: The network, frozen, in evaluation mode: without dropout.
        tokenizer: The tokenizer that came with it.
        identity: Where it came from, for people.
        mask_id: The token that stands for a hidden one.
        special_ids: Tokens that are no text, the mask among them.

    Raises:
        ValueError: the tokenizer has no mask token, or it is not known where the network's logits
            come from.
    """

    def __init__(self, model: Any, tokenizer: Any, identity: str = "") -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.identity = identity
        if tokenizer.mask_token_id is None:
            raise ValueError(
                f"the tokenizer of {identity or 'a masked language model'} has no mask token; it "
                "is not that of a masked language model."
            )
        self.mask_id = int(tokenizer.mask_token_id)
        self.special_ids = frozenset(int(i) for i in tokenizer.all_special_ids)
        self._head = next((name for name in HEADS if hasattr(model, name)), None)
        if self._head is None:
            raise ValueError(
                f"a {type(model).__name__} keeps the layers before its logits under none of the "
                f"names {', '.join(HEADS)}; use a model of RoBERTa's or BERT's family."
            )
        if self.device.type == "cpu":
            speed_up_linears(self.model)

    @classmethod
    def load(cls, entry: BackboneEntry, device: str = "cpu") -> "MaskedLM":
        """Load from a local folder, or by hub id from the local Hugging Face cache.

        Nothing is downloaded.

        Raises:
            ValueError: the folder or a file is missing, damaged, or no masked language model; the
                message names it.
        """
        noun = "masked language model"
        return cls(*load_pretrained("AutoModelForMaskedLM", entry, device, noun))

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.word_embeddings.device

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the embeddings that the model reads."""
        return self.word_embeddings.dtype

    @property
    def width(self) -> int:
        """The length of a token's embedding."""
        return int(self.word_embeddings.shape[1])

    @property
    def vocabulary_size(self) -> int:
        """How many ids the model can read, counted from 0."""
        return int(self.word_embeddings.shape[0])

    @property
    def longest(self) -> int:
        """How many tokens the model can read."""
        return int(self._positions.weight.shape[0]) - self._first

    @property
    def word_embeddings(self) -> Float[Tensor, "words d"]:
        """The embedding of each token, without position: the model's own table, not a copy."""
        return self.model.get_input_embeddings().weight  # type: ignore[no-any-return]

    def position_ids(self, ids: Int[Tensor, "b n"]) -> Int[Tensor, "b n"]:
        """The position of each token, as the model counts them.

        BERT counts from 0. RoBERTa counts from one more than the id of <pad>, leaves <pad> out of
        the count, and gives it its own id for a position.
        """
        pad = self._positions.padding_idx
        if pad is None:
            return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
        text = ids.ne(pad).long()
        return text.cumsum(1) * text + int(pad)

    def hidden(
        self, embeddings: Float[Tensor, "b n d"], position_ids: Int[Tensor, "b n"]
    ) -> Float[Tensor, "b n d"]:
        """The last layer's states; `embeddings` take the place of the tokens' own.

        Every token attends to every other.

        Raises:
            ValueError: there are more tokens than the model has positions.
        """
        if embeddings.shape[1] > self.longest:
            raise ValueError(
                f"{embeddings.shape[1]} tokens are more than the {self.longest} that the masked "
                f"language model {self.identity} reads; use fewer tokens or a larger model."
            )
        read = self.model.base_model(inputs_embeds=embeddings, position_ids=position_ids)
        return cast(Tensor, read.last_hidden_state)

    def logits(self, hidden: Float[Tensor, "*places d"]) -> Float[Tensor, "*places words"]:
        """How likely each token is at each place, from the last layer's states."""
        assert self._head is not None
        return cast(Tensor, getattr(self.model, self._head)(hidden))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included."""
        return str(self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    @property
    def _positions(self) -> Any:
        return self.model.base_model.embeddings.position_embeddings

    @property
    def _first(self) -> int:
        """The position of the first token."""
        pad = self._positions.padding_idx
        return 0 if pad is None else int(pad) + 1
