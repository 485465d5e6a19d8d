"""Finds the documents of a task, in a user's folder or in the Hub's cache.

A folder may be one data set, or hold many, named as on the Hub or like their tasks.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from frostbench.bench.lmms.version import LmmsError

KINDS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".arrow": "arrow", ".csv": "csv"}
"""Files of documents, by what reads them."""


def find(root: Path | None, task: str, dataset: str) -> Path:
    """The folder of a task's data set: below `root`, or in the Hub's cache where there is no root.

    Raises:
        LmmsError: it is in neither.
    """
    cache = hub_cache()
    roots = [cache] if root is None else [root]
    for one in roots:
        for place in _places(one, task, dataset):
            if place.is_dir() and next(_files(place), None) is not None:
                return place
    if root is not None and next(_files(root, deep=False), None) is not None:
        return root
    where = f"below {root}" if root is not None else f"in the Hub's cache ({cache})"
    raise LmmsError(
        f"task 'lmms:{task}' reads the data set {dataset!r}, which is not {where}; "
        "data.lmms=FOLDER says where its Parquet files lie, in a folder of its name. Nothing is "
        "downloaded."
    )


def hub_cache() -> Path:
    """The folder of the Hub client's downloads."""
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expanduser(hub or os.path.join(home, "hub")))


def files_by_split(
    folder: Path, task: str, name: str | None, splits: Sequence[str]
) -> tuple[str, dict[str, list[str]]]:
    """The reader of a task's files, and the files of each existing split.

    `name` is the configuration of the data set, which is a folder in it. The first of the splits is
    the asked one: if no file is named after it, all files belong to it.

    Raises:
        LmmsError: there is no file, or they are of two kinds.
    """
    files = sorted(_files(folder))
    named = [path for path in files if path.stem == task]
    inside = [path for path in files if name and name in path.relative_to(folder).parts[:-1]]
    files = named or inside or files
    kinds = {KINDS[path.suffix] for path in files}
    if len(kinds) > 1 and "parquet" in kinds:
        files = [path for path in files if path.suffix == ".parquet"]
        kinds = {"parquet"}
    if len(kinds) != 1:
        found = " and ".join(sorted(kinds)) or "no file of documents"
        raise LmmsError(f"task 'lmms:{task}': {folder} holds {found}.")
    found_of = {split: [path for path in files if _is_of(path, folder, split)] for split in splits}
    if not found_of[splits[0]]:
        taken = {path for several in found_of.values() for path in several}
        found_of[splits[0]] = [path for path in files if path not in taken]
    if not found_of[splits[0]]:
        raise LmmsError(f"task 'lmms:{task}': {folder} holds no file of its split {splits[0]!r}.")
    by_split = {split: list(map(str, several)) for split, several in found_of.items() if several}
    return kinds.pop(), by_split


def _places(root: Path, task: str, dataset: str) -> Iterator[Path]:
    owner, _, name = dataset.rpartition("/")
    yield root / task
    yield root / owner / name
    yield root / name
    owners = dict.fromkeys((owner, owner.removesuffix("-encoder")))
    for one in owners:
        snapshots = root / f"datasets--{one}--{name}" / "snapshots"
        found = sorted(snapshots.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
        yield from found


def _files(folder: Path, *, deep: bool = True) -> Iterator[Path]:
    for path in folder.rglob("*") if deep else folder.glob("*"):
        if path.suffix in KINDS and path.is_file() and not path.name.startswith((".", "dataset_")):
            yield path


def _is_of(path: Path, folder: Path, split: str) -> bool:
    """Whether a file is of a split, by its name or by a folder's."""
    stem = path.name.partition(".")[0]
    first = stem == split or stem.startswith((f"{split}-", f"{split}_"))
    return first or split in path.relative_to(folder).parts[:-1]
