"""LQAE: an image as tokens of a frozen masked language model, learned without any text.

Liu, Yan, Abbeel, "Language Quantized AutoEncoders: Towards Unsupervised Text-Image Alignment",
NeurIPS 2023, https://arxiv.org/abs/2302.00902.
"""
