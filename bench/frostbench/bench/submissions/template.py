"""Begins a repository of results: a README and the check of pull requests."""

from pathlib import Path

from frostbench.bench.store.atomic import StoreError, write_json, writing
from frostbench.bench.submissions.places import MARK, RESULTS

TEMPLATE = Path(__file__).parent / "template"


def new_results(folder: Path) -> None:
    """Write an empty repository of results, to be put under git.

    Raises:
        StoreError: the folder is there and not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(
            f"{folder} is there already; a repository of results begins in a new folder."
        )
    with writing(folder):
        (folder / RESULTS).mkdir(parents=True)
        for path in sorted(TEMPLATE.rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(TEMPLATE)
                target.parent.mkdir(parents=True, exist_ok=True)
                text = path.read_text(encoding="utf-8")
                target.write_text(text.replace("@NAME@", folder.name), encoding="utf-8")
        (folder / RESULTS / ".gitkeep").touch()
    write_json(folder / MARK, {"schema": 1, "name": folder.name})
