"""Inputs that are wrong, the command that reads each, and how it ends: in one sentence."""

import os
import re
import shlex
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import blank_method
import light_plugin

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run

BLANK = f"plugins={blank_method.__file__} methods=blank controls=false quiet=true out=run limit=2"
"""Words of a run of a method that needs no weights and answers everything."""
LIGHT = f"plugins={light_plugin.PLUGIN} pack=light engine.name=echo controls=false quiet=true"
"""Words of a run in a pack without models, which `light_plugin.pack` writes."""

FOREIGN = re.compile(
    r"Traceback|codec|surrogate|Errno|Expecting|delimiter|char \d|<class|<frostbench|NoneType|"
    r"object has no|not subscriptable|positional arg|keyword arg|is not iterable|JSONDecode|"
    r"omegaconf|ConfigKey|ValidationError|UnicodeDecode|UnicodeEncode|UnicodeError|KeyError|"
    r"TypeError|AttributeError|IndexError|AssertionError|ValueError|OSError|RuntimeError|"
    r"magic number|pickle|UnidentifiedImage|Overflow|Conversion|while parsing|mapping values|"
    r"could not|block mapping|null byte|literal for int|convert string"
)
"""Words of parsers, encoders and of Python, which say nothing to a user."""
STRANGE = re.compile(r"Traceback|codec|surrogate|<class|<frozen|object at 0x|null byte")
LONGEST = 700
OWN = {"cache", "tokens"}  # folders of the machine, in which a command may keep something


@dataclass(frozen=True)
class Bad:
    """A wrong input.

    Attributes:
        words: The command, as in a shell.
        says: What the sentence names: file, entry, key or plugin.
        code: The exit code: 1 finished with failures or with parts left out, 2 refused, and 0 where
            something is only said.
        files: Files that are there before, by their path.
        make: What else is done to the folder before.
        lines: Sentences on the error stream.
        done: Tasks of which `run` holds scored samples afterwards.
        quotes: An exception of a plugin's own code is quoted, for its author.
    """

    words: str
    says: tuple[str, ...]
    code: int = 2
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    make: Callable[[Path], object] | None = None
    lines: int = 1
    done: tuple[str, ...] = ()
    quotes: bool = False

    def __str__(self) -> str:
        return f"{self.words[:60]} -> {self.says[-1][:40]}"


def written(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def state(folder: Path) -> dict[str, bytes]:
    """What lies below a folder, but for what the machine keeps."""
    found: dict[str, bytes] = {}
    for above, folders, files in os.walk(folder):
        if Path(above) == folder:
            folders[:] = [name for name in folders if name not in OWN]
        for name in [*folders, *files]:
            path = Path(above, name)
            if name == "run.lock" or (path.is_dir() and os.listdir(path) == ["run.lock"]):
                continue  # is never removed, since another process may wait for it
            regular = path.is_file() and not path.is_symlink()
            found[os.fspath(path.relative_to(folder))] = path.read_bytes() if regular else b""
    return found


def ended(bad: Bad, folder: Path, capsys) -> str:
    """Run the command in a folder, and see that it ends as is said; the error stream."""
    written(folder, bad.files)
    if bad.make is not None:
        bad.make(folder)
    before = state(folder)
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as outside of tests
        code = main(shlex.split(bad.words))
    said = capsys.readouterr().err
    problems = []
    if code != bad.code:
        problems.append(f"ended with {code}, not {bad.code}")
    lines = said.splitlines()
    if len(lines) != bad.lines:
        problems.append(f"{len(lines)} lines, not {bad.lines}")
    for line in lines:
        begun = bad.code < 2 or line.startswith("frostbench: ")
        if not begun or line[-1] not in ".?)" or len(line) > LONGEST:
            problems.append("no sentence")
        foreign = STRANGE if bad.quotes else FOREIGN
        if found := foreign.search(line.replace(os.fspath(folder), "")):
            problems.append(f"says {found[0]!r}")
    problems += [f"does not say {name!r}" for name in bad.says if name not in said]
    if code == 2 and state(folder) != before:
        after = state(folder)
        other = [name for name in {*before, *after} if before.get(name) != after.get(name)]
        problems.append(f"was refused, and left or changed {sorted(other)[:4]}")
    if bad.done and code < 2:
        scored = {one.task for one in open_run(folder / "run").records() if one.status == "scored"}
        if scored != set(bad.done):
            problems.append(f"scored {sorted(scored)}")
    assert not problems, f"{'; '.join(problems)}: {said}"
    return said
