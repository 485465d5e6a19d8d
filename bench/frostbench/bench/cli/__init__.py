"""The command line: `frostbench COMMAND ...`.

Asking for help loads no torch: each command imports what it needs when it runs.
"""

from frostbench.bench.cli.main import main, script

__all__ = ["main", "script"]
