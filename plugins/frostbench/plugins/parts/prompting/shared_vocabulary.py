"""Which words of a codebook a language model has as single tokens of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from frostbench.plugins.parts.prompting.language import Language
from frostbench.plugins.parts.prompting.token_map import TokenMap

LEAST = 0.05  # smallest share of a codebook's words that a language model must have
SAME = 500  # one word in so many may be printed otherwise in an equal vocabulary
UNREADABLE = "\ufffd"  # what bytes that are no text by themselves are decoded to


@dataclass(frozen=True)
class SharedVocabulary:
    """The part of a codebook that a language model has words for.

    Visual tokens are codes of this part: code i is row `rows[i]` of the codebook, and has the
    token `token_map.ids[i]`. A codebook made of the language model's own vocabulary is shared
    completely.

    Attributes:
        rows: Rows of the codebook, in rising order.
        token_map: A token for each of them.
        total: Rows of the codebook.
    """

    rows: tuple[int, ...]
    token_map: TokenMap
    total: int

    @property
    def share(self) -> float:
        """The share of the codebook that has a token."""
        return len(self.rows) / self.total

    def notes(self, method: str) -> tuple[str, ...]:
        """A note for readers where a part of the codebook has no token."""
        if len(self.rows) == self.total:
            return ()
        lost = self.total - len(self.rows)
        return (
            f"{lost:,} of the {self.total:,} words of {method}'s codebook "
            f"({1 - self.share:.1%}) are no single token of this language model and are not used.",
        )


def share_vocabulary(words: Sequence[str], language: Language) -> SharedVocabulary:
    """Find a token for each word of a codebook.

    Where word i reads as token i throughout, the vocabulary is the codebook's own, and is taken as
    it is: blanks around words are ignored, and one word in `SAME` may differ, since special tokens
    and bytes are printed in various ways (V2L's published vocabulary has " ⁇ " for LLaMA's <unk>).
    Otherwise words are mapped by string: a word has the token that reads the same, or else the one
    that reads the same after a blank. Of two equal words the first gets it, of two equal tokens the
    lowest is taken; bytes that are no text by themselves map to nothing.

    Raises:
        ValueError: hardly any word is a token of the language model.
    """
    total = len(words)
    texts = [language.decode([i]) for i in range(language.vocabulary_size)]
    if same_vocabulary(words, texts):
        return SharedVocabulary(
            tuple(range(total)), TokenMap(tuple(range(total)), len(texts)), total
        )
    tokens: dict[str, int] = {}
    for i, text in enumerate(texts):
        if text.strip() and UNREADABLE not in text:
            tokens.setdefault(text, i)
    first = {word: row for row, word in reversed(list(enumerate(words)))}
    found: dict[int, int] = {}
    for blank in ("", " "):
        for word, row in first.items():
            if row not in found and blank + word in tokens:
                found[row] = tokens.pop(blank + word)
    if len(found) < max(2, LEAST * total):
        raise ValueError(
            f"the language model's {len(texts):,} tokens have only {len(found)} of the codebook's "
            f"{total:,} words ({len(found) / total:.1%}); choose one whose vocabulary has more of "
            "them, or a tokenizer that was made for it."
        )
    rows = tuple(sorted(found))
    return SharedVocabulary(rows, TokenMap(tuple(found[row] for row in rows), len(texts)), total)


def same_vocabulary(words: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether words by id are those of the model whose tokens read as `texts`; see above."""
    other = sum(not _alike(word, text) for word, text in zip(words, texts, strict=False))
    return len(words) <= len(texts) and other * SAME <= len(words)


def _alike(word: str, text: str) -> bool:
    return not word.strip() or word.strip() == text.strip()
