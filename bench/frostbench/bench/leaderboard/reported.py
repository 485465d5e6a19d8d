"""Values that papers report, as rows of their own kind."""

import json
from importlib.resources import files

from frostbench.bench.leaderboard.rows import Counterpart, Row


def reported() -> tuple[Row, ...]:
    """Every value of `reported.json` as a row of kind "reported".

    They were measured on other data with other models: never ranked, never beside an interval.
    """
    text = files(__package__).joinpath("reported.json").read_text(encoding="utf-8")
    return tuple(
        Row(
            kind="reported",
            method=entry["method"],
            suite=entry["suite"],
            task=entry["task"],
            protocol=None,
            metric=entry["metric"],
            value=float(entry["value"]),
            setting=entry["setting"],
            source=entry["source"],
            verified=bool(entry["verified"]),
            counterpart=Counterpart(**entry["parity"]) if "parity" in entry else None,
        )
        for entry in json.loads(text)["rows"]
    )
