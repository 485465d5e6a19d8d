"""`python -m frostbench`: the console script, where none is installed."""

import sys

from frostbench.bench.cli.main import script

sys.exit(script())
