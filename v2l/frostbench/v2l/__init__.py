"""V2L-Tokenizer: an image as words that a frozen LLM already knows.

Zhu, Wei, Lu, "Beyond Text: Frozen Large Language Models in Visual Signal Comprehension",
CVPR 2024, https://arxiv.org/abs/2403.07874.
"""
