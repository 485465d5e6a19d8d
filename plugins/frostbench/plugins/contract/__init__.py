"""What crosses the interface between methods, tasks, metrics, packs and the bench."""

CONTRACT_VERSION = "1.0"
"""Grows by its first number where plugins written before no longer work."""
