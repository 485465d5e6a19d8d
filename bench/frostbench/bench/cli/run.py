"""`frostbench run`: methods on suites, into a folder that can be resumed."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostbench.bench.cli.config import RunConfig, UsageError, read_config, split_words
from frostbench.bench.cli.meaning import file_tree
from frostbench.bench.cli.notes import left_out
from frostbench.bench.cli.plugins import open_host, say_left_out
from frostbench.bench.cli.presets import preset_file
from frostbench.bench.printable import complain, say
from frostbench.plugins.host.registry import Host
from frostbench.plugins.host.words import number

if TYPE_CHECKING:
    from frostbench.bench.cli.ranks import ProcessRank
    from frostbench.bench.runner.plan import Plan
    from frostbench.bench.runner.progress import Quiet
    from frostbench.bench.store.reader import StoredRun

CHOICES = ("methods", "tasks", "limit", "limits", "preset")
"""Keys that choose which parts of a preset are run."""

SETTINGS = ("method", "task", "data", "llm", "dtype", "engine")
"""Keys of settings, which a preset leaves at their defaults where it does not state them."""

LARGE = 1 << 25
"""Most bytes of samples that are read at the end of a run; beyond, `show` has the tables."""


def run_command(words: list[str]) -> int:
    """Run or continue; returns 0 if all is done, 1 if samples failed or a plugin was left out."""
    plain, overrides = split_words(words)
    if plain:
        raise UsageError(f"run takes KEY=VALUE words, not {plain[0]!r}; see frostbench run --help.")
    stored, config, host = executed(overrides)
    if not config.quiet:
        say(_summary(stored))
        _show(stored)
    # Left-out parts may have been asked for.
    return 1 if stored.failed or host.problems or left_out() else 0


def _show(stored: "StoredRun") -> None:
    """The matrix of a run that has ended, unless it is so large that reading it takes minutes."""
    from frostbench.bench.cli.show import print_matrix
    from frostbench.bench.leaderboard import build
    from frostbench.bench.store.reader import samples_files

    if sum(path.stat().st_size for path in samples_files(stored.folder)) > LARGE:
        say(f"frostbench show {stored.folder} has its tables.")
    else:
        print_matrix(build([stored]), [str(stored.folder)])


def executed(
    overrides: Sequence[str], values: Mapping[str, Any] | None = None
) -> tuple["StoredRun", RunConfig, Host]:
    """Run or resume by words and Python values."""
    config = read_config(RunConfig, overrides, values)
    host = open_host(config)
    if config.preset:
        file = preset_file(config.preset, host, "run")
        config = read_config(RunConfig, [f"config={file}", *overrides], values)
        config = replace(config, departures=departures(file, config))

    from frostbench.bench.cli.lmms_tasks import with_lmms_tasks
    from frostbench.bench.cli.ranks import rank_of
    from frostbench.bench.cli.track import chosen
    from frostbench.bench.cli.work import on_its_devices
    from frostbench.bench.runner.progress import progress_for

    if "://" in config.out:
        raise UsageError(
            f"out={config.out}: a run lies in a folder of a file system, where files grow and "
            "folders are renamed; object stores do neither. Copy it there when it has ended."
        )
    chosen(config.trackers, config.tracker)  # so that a wrong name is reported at once
    rank = rank_of(config)
    launch = "" if rank is None else rank.launch()
    config = on_its_devices(config if rank is None else rank.configured(config))
    config = with_lmms_tasks(config, host)
    said = len(host.problems)
    plan = replace(planned(config, host), launch=launch)
    say_left_out(host, said)
    shown = progress_for(sys.stderr, quiet=config.quiet)
    stored = _done(plan, config, shown, rank)
    for failure in stored.manifest.failures:
        if not any(noted.startswith(failure.error) for noted in shown.noted):
            complain(f"frostbench: {failure.error}")
    return stored, config, host


def planned(config: RunConfig, host: Host) -> "Plan":
    """The plan of a run for the process that keeps it."""
    from frostbench.bench.cli.assemble import assemble

    if config.launcher != "ray":
        return assemble(config, host)
    # The process that keeps a run for others computes nothing on a card, and needs none.
    plan = assemble(replace(config, device="cpu"), host)
    return replace(plan, device=config.device, config={**plan.config, "device": config.device})


def _done(
    plan: "Plan", config: RunConfig, shown: "Quiet", rank: "ProcessRank | None"
) -> "StoredRun":
    """The stored run, after it or this process's part of it is done."""
    from frostbench.bench.cli.track import tracked
    from frostbench.bench.cli.work import crew_for, keep_within
    from frostbench.bench.runner.launched import follow, leading
    from frostbench.bench.runner.run import run

    if rank is not None and rank.number:
        keep_within(config.memory, plan)
        return follow(plan, str(rank.number + 1))
    with (
        nullcontext() if rank is None else leading(plan),
        crew_for(config, plan, shown.note) as crew,
        tracked(config, shown.note) as begin,
    ):
        return run(replace(plan, opened=begin), shown, crew)


def departures(file: str, config: RunConfig) -> list[str]:
    """The settings in which a run differs from its preset."""
    alone = read_config(RunConfig, [f"config={file}"])
    written, taken, plain = (dict(_leaves(asdict(one))) for one in (alone, config, RunConfig()))
    stated = {key: written.get(key) for key, _ in _leaves(file_tree(RunConfig, Path(file)))}
    changed = [
        f"{key} is {taken.get(key)!r}, not {value!r}"
        for key, value in stated.items()
        if key.partition(".")[0] not in CHOICES and not _same(taken.get(key), value)
    ]
    added = [
        f"{key} is {value!r}, and the preset does not set it"
        for key, value in taken.items()
        if key not in stated and _matters(key) and value != plain.get(key)
    ]
    return changed + added


def _same(one: object, other: object) -> bool:
    """Whether two values are equal; numbers may be written differently."""
    if one == other:
        return True
    with suppress(ValueError):
        return number(str(one), float) == number(str(other), float)
    return False


def _matters(key: str) -> bool:
    """Whether a key can change what a preset measures; places of data cannot."""
    first, _, rest = key.partition(".")
    place = first == "data" and ("." not in rest or rest.endswith(".folder"))
    return first in SETTINGS and not place


def _leaves(tree: Any, above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _summary(stored: "StoredRun") -> str:
    """One line on what the run did, and what to look at next."""
    tokenizer = stored.manifest.last_session.tokenizer
    told = ", ".join(
        f"{name}: {counts.images} images through the tokenizer, {counts.cached} kept"
        for name, counts in sorted(tokenizer.items())
    )
    folder = stored.folder
    return f"{folder}: {stored.manifest.status}. {told or 'no tokens'}. frostbench show {folder}"
