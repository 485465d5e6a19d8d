"""Files that an operating system leaves in folders: they belong to no data, weights or run."""

from pathlib import Path

NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
BESIDE = "._"  # prefix of the files in which macOS keeps attributes of other files


def is_litter(path: Path) -> bool:
    """Whether a file was left by the operating system.

    >>> is_litter(Path("data/._cat.jpg")), is_litter(Path("data/.cat.jpg"))
    (True, False)
    """
    return path.name in NAMES or path.name.startswith(BESIDE)


def files_like(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder that match a pattern, sorted, without those left by the system."""
    return sorted(path for path in folder.glob(pattern) if not is_litter(path))
