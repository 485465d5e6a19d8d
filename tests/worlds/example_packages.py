"""A clean environment, without network: what the tests run with, and the packages put into it."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))
SCRIPT = "from frostbench.bench.cli import script; raise SystemExit(script())"


class Environment:
    """A virtual environment in a folder; it sees the packages of the one that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        venv.create(folder / "venv", with_pip=False)
        self.python = folder / "venv" / "bin" / "python"
        (site,) = (folder / "venv").glob("lib/*/site-packages")
        seen = [
            path
            for path in sys.path
            if Path(path).is_dir() and not Path(path).resolve().is_relative_to(EXAMPLES)
        ]
        (site / "seen.pth").write_text("\n".join(seen) + "\n")

    def install(self, name: str) -> None:
        """An example, editable, from a copy: an installation writes beside the sources."""
        copy = self._folder / name
        shutil.copytree(EXAMPLES / name, copy, ignore=shutil.ignore_patterns("*.egg-info"))
        self._pip("install", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(copy))

    def remove(self, distribution: str) -> None:
        """A package, by the name of its distribution."""
        self._pip("uninstall", "--yes", distribution)

    def frostbench(self, *words: str) -> str:
        """What `frostbench` says, which ends well."""
        return self._run(
            "-c", "from frostbench.bench.cli import script; raise SystemExit(script())", *words
        )

    def _pip(self, *words: str) -> None:
        self._run("-m", "pip", "--quiet", "--disable-pip-version-check", *words)

    def _run(self, *words: str) -> str:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [self.python, "-P", *words],  # not what lies in the folder
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
