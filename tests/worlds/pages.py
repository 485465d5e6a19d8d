"""Pages of the documentation, and the code blocks in them."""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else its first fence says, and its text."""

    language: str
    note: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All code blocks of a page, in order."""
    found = re.findall(r"^```(\w+) ?(.*)\n((?:.*\n)*?)^```$", page.read_text(), re.MULTILINE)
    return [Block(*one) for one in found]


def write_files(page: Path, folder: Path) -> list[Path]:
    """Blocks that name a file, written to it; the files."""
    named = [one for one in blocks(page) if one.language == "python" and one.note]
    for block in named:
        (folder / block.note).write_text(block.text)
    return [folder / block.note for block in named]


def my_method(folder: Path) -> Path:
    """The method in 30 lines that the documentation shows, written to a file."""
    write_files(REPOSITORY / "docs" / "write" / "methods.md", folder)
    return folder / "my_method.py"
