"""Metrics: pure functions, and one table of facts about them (`facts.py`, without torch)."""
