"""A first plugin: `write(name, folder)` makes a package with a small method that really works.

The method names the mean colour of each cell. It needs no training, so that an author sees all
three verbs at work before putting something better in their place.
"""

import keyword
import re
from pathlib import Path

from frostbench.plugins.kit.templates import METHOD, PYPROJECT, README, TESTS


def write(name: str, folder: Path) -> Path:
    """Write the package of a method called `name` into `folder / name`.

    Args:
        name: The method's name on the leaderboard; lower-case letters, digits and "-" or "_".
        folder: Where the package's folder is made.

    Returns:
        The package's folder.

    Raises:
        ValueError: the name cannot be a package's, or the folder is there already.
    """
    module = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", module) or keyword.iskeyword(module):
        raise ValueError(
            f"a plugin cannot be called {name!r}: take lower-case letters, digits, '-' and '_', "
            "beginning with a letter, and no word of Python's."
        )
    if module in ("frostbench", "test", "tests"):
        raise ValueError(f"a plugin cannot be called {name!r}: the name is needed for itself.")
    root = folder / name
    if root.exists():
        raise ValueError(f"{root} is there already; take another name or folder.")
    words = {
        "NAME": name,
        "MODULE": module,
        "CLASS": "".join(part.capitalize() for part in module.split("_") if part),
    }
    files = {
        root / "README.md": README,
        root / "pyproject.toml": PYPROJECT,
        root / f"{module}.py": METHOD,
        root / "tests" / f"test_{module}.py": TESTS,
    }
    for path, template in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(template, words), encoding="utf-8")
    return root


def filled(template: str, words: dict[str, str]) -> str:
    """The template with each `@WORD@` replaced."""
    return re.sub(r"@([A-Z]+)@", lambda found: words[found.group(1)], template)
