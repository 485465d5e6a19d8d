"""What prompts of discrete tokens need to know about a language model."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Language(Protocol):
    """The tokens of a language model; any causal language model of a pack is one."""

    @property
    def vocabulary_size(self) -> int:
        """How many ids the model can generate, counted from 0."""
        ...

    @property
    def eos_id(self) -> int | None:
        """The end-of-sequence token, where there is one."""
        ...

    def encode(self, text: str) -> list[int]:
        """The tokens of a text by itself, without special tokens."""
        ...

    def decode(self, ids: list[int]) -> str:
        """The text of ids."""
        ...
