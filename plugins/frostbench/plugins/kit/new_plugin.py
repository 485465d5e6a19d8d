"""A first plugin: `write(name, folder, kind)` makes a small package that works.

`templates/KIND` holds the files of each kind, `templates/every` those of all; `@NAME@` and other
marks are filled in, in texts and in paths. The method names the mean colour of each grid cell: it
needs no training, so that an author sees all three verbs at work before replacing them.
"""

import importlib.util
import keyword
import re
import shutil
import sys
from pathlib import Path

from frostbench.plugins.contract import CONTRACT_VERSION
from frostbench.plugins.host.errors import missing

TEMPLATES = Path(__file__).with_name("templates")
KINDS = sorted({folder.name for folder in TEMPLATES.iterdir()} - {"every"})


def write(name: str, folder: Path, kind: str = "method") -> Path:
    """Write the package of a plugin called `name` into `folder / name`.

    Args:
        name: Its name in lists and on the leaderboard; lower-case letters, digits and "-" or "_".
        folder: Where the package's folder is made.
        kind: One of `KINDS`.

    Returns:
        The package's folder.

    Raises:
        LookupError: there is no such kind.
        ValueError: the name cannot be a package's, or the folder is there already.
    """
    if kind not in KINDS:
        raise LookupError(missing("kind of plugin", kind, KINDS))
    module = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", module) or keyword.iskeyword(module):
        raise ValueError(
            f"a plugin cannot be called {name!r}: take lower-case letters, digits, '-' and '_', "
            "beginning with a letter, and no word of Python's."
        )
    if module in ("frostbench", "test", "tests"):
        raise ValueError(f"a plugin cannot be called {name!r}: the name has a meaning of its own.")
    if module in sys.stdlib_module_names or importlib.util.find_spec(module) is not None:
        raise ValueError(
            f"a plugin cannot be called {name!r}: `import {module}` is something else already, and "
            "one of the two would hide the other."
        )
    root = folder / name
    if root.exists():
        raise ValueError(f"{root} is there already; take another name or folder.")
    words = {
        "NAME": name,
        "MODULE": module,
        "KIND": kind,
        "CONTRACT": CONTRACT_VERSION,
        "CLASS": "".join(part.capitalize() for part in module.split("_") if part),
    }
    try:
        for part in (TEMPLATES / "every", TEMPLATES / kind):
            _fill(part, root, words)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)  # leave no half-written package
        raise
    return root


def _fill(part: Path, root: Path, words: dict[str, str]) -> None:
    for template in part.rglob("*.txt"):
        path = root / filled(str(template.relative_to(part).with_suffix("")), words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(template.read_text(encoding="utf-8"), words), encoding="utf-8")


def filled(template: str, words: dict[str, str]) -> str:
    """The template with each `@WORD@` replaced."""
    return re.sub(r"@([A-Z]+)@", lambda found: words[found.group(1)], template)
