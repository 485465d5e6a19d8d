"""Training the parts of a pack: their order, and what the card says of each."""
