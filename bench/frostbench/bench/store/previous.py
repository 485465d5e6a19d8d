"""Sets the earlier run of a folder aside when `again=true` starts over."""

import os
import shutil
from pathlib import Path

from frostbench.bench.store.atomic import StoreError, writing
from frostbench.bench.store.reader import samples_files
from frostbench.bench.store.writer import PLUGINS

# The manifest goes last: where it lies, the run is complete.
PARTS = ("samples", "sealed", "blobs", PLUGINS, "config.yaml", "manifest.json")


def previous_folder(folder: Path) -> Path:
    """Where the run that stood in `folder` before is kept: beside it, "runs/one.previous"."""
    named = folder if folder.name not in ("", "..") else Path(os.path.abspath(folder))
    return named.with_name(f"{named.name}.previous")


def previous_of(folder: Path) -> Path:
    """The folder of the run before.

    Raises:
        StoreError: there is none.
    """
    kept = previous_folder(folder)
    if not (kept / "manifest.json").exists():
        raise StoreError(
            f"{folder} has no run before it: one is kept in {kept} when again=true begins anew "
            "where samples lie."
        )
    return kept


def set_aside(folder: Path) -> Path | None:
    """Move a run's samples, images and manifest beside it, replacing an older one.

    Nothing is moved of a run without samples. If it is killed, the next call resumes.

    Returns:
        Where it is; None where there was nothing to keep.

    Raises:
        StoreError: what lies there is no run, or it cannot be moved.
    """
    kept = previous_folder(folder)
    half = kept.is_dir() and not (kept / "manifest.json").exists()
    if not (folder / "manifest.json").exists() or not (half or samples_files(folder)):
        return None
    strange = sorted({path.name for path in kept.glob("*")} - {*PARTS}) if kept.exists() else []
    if strange or (kept.exists() and not kept.is_dir()):
        what = f"{strange[0]!r}" if strange else "is a file"
        raise StoreError(
            f"{kept}, where the run before is kept, {'holds ' if strange else ''}{what}; move it "
            "away, or choose another folder with out=."
        )
    with writing(kept):
        if not half and kept.exists():
            shutil.rmtree(kept)
        kept.mkdir(exist_ok=True)
        for name in PARTS:
            if (folder / name).exists():
                os.replace(folder / name, kept / name)
    return kept
