"""Compares two runs: what they depend on, and their numbers."""

from frostbench.bench.comparison.build import RunComparison, chosen, compared_runs
from frostbench.bench.comparison.write import write_comparison

__all__ = ["RunComparison", "chosen", "compared_runs", "write_comparison"]
