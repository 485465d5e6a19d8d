"""A page of the site, and the few things that Markdown is made of."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"


@dataclass(frozen=True)
class Page:
    """A page of the site: its path below the folder of pages ("reference/metrics.md"), its text.

    `origin` is the file in the repository from which its links lead; without one they lead from
    the place of the page in `docs/`. Links to the files `holds` lead to it, too.
    """

    path: str
    text: str
    origin: Path | None = None
    holds: tuple[Path, ...] = ()

    @property
    def home(self) -> Path:
        """The folder that relative links of the page start from."""
        return (self.origin or DOCS / self.path).parent


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; nothing where there are no rows. A head that ends in ":" is of numbers."""
    body = [_row([str(cell) for cell in row]) for row in rows]
    if not body:
        return ""
    rule = ["---:" if head.endswith(":") else "---" for head in heads]
    return "\n".join([_row([head.rstrip(":") for head in heads]), _row(rule), *body, ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"


def prose(text: str) -> str:
    """Text of the code as Markdown: what is between backticks stays, the rest is no markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") and part != "`" else _plain(part) for part in parts)


def _plain(text: str) -> str:
    return re.sub(r"([\\*_|\[\]])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def code(text: object) -> str:
    """A name or value as code; nothing where it is empty.

    >>> code("a|b")
    '`a|b`'
    """
    return f"`{text}`" if str(text) else ""


def codes(names: Iterable[object]) -> str:
    """Several names as code, with commas between them."""
    return ", ".join(code(name) for name in names)


def sentence(clause: str) -> str:
    """A clause of a card as a sentence: a capital, and a full stop."""
    text = prose(clause.strip())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ")")) else ".")


def sections(*parts: str) -> str:
    """Parts of a page, with an empty line between those that are not empty."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def title_of(text: str) -> str:
    """The first heading of a page.

    Raises:
        ValueError: it has none.
    """
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError("it has no heading '# TITLE'.")
    return found[1].strip()
