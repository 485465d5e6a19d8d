"""Metrics: pure functions, and their classes under ids that carry the protocol."""
