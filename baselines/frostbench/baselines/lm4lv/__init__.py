"""LM4LV: a frozen language model restores pictures through continuous features."""
