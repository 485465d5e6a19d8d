"""How much the engine puts into one batch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineSettings:
    """Sizes of batches. No answer depends on them beyond rounding; speed and memory do.

    Attributes:
        token_budget: Tokens in one batch, prompts and what they may write; None is 4,096 on a
            CPU, where larger batches leave the caches, and 65,536 elsewhere.
        max_batch: Prompts in one batch.
        padding: The largest share of a row that may be padding, where the model is found to
            answer padded prompts as it does bare ones; other models get rows of equal length.
        shared_prefix: Fewest tokens of a common beginning of a batch's prompts that are read once
            for all; 0 is never.
    """

    token_budget: int | None = None
    max_batch: int = 256
    padding: float = 0.2
    shared_prefix: int = 16

    def __post_init__(self) -> None:
        if self.token_budget is not None and self.token_budget < 1:
            raise ValueError(f"token_budget is at least 1, not {self.token_budget}.")
        if self.max_batch < 1:
            raise ValueError(f"max_batch is at least 1, not {self.max_batch}.")
        if not 0 <= self.padding < 1:
            raise ValueError(f"padding is a share from 0 to below 1, not {self.padding}.")
        if self.shared_prefix < 0:
            raise ValueError(f"shared_prefix is at least 0, not {self.shared_prefix}.")

    def budget(self, device: str) -> int:
        """Tokens in one batch on a device of this type."""
        if self.token_budget is not None:
            return self.token_budget
        return 4_096 if device == "cpu" else 65_536
