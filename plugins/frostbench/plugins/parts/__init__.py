"""Parts that several methods share: prompts, tokenizing, autoencoder networks, training."""
