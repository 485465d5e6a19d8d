"""The command line, the runner and the leaderboard; from Python, `run` and `read`."""

from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frostbench.bench.exchange import Results

__all__ = ["read", "run"]


def run(**keys: Any) -> "Results":
    """Run or continue a run with the keys of `frostbench run`, and read its results.

    A nested key is written as a mapping, `method={"v2l": {"shown_words": 16}}`, or as one text,
    `**{"method.v2l.shown_words": 16}`. Failures are results: `failed` says whether there were any.

    Raises:
        UsageError: a key or a value is wrong; the message says what there is.
        StoreError: the folder `out` cannot be used.
    """
    from frostbench.bench.cli.run import executed
    from frostbench.bench.exchange import Results

    file = keys.pop("config", None)
    stored, _, _ = executed([] if file is None else [f"config={file}"], keys)
    return Results((stored,))


def read(*folders: "str | PathLike[str]") -> "Results":
    """Runs as tables: the `rows` of their common leaderboard, and their `samples`.

    Raises:
        StoreError: there is no run in one of the folders.
    """
    from frostbench.bench.exchange import read_runs

    return read_runs([str(folder) for folder in folders])
