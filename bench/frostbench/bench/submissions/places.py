"""The layout of a repository of results.

`results/METHOD/VERSION/` is a run's folder of one method: manifest.json, sealed/ and, for people, a
JSON file for each task and protocol. Images, masks and features lie in a common `outputs/`,
under the SHA-256 of their bytes, as in a run's `blobs/`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from frostbench.bench.exchange.names import folder_name
from frostbench.bench.store.atomic import StoreError, regular
from frostbench.bench.store.manifest import MethodEntry
from frostbench.bench.store.reader import StoredRun, open_run

MARK = "frostbench-results.json"
OUTPUTS, RESULTS = "outputs", "results"


def is_repository(folder: Path) -> bool:
    """Whether a folder is a repository of results."""
    return (folder / MARK).is_file()


def checked_repository(folder: Path) -> Path:
    """The folder, if it is a repository of results.

    Raises:
        StoreError: it is none.
    """
    if not is_repository(folder):
        raise StoreError(
            f"{folder} is no repository of results, which has a {MARK}; frostbench new-results "
            f"{folder} begins one."
        )
    try:
        schema = json.loads(regular(folder / MARK).read_bytes())["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder / MARK} cannot be read: it names no schema.") from error
    if schema != 1:
        raise StoreError(f"{folder / MARK} is of schema {schema!r}; this frostbench reads 1.")
    return folder


def version_of(entry: MethodEntry) -> str:
    """The version of a method: its own word, and a digest of what it depends on."""
    return "-".join(filter(None, (entry.version, entry.identity[:8]))) or "unversioned"


def folder_of(repository: Path, method: str, entry: MethodEntry) -> Path:
    """Where a method's results lie."""
    return repository / RESULTS / folder_name(method) / folder_name(version_of(entry))


def submissions_of(repository: Path) -> list[Path]:
    """The folders of all submissions, in order.

    Raises:
        StoreError: it is no repository, or something else lies where submissions do.
    """
    found: list[Path] = []
    for method in _folders(checked_repository(repository) / RESULTS):
        found += _folders(method)
    return found


def open_submission(folder: Path) -> StoredRun:
    """A submission as a run, whose outputs are the repository's.

    Raises:
        StoreError: its manifest cannot be read.
    """
    run = StoredRun(folder, folder.parents[2] / OUTPUTS)
    _ = run.manifest
    return run


def open_runs(folders: Sequence[str | Path]) -> list[StoredRun]:
    """Runs, and all submissions of repositories of results among them.

    Raises:
        StoreError: one is neither, or a repository is empty.
    """
    runs: list[StoredRun] = []
    for folder in map(Path, folders):
        if not is_repository(folder):
            runs.append(open_run(folder))
            continue
        here = submissions_of(folder)
        if not here:
            raise StoreError(f"{folder} is a repository of results that holds none yet.")
        runs += map(open_submission, here)
    return runs


def _folders(above: Path) -> Iterator[Path]:
    for path in _visible(above):
        if path.is_symlink() or not path.is_dir():
            raise StoreError(f"{path} is no folder; submissions lie in {RESULTS}/METHOD/VERSION/.")
        yield path


def _visible(above: Path) -> Iterable[Path]:
    if not above.is_dir():
        return ()
    return sorted(path for path in above.iterdir() if not path.name.startswith("."))
