"""SPAE: an image as a pyramid of words out of a frozen language model's own vocabulary.

Yu et al., "SPAE: Semantic Pyramid AutoEncoder for Multimodal Generation with Frozen LLMs", NeurIPS
2023, https://arxiv.org/abs/2306.17842. No code and no weights are published. This package follows
the paper's idea; each value that was not found in the paper is a setting, marked "unverified".
"""
