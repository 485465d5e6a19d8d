"""F-LMM: masks of phrases, read from the attention of a frozen multimodal model.

Wu, Jin, Zhang, Xu, Liu, Li, Loy, "F-LMM: Grounding Frozen Large Multimodal Models", CVPR 2025,
https://arxiv.org/abs/2406.05821. Published code: https://github.com/wusize/F-LMM.
"""
