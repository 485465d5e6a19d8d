"""Sentences on what a table has too few samples to claim."""

import math
from collections.abc import Iterable, Sequence

from frostbench.bench.leaderboard.rows import Need, Row


def no_intervals(rows: Iterable[Row]) -> list[str]:
    """Which metrics lack an interval in some rows, and why: a sentence for each reason."""
    why: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.interval and row.value is not None and row.low is None:
            why.setdefault(row.interval.removeprefix("none: "), {})[row.metric] = None
    return [
        f"{', '.join(metrics)} without an interval: {reason}." for reason, metrics in why.items()
    ]


def needs_sentence(needs: Sequence[Need]) -> str:
    """How many samples would tell methods apart, where none are; empty where some are everywhere.

    With several protocols, it is about the one that needs least.

    >>> needs_sentence([Need("captioning", None, 12, 6, 11, 34, ("spae", "v2l"))])
    'No two methods are told apart: 12 samples in 6 clusters, and fewer than 11 clusters never \
could. With differences like that of spae and v2l it takes about 34 clusters (68 samples) to be \
seen in four cases of five.'
    """
    if not needs:
        return ""
    least = min(needs, key=lambda need: (need.easiest or math.inf, need.fewest))
    protocols = ", ".join(dict.fromkeys(need.protocol for need in needs if need.protocol))
    where = f" under {protocols}" if protocols else ""
    said = f"No two methods are told apart{where}: {least.samples} samples in {least.clusters} "
    said += "cluster" if least.clusters == 1 else "clusters"
    if least.clusters < least.fewest:
        said += f", and fewer than {least.fewest} clusters never could"
    if least.easiest is None or least.pair is None:
        return f"{said}."
    samples = math.ceil(least.easiest * least.samples / least.clusters)
    return (
        f"{said}. With differences like that of {least.pair[0]} and {least.pair[1]} it takes about "
        f"{least.easiest} clusters ({samples} samples) to be seen in four cases of five."
    )
