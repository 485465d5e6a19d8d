"""Results for other programs: LaTeX, Every Eval Ever, the Hub's YAML, CSV, Parquet, Arrow."""

from frostbench.bench.exchange.frames import Results, read_runs
from frostbench.bench.exchange.write import FORMATS, ExportOptions, export

__all__ = ["FORMATS", "ExportOptions", "Results", "export", "read_runs"]
