"""The VQ-GAN networks, quantizer, discriminator and losses that several methods build on.

Esser, Rombach, Ommer, "Taming Transformers for High-Resolution Image Synthesis", CVPR 2021,
https://arxiv.org/abs/2012.09841. Names of parameters are those of the published checkpoints.
"""
