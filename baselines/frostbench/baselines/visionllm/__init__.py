"""VisionLLM: detection, contours, grounding and text by a language model, from one prompt.

Wang et al., "VisionLLM: Large Language Model is also an Open-Ended Decoder for Vision-Centric
Tasks", NeurIPS 2023, https://arxiv.org/abs/2305.11175. Code of this version was never published.
"""
