"""SPAE's card: what the method can do, what it needs and what is trained."""

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card

CARD = Card(
    name="spae",
    paper="https://arxiv.org/abs/2306.17842",
    summary="a pyramid of the language model's own words, meaning on top and appearance below",
    capabilities=DISCRETE,
    backbones=("llm",),
    trained=("encoder", "decoder"),
    trained_on="the pack's training images, guided by the pack's CLIP; no weights are published",
    reasons=HEADLESS,
)
