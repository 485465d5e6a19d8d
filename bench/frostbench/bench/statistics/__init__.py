"""Intervals on everything, and ranks that are ranges.

A column is what one row of the leaderboard scored under one metric: `Means` where every sample has
a score of its own; `Pooled` where the whole set has one, from counts that samples add up to; and
`Frechet` where it has one from their features. All give an `Estimate` with an interval, and the
paired `difference` of two columns on the samples that both have. The bootstrap resamples clusters
(samples that share images or an episode), with the same draws for every column over the same
clusters, so that differences are paired.
"""

from frostbench.bench.statistics.bootstrap import Bootstrap, Bounds, Estimate
from frostbench.bench.statistics.frechet import Frechet, frechet_distance
from frostbench.bench.statistics.means import Means
from frostbench.bench.statistics.pooled import Pooled
from frostbench.bench.statistics.pooling import checked_counts, pooled_value
from frostbench.bench.statistics.ranks import Column, Rank, difference, rank_ranges

__all__ = [
    "Bootstrap",
    "Bounds",
    "Column",
    "Estimate",
    "Frechet",
    "Means",
    "Pooled",
    "Rank",
    "checked_counts",
    "difference",
    "frechet_distance",
    "pooled_value",
    "rank_ranges",
]
