"""`frostbench submit`, `accept` and `new-results`: results handed in, and checked."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostbench.bench.cli.config import ScoreConfig, UsageError, read_config, split_words
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import complain, say

if TYPE_CHECKING:
    from frostbench.bench.runner.rescore import Rescored
    from frostbench.bench.runner.verify import Verified
    from frostbench.bench.store.manifest import MetricEntry
    from frostbench.bench.store.reader import StoredRun
    from frostbench.bench.submissions import Tools
    from frostbench.plugins.host.registry import Host


@dataclass(frozen=True)
class SubmitConfig:
    """Keys of `frostbench submit RUN`."""

    repo: str = field(default="", metadata=PATH)  # the repository of results
    by: str = ""  # who hands the results in
    url: str = ""  # where to read about them
    methods: list[str] = field(default_factory=list)  # all without it
    again: bool = False  # in the place of the same version's earlier results


@dataclass(frozen=True)
class AcceptConfig(ScoreConfig):
    """Keys of `frostbench accept FOLDER`; data.NAME=FOLDER says where that is, for replay."""

    base: str = field(default="", metadata=PATH)  # the repository as it was: only what is new
    out: str = field(default="", metadata=PATH)  # a report in Markdown
    replay: str = ""  # share of samples that are computed again, such as 1%
    data: dict[str, Any] = field(default_factory=dict)  # data.NAME=READER:FOLDER


def new_results_command(words: list[str]) -> int:
    """Write an empty repository of results."""
    if len(words) != 1 or "=" in words[0]:
        raise UsageError("frostbench new-results takes one NAME, that of the folder.")
    from frostbench.bench.submissions import new_results

    new_results(Path(words[0]))
    say(f"{words[0]}: put it under git (git init {words[0]}); its README.md says what comes then")
    return 0


def submit_command(words: list[str]) -> int:
    """Write a run's results into a repository of results."""
    plain, overrides = split_words(words, SubmitConfig)
    config = read_config(SubmitConfig, overrides)
    if len(plain) != 1 or not config.repo:
        raise UsageError("which run, and where to? frostbench submit RUN repo=FOLDER by=NAME.")
    from frostbench.bench.store.reader import open_run
    from frostbench.bench.submissions import submit

    run, repository = open_run(Path(plain[0])), Path(config.repo)
    for folder in submit(
        run, repository, config.by, config.url, config.methods, again=config.again
    ):
        say(str(folder))
    say(f"frostbench accept {config.repo} says whether it holds.")
    return 0


def accept_command(words: list[str]) -> int:
    """Look at results that were handed in; 1 where something does not hold."""
    plain, overrides = split_words(words, AcceptConfig)
    config = read_config(AcceptConfig, overrides)
    if len(plain) != 1:
        raise UsageError("accept one repository of results: frostbench accept FOLDER.")
    from frostbench.bench.store.atomic import write_whole
    from frostbench.bench.submissions import accept, submissions_of
    from frostbench.bench.submissions.report import changed_since, report

    repository = Path(plain[0])
    new = (
        changed_since(repository, Path(config.base)) if config.base else submissions_of(repository)
    )
    if not new:
        say(f"{repository}: nothing is new." if config.base else f"{repository}: holds none yet.")
        return 0
    findings = accept(repository, _tools(config), new, say)
    for finding in findings:
        for sentence in finding.problems:
            complain(f"frostbench: {finding.folder.relative_to(repository)}: {sentence}")
        for sentence in finding.notes:
            say(f"{finding.folder.relative_to(repository)}: {sentence}")
    if config.out:
        write_whole(Path(config.out), report(repository, findings, new).encode())
    bad = sum(bool(finding.problems) for finding in findings)
    say(f"{len(findings) - bad} of {len(findings)} submissions hold.")
    return 1 if bad else 0


def _tools(config: AcceptConfig) -> "Tools":
    """The tools for scoring and replaying, with the plugins and packs installed here."""
    from frostbench.bench.cli.score import scored_again
    from frostbench.bench.cli.stored import as_it_lies, config_of, found_pack
    from frostbench.bench.runner.manifest import describe_metrics
    from frostbench.bench.submissions import Tools

    # Metrics may be named for a pack's networks, so every submission gets its own host.

    def metrics(run: "StoredRun") -> Mapping[str, "MetricEntry"]:
        host = open_host(config)
        pack = found_pack(as_it_lies(config_of(run), config).pack, host, "frostbench accept")
        host.name_networks(pack.named)
        return describe_metrics(item.card for item in host.metrics.values())

    def score(folder: Path) -> "Rescored":
        return scored_again(folder, config, open_host(config))[0]

    def replay(folder: Path, samples: int) -> "Verified":
        return _replayed(folder, samples, config, open_host(config))

    share = _share(config.replay)
    return Tools(metrics, score, replay if share else None, share)


def _share(said: str) -> float:
    """The share in a text such as "1%" or "0.01"."""
    if not said:
        return 0.0
    try:
        share = float(said.rstrip("%")) / (100 if said.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise UsageError(f"replay={said}: write a share of the samples, such as 1% or 0.01.")
    return share


def _replayed(folder: Path, samples: int, config: AcceptConfig, host: "Host") -> "Verified":
    """Compute a share of a submission's samples again."""
    from frostbench.bench.cli.assemble import assemble
    from frostbench.bench.cli.stored import as_it_lies, config_of, found_pack, left_out
    from frostbench.bench.runner.manifest import identity
    from frostbench.bench.runner.verify import verify
    from frostbench.bench.store.atomic import write_json
    from frostbench.bench.store.reader import open_run

    run = open_run(folder)
    if ungiven := left_out(run, config.plugins):
        raise ValueError(ungiven)
    stored = dataclasses.replace(
        as_it_lies(config_of(run), config),
        out=str(folder),
        plugins=config.plugins,
        methods=list(run.manifest.methods),
        tasks=list(run.manifest.tasks),
        suites=[],
    )
    found_pack(stored.pack, host, "frostbench accept")
    plan = assemble(stored, host, remembered=False)
    # The run had more methods and tasks than this plan; the others are no sources of it.
    values = json.loads((folder / "manifest.json").read_bytes())
    values["identity"] = _within(values["identity"], identity(plan))
    write_json(folder / "manifest.json", values)
    return verify(plan, samples, 0)


def _within(stored: Any, now: Any, deep: int = 3) -> Any:
    """The part of a tree with the names that another tree has."""
    if not isinstance(stored, Mapping) or not isinstance(now, Mapping) or not deep:
        return stored
    return {name: _within(one, now[name], deep - 1) for name, one in stored.items() if name in now}
