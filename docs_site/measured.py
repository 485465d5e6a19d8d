"""What was measured on the pack `mini`, kept for the methods' pages.

    python -m docs_site.measured LEADERBOARD.json

reads what `frostbench leaderboard RUN` wrote, and keeps in `docs/know/measured.json` the methods'
values under the metrics that rank, and how each stands against its controls. Nothing is typed.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from docs_site.page import DOCS, code, prose, sections, table
from frostbench.bench.leaderboard.numbers import format_of
from frostbench.bench.store.manifest import MetricEntry
from frostbench.plugins.host.packs import embedded_pack, read_pack

FILE = DOCS / "know" / "measured.json"
OUTCOMES = ("beats", "ties", "loses")


@dataclass(frozen=True)
class Value:
    """A method's value of one task and protocol, under the metric that ranks."""

    task: str
    protocol: str | None
    metric: str
    value: float
    low: float | None
    high: float | None
    samples: int
    rank: tuple[int, int] | None
    against: Mapping[str, list[str]]


def main(board: Path) -> None:
    """Keep what a leaderboard says of one run."""
    read = json.loads(board.read_text(encoding="utf-8"))
    manifest = read["manifest"]
    against: dict[tuple[Any, ...], dict[str, list[str]]] = defaultdict(
        lambda: {outcome: [] for outcome in OUTCOMES}
    )
    for one in read["verdicts"]:
        against[one["method"], one["task"], one["protocol"]][one["outcome"]].append(one["control"])
    methods: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read["rows"]:
        ranks_by = manifest["tasks"].get(row["task"], {}).get("ranks_by")
        if row["kind"] != "measured" or row["metric"] != ranks_by or row["value"] is None:
            continue
        kept = {key: row[key] for key in ("task", "protocol", "metric", "value", "low", "high")}
        rank = row["rank"] and [row["rank"]["low"], row["rank"]["high"]]
        key = (row["method"], row["task"], row["protocol"])
        methods[row["method"]].append(
            {**kept, "samples": row["samples"], "rank": rank, "against": against[key]}
        )
    metrics = {one["metric"] for rows in methods.values() for one in rows}
    kept = {
        "pack": manifest["pack"],
        "frostbench": manifest["frostbench"],
        "created": manifest["created"][:10],
        "seed": manifest["seed"],
        "config": {key: value for key, value in manifest["config"].items() if value},
        "processor": manifest["hardware"]["cpu"],
        "metrics": {name: manifest["metrics"][name] for name in sorted(metrics)},
        "methods": dict(methods),
    }
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def measured_table(method: str) -> str:
    """The values of a method, and what they are of."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    metrics = {
        name: MetricEntry(**{**entry, "networks": tuple(entry["networks"])})
        for name, entry in kept["metrics"].items()
    }
    values = [Value(**one) for one in kept["methods"].get(method, [])]
    rows = []
    for one in values:
        shown = format_of(metrics[one.metric], [one.value])
        unit = f" ({shown.unit})" if shown.unit else ""
        rows.append(
            (
                f"[`{one.task}`](../../reference/tasks.md#{one.task}) {prose(one.protocol or '')}",
                f"{code(one.metric)}{unit}",
                f"{shown(one.value)}{shown.brackets(one.low, one.high)}",
                one.samples,
                "" if one.rank is None else "–".join(map(str, sorted(set(one.rank)))),
                _standing(one.against),
            )
        )
    heads = (
        "task, protocol", "metric", "value, 95 % interval:", "samples:", "rank:", "controls",
    )  # fmt: skip
    return sections(_said(kept), table(heads, rows))


def _said(kept: Mapping[str, Any]) -> str:
    """A sentence on the run behind the values."""
    same = (
        "with the pack as it is now"
        if _digest_now() == kept["pack"]["sha256"]
        else f"with the pack of digest `{kept['pack']['sha256'][:12]}`, which has changed since"
    )
    return (
        f"Measured on {kept['created']} by `frostbench run` with seed {kept['seed']}, {same}, on "
        f"{kept['processor']}. These are small models on small images: the numbers compare methods "
        "under one setting, and say nothing about the published models. A rank is a range where "
        "the difference to others cannot be told."
    )


@cache
def _digest_now() -> str:
    return read_pack(embedded_pack("mini")).digest()


def _standing(against: Mapping[str, list[str]]) -> str:
    """Which controls a method beats, and which it does not."""
    words = {"beats": "above", "ties": "not apart from", "loses": "below"}
    return "; ".join(
        f"{words[outcome]} {', '.join(map(code, sorted(against[outcome])))}"
        for outcome in OUTCOMES
        if against.get(outcome)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
