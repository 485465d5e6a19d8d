"""VQ-GAN's card: what the method can do, what it needs and what is trained."""

from frostbench.plugins.contract.cards import DISCRETE, HEADLESS, Card

CARD = Card(
    name="vqgan",
    paper="https://arxiv.org/abs/2012.09841",
    summary="codes learned from pixels alone, shown to the language model as ids without meaning",
    capabilities=DISCRETE,
    backbones=("llm",),
    trained=("encoder", "codebook", "decoder"),
    trained_on="images alone: the pack's training images; ImageNet-1K for published weights",
    reasons=HEADLESS,
)
