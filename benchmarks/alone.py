"""A language model without a pack, for the engine in a benchmark."""

from dataclasses import dataclass

from frostbench.plugins.backbones.causal_lm import CausalLM


@dataclass(frozen=True)
class One:
    """Backbones with one language model in them."""

    lm: CausalLM

    def get(self, role: str) -> CausalLM:
        """The language model, whatever its role."""
        return self.lm


class NoTokenizer:
    """Stands where a tokenizer would; the prompts hold embeddings alone."""

    bos_token_id = eos_token_id = None

    def __call__(self, text: str, **how: object) -> dict[str, list[int]]:
        """No tokens for any text, and none before it."""
        return {"input_ids": []}
