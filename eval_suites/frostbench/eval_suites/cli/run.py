"""`frostbench run`: methods on suites, into a folder that can be resumed."""

import sys

from frostbench.eval_suites.cli.config import RunConfig, UsageError, read_config, split_words
from frostbench.plugins.host import Host


def run_command(words: list[str]) -> int:
    """Run or resume; 0 when all samples were scored, 1 when some failed."""
    plain, overrides = split_words(words)
    if plain:
        raise UsageError(f"run takes KEY=VALUE words, not {plain[0]!r}; see frostbench run --help.")
    config = read_config(RunConfig, overrides)
    host = Host(config.plugins)
    for problem in host.problems:
        print(f"frostbench: {problem}", file=sys.stderr)

    from frostbench.eval_suites.cli.assemble import assemble
    from frostbench.eval_suites.runner import run
    from frostbench.eval_suites.runner.progress import progress

    plan = assemble(config, host)
    with progress(quiet=config.quiet) as bars:
        stored = run(plan, bars)
    failures = stored.manifest["failures"]
    for failure in failures:
        print(f"frostbench: {failure['error']}", file=sys.stderr)
    if not config.quiet:
        print(f"{config.out}: {stored.manifest['status']}; frostbench show {config.out}")
    return 1 if failures or stored.manifest["status"] != "finished" else 0
