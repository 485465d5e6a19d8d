"""Trains the parts of a pack in order, and writes the pack's card."""
