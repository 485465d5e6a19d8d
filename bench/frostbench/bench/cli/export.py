"""`frostbench export`: writes results in formats that other programs read."""

from dataclasses import dataclass, field
from pathlib import Path

from frostbench.bench.cli.config import UsageError, read_config, split_words
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.printable import say

RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")


@dataclass(frozen=True)
class ExportConfig:
    """Keys of `frostbench export RUN...`."""

    format: list[str] = field(default_factory=list)  # latex, eee, hf, csv, parquet
    out: str = field(default="export", metadata=PATH)  # the folder that is written
    organization: str = "unknown"  # who hands results in, for eee
    relationship: str = "other"  # of the evaluator to the methods' authors, for eee
    dataset: str = ""  # the benchmark's repository on the Hub, for hf
    source: str = ""  # address of a page about the evaluation, for hf


def export_command(words: list[str]) -> int:
    """Write runs in the requested formats."""
    plain, overrides = split_words(words, ExportConfig)
    config = read_config(ExportConfig, overrides)
    from frostbench.bench.exchange import FORMATS, ExportOptions, export
    from frostbench.bench.exchange.every_eval_ever import Evaluator
    from frostbench.bench.exchange.hub import HubPlace
    from frostbench.bench.exchange.write import MARK
    from frostbench.plugins.host.errors import missing

    known = ", ".join(FORMATS)
    if not plain:
        raise UsageError(f"which run? frostbench export RUN... format=FORMAT, one of {known}.")
    if not config.format:
        raise UsageError(f"in which format? format= is one or several of {known}.")
    for name in config.format:
        if name not in FORMATS:
            raise UsageError(missing("format", name, FORMATS))
    if config.relationship not in RELATIONSHIPS:
        raise UsageError(missing("relationship", config.relationship, RELATIONSHIPS))
    if "hf" in config.format and config.dataset.count("/") != bool(config.dataset):
        raise UsageError(f"dataset={config.dataset}: name a repository on the Hub as ORG/NAME.")
    from frostbench.bench.leaderboard import build
    from frostbench.bench.store.atomic import check_replaceable
    from frostbench.bench.submissions import open_runs

    check_replaceable(Path(config.out), MARK)
    runs = open_runs(plain)
    place = HubPlace(config.dataset or "frostbench/frostbench", config.source)
    options = ExportOptions(Evaluator(config.organization, config.relationship), place)
    files = export(build(runs), runs, config.format, Path(config.out), options)
    say(f"{config.out}: {', '.join(files[:6])}{f' and {len(files) - 6} more' if files[6:] else ''}")
    if "hf" in config.format and not config.dataset:
        say(
            f"the data set is called {place.dataset!r}: name the benchmark's repository on the Hub "
            "with dataset=ORG/NAME before results are uploaded."
        )
    return 0
