"""`python -m frostbench.bench.cli`, for launchers that start a module."""

import sys

from frostbench.bench.cli import script

if __name__ == "__main__":
    sys.exit(script())
