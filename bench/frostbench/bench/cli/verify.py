"""`frostbench verify`: recomputes a part of a run, and says whether it holds."""

import dataclasses
import sys
from pathlib import Path

from frostbench.bench.cli.config import UsageError, VerifyConfig, read_config, split_words
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import say


def verify_command(words: list[str]) -> int:
    """Recompute a sample of a run and compare; 1 when something does not hold."""
    plain, overrides = split_words(words, VerifyConfig)
    config = read_config(VerifyConfig, overrides)
    if len(plain) != 1:
        raise UsageError("verify one run: frostbench verify RUN.")
    from frostbench.bench.cli.lmms_tasks import offer
    from frostbench.bench.cli.stored import (
        as_it_lies,
        config_of,
        found_pack,
        left_out,
        plugin_files,
    )
    from frostbench.bench.runner.progress import progress_for
    from frostbench.bench.runner.verify import verify
    from frostbench.bench.store.reader import open_run

    folder = Path(plain[0])
    run = open_run(folder)
    if ungiven := left_out(run, config.plugins):
        raise UsageError(ungiven)
    stored = dataclasses.replace(
        as_it_lies(config_of(run), config), out=str(folder), plugins=config.plugins
    )
    host = open_host(config)
    offer(host, stored.data)
    found_pack(stored.pack, host, "frostbench verify")

    from frostbench.bench.cli.assemble import assemble

    plan = assemble(stored, host, remembered=False)
    report = verify(
        plan,
        config.samples,
        config.seed,
        progress=progress_for(sys.stderr, quiet=stored.quiet),
    )
    for check in report.checks:
        say(f"{'holds' if check.holds else 'DOES NOT HOLD'}  {check.name}: {check.detail}")
    for sentence in plugin_files(run, plan.facts.origins, plan.facts.plugins):
        say(sentence)
    outcome = "holds" if report.holds else "does not hold"
    say(f"{folder} {outcome}; {report.samples} samples were computed again.")
    return 0 if report.holds else 1
