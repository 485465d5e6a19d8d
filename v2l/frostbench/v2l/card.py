"""V2L-Tokenizer's card: what the method can do, what it needs and what is trained."""

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card

CARD = Card(
    name="v2l",
    paper="https://arxiv.org/abs/2403.07874",
    summary="images as words of the language model's own vocabulary, global and cell by cell",
    capabilities=DISCRETE,
    backbones=("llm", "clip"),
    trained=("encoder", "codebook projection", "decoder"),
    trained_on="the pack's training images, which also vote for the global vocabulary; "
    "ImageNet-1K for published weights",
    reasons=HEADLESS,
    adapters=("masked_restoration",),
)
