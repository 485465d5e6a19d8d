"""Metrics: pure functions, and the facts of each in one table without torch (`facts.py`)."""
