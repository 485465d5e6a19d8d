"""A new pack: its `pack.json` after another pack's, and the text of its language models."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import UsageError
from frostbench.bench.store.atomic import write_json
from frostbench.plugins.contract.recipe import MakeTrainingData
from frostbench.plugins.host.packs import read_pack
from frostbench.plugins.host.texts import no_text, read_json

SUFFIXES = (".txt", ".md", ".rst")


def begin_pack(folder: Path, like: Path, manifest: Mapping[str, Any]) -> None:
    """Write the `pack.json` of a new pack: that of another, with the keys of `manifest` over it.

    Without a name there, the pack is called like its folder. A `pack.json` that is there is kept.

    Raises:
        ValueError: the other pack has none, or the result has not the form of one.
    """
    from omegaconf import OmegaConf

    path = folder / "pack.json"
    if not path.exists():
        read_pack(like)
        said = {**read_json(like / "pack.json"), "name": folder.name}
        made: Any = OmegaConf.to_container(OmegaConf.merge(said, dict(manifest)))
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, made)
    read_pack(folder)


def text_of(places: Sequence[str]) -> MakeTrainingData:
    """The training data "text": paragraphs of files, and of the text files of folders.

    Paragraphs are what stands between empty lines. They are read when first asked for.

    Raises:
        UsageError: a place is not there, or is a folder without text; or, when they are read, a
            file is no text in UTF-8.
    """
    files = [file for place in places for file in _files(Path(place))]
    return lambda _: tuple(part for file in files for part in re.split(r"\n\s*\n", _read(file)))


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    found = sorted(path for path in place.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if not found:
        has = f"has no file that ends in {', '.join(SUFFIXES)}"
        what = has if place.is_dir() else "is not there"
        raise UsageError(f"text={place} {what}; name files or folders of plain text.")
    return found


def _read(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(no_text(f"text={file}", error)) from error
