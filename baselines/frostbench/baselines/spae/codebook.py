"""SPAE's codebook: which of a language model's tokens are codes, and their vectors."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.host.texts import read_json, taken
from frostbench.plugins.parts.prompting.language import Language

WORDS = "words.json"

Standard: TypeAlias = Literal["mean_rms", "none"]


@dataclass(frozen=True)
class CodebookSettings:
    """What the codes are.

    Attributes:
        source: "llm_input": rows of the language model's own input embeddings, as SPAE has it for
            PaLM 2. "clip_text": CLIP's feature of each word, as in V2L-Tokenizer.
        standardise: "mean_rms" subtracts the mean row and scales all rows to a root mean square of
            1, so that rows of small norm are not nearest to everything; "none" takes rows as they
            are. The paper says nothing of this; unverified.
        letters: Leave out pieces without a letter (unverified; the paper takes the most frequent).
        whole_words: Leave out pieces that do not begin with a blank.
    """

    source: Literal["llm_input", "clip_text"] = "llm_input"
    standardise: Standard = "mean_rms"
    letters: bool = True
    whole_words: bool = False


@dataclass(frozen=True)
class CodebookWords:
    """The tokens of the rows of a codebook, as the language model `llm` counts them."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    llm: str = ""

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.texts):
            raise ValueError(f"there are {len(self.ids)} ids for {len(self.texts)} words.")

    def save(self, folder: Path) -> None:
        """Write `words.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), ensure_ascii=False)
        (folder / WORDS).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "CodebookWords":
        """What `save` wrote.

        Raises:
            ValueError: the file is missing or damaged.
        """
        path = folder / WORDS
        try:
            content = read_json(path)
        except FileNotFoundError:
            raise ValueError(f"no {WORDS} in {folder}: its codes have no known words.") from None
        ids, texts = (taken(str(path), content, key, list) for key in ("ids", "texts"))
        llm = taken(str(path), content, "llm", str)
        if not all(isinstance(i, int) for i in ids) or not all(isinstance(t, str) for t in texts):
            raise ValueError(f"{path}: 'ids' are whole numbers and 'texts' are texts.")
        return cls(tuple(ids), tuple(texts), llm)


def choose(
    language: Language, special: frozenset[int], settings: CodebookSettings
) -> CodebookWords:
    """The tokens that are codes: those whose text is tokenised to that one token again.

    Special tokens are left out, and so are pieces of a character, which are no text.

    Raises:
        ValueError: hardly a token is left.
    """
    ids, texts = [], []
    for i in range(language.vocabulary_size):
        text = language.decode([i])
        if i in special or not text.strip() or "\N{REPLACEMENT CHARACTER}" in text:
            continue
        if settings.letters and not any(character.isalpha() for character in text):
            continue
        if settings.whole_words and not text.startswith(" "):
            continue
        if language.encode(text) == [i]:
            ids.append(i)
            texts.append(text)
    if len(ids) < 2:
        raise ValueError(
            f"of the language model's {language.vocabulary_size} tokens {len(ids)} are words that "
            "encode to themselves; allow more of them (letters, whole_words)."
        )
    return CodebookWords(tuple(ids), tuple(texts))


def special_ids(llm: CausalLM) -> frozenset[int]:
    """The tokens that stand for no text."""
    return frozenset(llm.tokenizer.all_special_ids)


def standardised(rows: Float[Tensor, "words c"], how: Standard) -> Float[Tensor, "words c"]:
    """The rows as the settings want them, in float32."""
    rows = rows.float()
    if how == "none":
        return rows
    centred = rows - rows.mean(0)
    return centred / centred.square().mean().sqrt()


def input_rows(llm: CausalLM, words: CodebookWords) -> Float[Tensor, "words c"]:
    """The language model's input embeddings of the words."""
    return torch.as_tensor(llm.embed(words.ids)).float().cpu()
