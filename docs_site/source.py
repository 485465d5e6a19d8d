"""Links that leave `docs/`: a file of the repository that a page leads to becomes a page itself."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from docs_site.page import DOCS, REPOSITORY, Page

_LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LANGUAGES = {".py": "python", ".json": "json", ".yaml": "yaml", ".toml": "toml", ".cff": "yaml"}
HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"
"""What stands over pages that are not searched."""


def with_sources(pages: Iterable[Page]) -> list[Page]:
    """The pages, and one for each file of the repository that they, or those files, lead to."""
    found = {page.path: page for page in pages}
    homes = {page.origin: page.path for page in found.values() if page.origin is not None}
    homes |= {DOCS / path: path for path, page in found.items() if page.origin is None}
    homes |= {file: path for path, page in found.items() for file in page.holds}
    waiting: list[Page] = list(found.values())
    done: list[Page] = []
    while waiting:
        page = waiting.pop()
        for target in _outside(page, homes):
            new = _page_of(target)
            homes[target] = new.path
            waiting.append(new)
        done.append(page)
    return [Page(page.path, _relinked(page, homes), page.origin) for page in done]


def moved(text: str, old: Path, new: Path) -> str:
    """Text from a file in the folder `old` with its links as they are written in `new`."""

    def written(found: "re.Match[str]") -> str:
        if re.match(r"[a-z]+:", found[1]):
            return found[1]
        return os.path.relpath(os.path.normpath(old / found[1]), new)

    return _outside_fences(text, lambda part: _LINK.sub(written, part))


def _outside(page: Page, homes: dict[Path, str]) -> list[Path]:
    """Files of the repository that a page leads to, and that are no pages yet."""
    said = {one for part in _unfenced(page.text) for one in _LINK.findall(part)}
    targets = {target for target in (_target(page, one) for one in said) if target is not None}
    return sorted(
        target
        for target in targets - set(homes)
        if target.is_file() and not target.is_relative_to(DOCS)
    )


def _target(page: Page, said: str) -> Path | None:
    """The file or folder that a link leads to; a folder is known by its README.md."""
    if re.match(r"[a-z]+:", said):
        return None
    path = Path(os.path.normpath(page.home / said))
    readme = path / "README.md"
    return readme if readme.is_file() else path


def _page_of(file: Path) -> Page:
    """A file of the repository as a page."""
    name = file.relative_to(REPOSITORY).as_posix()
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        path = f"source/{name.replace('README.md', 'about.md')}"
        return Page(path, HIDDEN + text, file)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    language = _LANGUAGES.get(file.suffix, "text")
    shown = f"{HIDDEN}# {file.name}\n\n`{name}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"
    return Page(f"source/{name}.md", shown, file)


def _relinked(page: Page, homes: dict[Path, str]) -> str:
    """The text of a page, whose links lead to the pages that stand for files."""
    folder = (DOCS / page.path).parent

    def new(found: "re.Match[str]") -> str:
        target = _target(page, found[1])
        if target is None or not (target in homes or target.exists()):
            return found[1]
        return os.path.relpath(DOCS / homes[target] if target in homes else target, folder)

    return _outside_fences(page.text, lambda part: _LINK.sub(new, part))


def _unfenced(text: str) -> list[str]:
    return [part for part in _FENCED.split(text) if not part.startswith("```")]


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    parts = _FENCED.split(text)
    return "".join(part if part.startswith("```") else change(part) for part in parts)
