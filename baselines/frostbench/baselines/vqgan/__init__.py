"""VQ-GAN: an image as a grid of codes learned from pixels alone, with no link to words.

Esser, Rombach, Ommer, "Taming Transformers for High-Resolution Image Synthesis", CVPR 2021,
https://arxiv.org/abs/2012.09841.
"""
