"""LM4LV: a frozen language model restores images through continuous features."""
