"""Stage the pages, have Zensical build them, and say what is wrong with the result."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from docs_site.check import dead_links, loaded_from_elsewhere, undocumented
from docs_site.markdown import for_site
from docs_site.navigation import Nav, navigation
from docs_site.page import DOCS, REPOSITORY, Page
from docs_site.pages import every_page
from docs_site.source import with_sources

HERE = Path(__file__).parent
STAGE = REPOSITORY / "build" / "site"


def build(out: Path) -> list[str]:
    """Build the site into a folder; sentences that say what is wrong with it."""
    pages = every_page()
    stage(with_sources(pages), navigation(pages), STAGE)
    wrong = undocumented()
    # The warnings of Zensical itself (a page that is not there, a name that is not documented).
    script = Path(sys.executable).with_name("zensical")
    words = [str(script), "build", "--strict", "--clean", "--config-file", "zensical.toml"]
    if subprocess.run(words, cwd=STAGE, check=False).returncode:
        return [*wrong, "Zensical found what stands above."]
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(STAGE / "site", out)
    return [*wrong, *dead_links(out), *loaded_from_elsewhere(out)]


def stage(pages: Sequence[Page], nav: Nav, folder: Path) -> None:
    """Write the pages, and what belongs to them, as Zensical wants them."""
    shutil.rmtree(folder, ignore_errors=True)
    into = folder / "pages"
    shutil.copytree(DOCS, into, ignore=shutil.ignore_patterns("*.md", "*.json"))
    for page in pages:
        path = into / page.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(for_site(page.text), encoding="utf-8")
    for name in ("site.css", "site.js"):
        shutil.copy(HERE / name, into)
    settings = (HERE / "site.toml").read_text(encoding="utf-8")
    paths = ", ".join(_toml(str(REPOSITORY / one)) for one in ("plugins", "bench"))
    settings = settings.replace('paths = ["plugins", "bench"]', f"paths = [{paths}]")
    settings = settings.replace('"doctests.py"', _toml(str(HERE / "doctests.py")))
    settings = settings.replace("nav = []", f"nav = {_toml(nav)}")
    (folder / "zensical.toml").write_text(settings, encoding="utf-8")


def _toml(value: "Nav | str | dict[str, Nav]") -> str:
    """A navigation as TOML writes it, in one line.

    >>> _toml(["index.md", {"Use": ["use/runs.md"]}])
    '["index.md", {"Use" = ["use/runs.md"]}]'
    """
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, dict):
        inner = ", ".join(f"{_toml(key)} = {_toml(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    return f"[{', '.join(map(_toml, value))}]"
