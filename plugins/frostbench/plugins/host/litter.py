"""Files that a system leaves beside its user's own: they belong to no data, weights or run."""

from pathlib import Path

NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
BESIDE = "._"  # how the names of files begin in which macOS keeps what is known of others


def is_litter(path: Path) -> bool:
    """Whether a file is the system's own.

    >>> is_litter(Path("data/._cat.jpg")), is_litter(Path("data/.cat.jpg"))
    (True, False)
    """
    return path.name in NAMES or path.name.startswith(BESIDE)


def files_like(folder: Path, pattern: str) -> list[Path]:
    """What lies in a folder under a pattern, sorted, without what a system left there."""
    return sorted(path for path in folder.glob(pattern) if not is_litter(path))
