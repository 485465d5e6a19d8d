"""The text that language models are trained on, and their tokenizers."""
