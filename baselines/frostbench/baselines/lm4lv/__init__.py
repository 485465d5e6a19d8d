"""LM4LV: a frozen language model restores images through continuous features.

Zheng, Gu, Li, Dong, "LM4LV: A Frozen Large Language Model for Low-level Vision Tasks",
https://arxiv.org/abs/2405.15734. Published code: https://github.com/bytetriper/LM4LV.
"""
