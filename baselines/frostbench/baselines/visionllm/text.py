"""The text encoder's input, and its start from a published BERT (section 3.3 of the paper).

A BERT reads the tokens of its own tokenizer; a text encoder that is trained from nothing reads
those of the language model, and needs no tokenizer beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.settings import TextEncoderSettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.backbones.pretrained import read_tokenizer
from frostbench.plugins.backbones.tokenizer import opening_ids

FIXED = ("hidden_act", "layer_norm_eps", "type_vocab_size")
"""Values that are the same in every published BERT, and no setting here."""


@dataclass(frozen=True, eq=False)
class TextReader:
    """Texts as the ids that a text encoder reads.

    Attributes:
        encode: The ids of one text, without special tokens.
        words: How many ids there are.
        source: Where they are from, for people.
        opening: Ids before all texts of a prompt, such as BERT's [CLS].
        closing: Ids after them, such as BERT's [SEP].
        tokenizer: The tokenizer to store beside the weights; None for the language model's.
    """

    encode: Callable[[str], Sequence[int]]
    words: int
    source: str
    opening: tuple[int, ...] = ()
    closing: tuple[int, ...] = ()
    tokenizer: Any = None

    def ids(self, texts: Sequence[str], longest: int) -> list[int]:
        """The ids of a prompt's texts, each tokenised by itself; those beyond `longest` are cut."""
        room = longest - len(self.opening) - len(self.closing)
        ids = [i for text in texts for i in self.encode(text)]
        return [*self.opening, *ids[:room], *self.closing]


def language_reader(lm: CausalLM) -> TextReader:
    """The language model's tokens."""
    return TextReader(
        lm.encode, lm.vocabulary_size, f"language model {lm.identity or 'without a name'}"
    )


def tokenizer_reader(tokenizer: Any, source: str) -> TextReader:
    """The tokens of a separate tokenizer, with its special tokens around them."""

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    opening = opening_ids(tokenizer)
    whole = list(tokenizer("a", verbose=False)["input_ids"])
    closing = tuple(whole[len(opening) + len(encode("a")) :])
    return TextReader(encode, len(tokenizer), source, opening, closing, tokenizer)


def stored_reader(folder: Path) -> TextReader:
    """The tokens of a tokenizer in a folder.

    Raises:
        ValueError: it cannot be read.
    """
    entry = BackboneEntry("text encoder", "masked_lm", str(folder.resolve()))
    return tokenizer_reader(read_tokenizer(entry), f"tokenizer {folder}")


def load_bert(folder: str) -> MaskedLM:
    """A published BERT, from which a text encoder can start.

    Raises:
        ValueError: the folder is missing or damaged, or holds another network than a BERT.
    """
    bert = MaskedLM.load(BackboneEntry("text encoder", "masked_lm", folder))
    _check_bert(bert.model.config, folder)
    return bert


def bert_sizes(config: Any) -> TextEncoderSettings:
    """The sizes of a BERT."""
    return TextEncoderSettings(
        words=config.vocab_size,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        inner=config.intermediate_size,
        longest=config.max_position_embeddings,
    )


def begin_text(model: VisionLLM, bert: Any) -> None:
    """Start the text encoder from the body of a BERT.

    Raises:
        ValueError: it has other tensors than the text encoder.
    """
    weights.fill(model.tokenizer.text, bert.base_model.state_dict(), "the text encoder")


def _check_bert(config: Any, source: str) -> None:
    from transformers import BertConfig

    wanted = BertConfig()
    other = [f"{name}={getattr(config, name, None)}" for name in FIXED]
    same = all(getattr(config, name, None) == getattr(wanted, name) for name in FIXED)
    if config.model_type != wanted.model_type or not same:
        raise ValueError(
            f"the text encoder is a BERT, and {source} holds a {config.model_type} "
            f"({', '.join(other)}); take one as google-bert/bert-base-uncased."
        )
