"""Packs: named sets of backbones, method weights and data that fit together.

A pack is a folder with a `pack.json`:

    {"name": "mini", "summary": "...",
     "backbones": {"llm": {"kind": "causal_lm", "source": "llm", "dtype": "float32"}},
     "methods": {"v2l": {"weights": "v2l", "settings": {}}},
     "data": {"glyph_portraits": "data"}}

A `source` that exists inside the folder is a path; anything else is taken as it stands (an
absolute path, a hub id, a model name of the library).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PackBackbone:
    """A backbone as `pack.json` names it; `kind` says which loader reads `source`."""

    role: str
    kind: str
    source: str
    dtype: str = "float32"


@dataclass(frozen=True)
class PackMethod:
    """A method's weights folder in the pack (None: it has none) and the settings it goes with."""

    weights: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pack:
    """A pack, read and checked."""

    name: str
    folder: Path
    summary: str
    backbones: Mapping[str, PackBackbone]
    methods: Mapping[str, PackMethod]
    data: Mapping[str, Path]

    def method(self, name: str) -> PackMethod:
        """What the pack holds for a method; nothing, for one that it does not know."""
        return self.methods.get(name, PackMethod())

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of every file that a number can depend on, by path within the folder."""
        return {
            str(path.relative_to(self.folder)): _sha256(path)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.suffix != ".md" and path.name != "card.json"
        }

    @property
    def digest(self) -> str:
        """One SHA-256 over all of `digests`."""
        return hashlib.sha256(json.dumps(self.digests, sort_keys=True).encode()).hexdigest()

    def digest_of(self, folder: Path) -> str:
        """One SHA-256 over the files of a part of the pack."""
        base = str(folder.relative_to(self.folder))
        part = {path: sha for path, sha in self.digests.items() if path.startswith(base)}
        return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()


def read_pack(folder: Path) -> Pack:
    """Read `pack.json`.

    Raises:
        ValueError: the file is missing or says something else than it should.
    """
    path = folder / "pack.json"
    try:
        text = json.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"no pack at {folder}: a pack is a folder with a pack.json.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from error
    try:
        backbones = {
            role: PackBackbone(
                role,
                entry["kind"],
                _resolve(folder, entry["source"]),
                entry.get("dtype", "float32"),
            )
            for role, entry in text["backbones"].items()
        }
        methods = {
            name: PackMethod(
                folder / entry["weights"] if entry.get("weights") else None,
                entry.get("settings", {}),
            )
            for name, entry in text["methods"].items()
        }
        data = {name: folder / place for name, place in text["data"].items()}
        return Pack(text["name"], folder, text.get("summary", ""), backbones, methods, data)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: {error!r} is missing or of the wrong kind; a pack has name, backbones "
            "(role: kind, source), methods (name: weights, settings) and data (name: folder)."
        ) from error


def embedded_pack(name: str) -> Path:
    """The folder of a pack that comes with frostbench.

    In a wheel packs lie beside the package, in a checkout at the top of the repository.
    """
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "packs" / name, here.parents[3] / "packs" / name):
        if (folder / "pack.json").is_file():
            return folder
    return here.parents[3] / "packs" / name


def _resolve(folder: Path, source: str) -> str:
    inside = folder / source
    return str(inside) if inside.exists() else source


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
