"""`frostbench score`: score a finished run again from what it stored."""

from pathlib import Path
from typing import TYPE_CHECKING

from frostbench.bench.cli.config import ScoreConfig, UsageError, read_config, split_words
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import complain, say

if TYPE_CHECKING:
    from frostbench.bench.runner.rescore import Rescored
    from frostbench.bench.store.reader import StoredRun
    from frostbench.plugins.host.registry import Host


def score_command(words: list[str]) -> int:
    """Compute every score again; only metric networks are loaded.

    1 when a sample could not be scored, or a metric's plugin was not given or is left out.
    """
    plain, overrides = split_words(words, ScoreConfig)
    keys = read_config(ScoreConfig, overrides)
    if len(plain) != 1:
        raise UsageError("score one run: frostbench score RUN.")
    folder, host = Path(plain[0]), open_host(keys)
    result, stored = scored_again(folder, keys, host)
    say(f"{folder}: {result.samples} samples scored again")
    for metric, (count, most) in result.changed.items():
        if metric in result.missing:
            continue
        say(f"  {metric}: {count} samples score other than before, by at most {most:.3g}")
    for metric in result.missing:
        say(f"  {metric}: left as it was, because the metric is missing")
    from frostbench.bench.cli.stored import left_out

    ungiven = left_out(stored, keys.plugins) if result.missing else ""
    for sentence in (*result.failed, *result.damaged, *([ungiven] if ungiven else [])):
        complain(f"frostbench: {sentence}")
    without = bool(result.missing and host.problems)
    return 1 if result.failed or result.damaged or ungiven or without else 0


def scored_again(folder: Path, keys: ScoreConfig, host: "Host") -> "tuple[Rescored, StoredRun]":
    """Score the outputs in a run's folder again, by the metrics that are installed here."""
    from frostbench.bench.cli.assemble import open_backbones
    from frostbench.bench.cli.lmms_tasks import offer
    from frostbench.bench.cli.origins import origins_by_kind
    from frostbench.bench.cli.parts import metrics_of, open_metrics
    from frostbench.bench.cli.stored import as_it_lies, config_of, found_pack
    from frostbench.bench.runner.rescore import score
    from frostbench.bench.store.reader import open_run

    stored = open_run(folder)
    config = as_it_lies(config_of(stored), keys)
    offer(host, config.data)
    pack = found_pack(config.pack, host, "frostbench score")
    backbones = open_backbones(config, host, pack)
    own = {
        name: [metric for metric in task.metrics if metric in host.metrics]
        for name, task in stored.manifest.tasks.items()
    }
    tasks = metrics_of(host, own)
    metrics = open_metrics(config, host, backbones, tasks)
    origins = origins_by_kind({"metric": [host.metrics[name] for name in metrics]})["metric"]
    return score(folder, metrics, tasks, origins), stored
