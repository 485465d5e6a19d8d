"""The leaderboard: rows, pages and tables made from stored runs.

`build` turns stored runs into rows with intervals and rank ranges, `write` lays them out as
`leaderboard.json`, Markdown, CSV and a static page that opens from disk.
"""

from frostbench.bench.leaderboard.build import build
from frostbench.bench.leaderboard.rows import Leaderboard, MeanCost, Row, Verdict
from frostbench.bench.leaderboard.write import write

__all__ = ["Leaderboard", "MeanCost", "Row", "Verdict", "build", "write"]
