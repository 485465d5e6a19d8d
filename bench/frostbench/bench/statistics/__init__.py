"""Intervals of 95 % that cover 95 %, and ranks that are ranges.

A column holds the scores of one row of the leaderboard under one metric: `Sums` if its value comes
from sums over samples (a mean of scores, or a formula over counts), `Frechet` if it is one distance
between two sets of features. Both give an `Estimate`, whose interval says how it was computed, or
why there is none. `compare` tests pairs of columns as one family, and `ranking` all pairs of a
table. Clusters are samples that share images or an episode.
"""

from frostbench.bench.statistics.apart import (
    Column,
    PairTest,
    clusters_for,
    compare,
    difference,
    estimated,
    fewest_clusters,
    holm,
)
from frostbench.bench.statistics.average_precision import (
    AveragePrecision,
    check_matches,
    ranked_value,
)
from frostbench.bench.statistics.estimators import estimators
from frostbench.bench.statistics.frechet import Frechet, frechet_distance
from frostbench.bench.statistics.inference import Bounds, Estimate, Inference, Interval
from frostbench.bench.statistics.intervals import Jackknife, skewed_logit, student
from frostbench.bench.statistics.pooling import checked_counts, pooled_value, pooling_named
from frostbench.bench.statistics.ranks import Rank, Ranking, ranking
from frostbench.bench.statistics.sums import Sums
from frostbench.bench.statistics.wholes import Whole, lifts

__all__ = [
    "AveragePrecision",
    "Bounds",
    "Column",
    "Estimate",
    "Frechet",
    "Inference",
    "Interval",
    "Jackknife",
    "PairTest",
    "Rank",
    "Ranking",
    "Sums",
    "Whole",
    "check_matches",
    "checked_counts",
    "clusters_for",
    "compare",
    "difference",
    "estimated",
    "estimators",
    "fewest_clusters",
    "frechet_distance",
    "holm",
    "lifts",
    "pooled_value",
    "pooling_named",
    "ranked_value",
    "ranking",
    "skewed_logit",
    "student",
]
