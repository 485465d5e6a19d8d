"""The pack's language models, trained on text alone."""
