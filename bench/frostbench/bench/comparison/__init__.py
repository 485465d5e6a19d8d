"""Two runs beside one another: what differs in what they stand on, and what in their numbers."""

from frostbench.bench.comparison.build import RunComparison, chosen, compared_runs
from frostbench.bench.comparison.write import write_comparison

__all__ = ["RunComparison", "chosen", "compared_runs", "write_comparison"]
