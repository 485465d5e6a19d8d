"""LQAE's card: what the method can do, what it needs and what is trained."""

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card

CARD = Card(
    name="lqae",
    paper="https://arxiv.org/abs/2302.00902",
    summary="tokens of a frozen masked language model, cell by cell, learned without any text",
    capabilities=DISCRETE,
    backbones=("llm", "mlm"),
    trained=("encoder", "decoder"),
    trained_on="images alone: the pack's training images; no weights are published",
    reasons=HEADLESS,
)
