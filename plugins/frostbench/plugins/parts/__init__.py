"""What several methods build on: prompts, tokenizing, autoencoder networks, training."""
