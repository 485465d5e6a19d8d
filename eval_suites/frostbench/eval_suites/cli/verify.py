"""`frostbench verify`: does a run hold?"""

import dataclasses
from pathlib import Path

from frostbench.eval_suites.cli.config import UsageError, VerifyConfig, read_config, split_words
from frostbench.plugins.host import Host


def verify_command(words: list[str]) -> int:
    """Recompute a sample of a run and compare; 1 when something does not hold."""
    plain, overrides = split_words(words)
    config = read_config(VerifyConfig, overrides)
    if len(plain) != 1:
        raise UsageError("verify one run: frostbench verify RUN.")
    from frostbench.eval_suites.cli.stored import config_of
    from frostbench.eval_suites.runner import verify
    from frostbench.eval_suites.store.reader import open_run

    folder = Path(plain[0])
    stored = dataclasses.replace(config_of(open_run(folder)), out=str(folder))
    host = Host([*stored.plugins, *config.plugins])

    from frostbench.eval_suites.cli.assemble import assemble

    report = verify(folder, assemble(stored, host), samples=config.samples, seed=config.seed)
    for line in report.lines():
        print(line)
    return 0 if report.holds else 1
