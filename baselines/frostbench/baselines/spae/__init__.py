"""SPAE: an image as a pyramid of words out of a frozen language model's own vocabulary.

Yu et al., "SPAE: Semantic Pyramid AutoEncoder for Multimodal Generation with Frozen LLMs", NeurIPS
2023, https://arxiv.org/abs/2306.17842. No code and no weights are published. What is written here
follows from the paper's idea; each value that could not be read in the paper is a setting, called
unverified where it stands.
"""
