"""Packs: named sets of backbones, method weights and data that fit together.

A pack is a folder with a `pack.json`:

    {"name": "mini", "summary": "...",
     "backbones": {"llm": {"kind": "causal_lm", "source": "llm", "dtype": "float32"}},
     "methods": {"v2l": {"weights": "v2l", "settings": {}, "adapters": {"masked": "v2l_lora"}}},
     "data": {"glyph_portraits": "data"},
     "alternatives": {"llm": {"llama": {"kind": "causal_lm", "source": "llama"}}},
     "metric_weights": {"alex": "alexnet-owt-7be5be79.pth"}}

`alternatives`, which may be left out, names other backbones for a role: `llm=llama` runs the
same methods on that language model. `metric_weights`, which may be left out too, are the files of
networks that metrics look through. A `source` that exists inside the folder is a path; anything
else is taken as it stands (an absolute path, a hub id, a model name of the library). A backbone may
have a `name`, which metrics that use it carry in their ids; the default is the pack's name, or, for
a second backbone of its kind, its role.
"""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from frostbench.plugins.host.litter import is_litter
from frostbench.plugins.host.texts import read_json, taken

T = TypeVar("T")

MOST_FILES = 10_000_000
SYSTEM = ("/proc", "/sys", "/dev")


@dataclass(frozen=True)
class BackboneEntry:
    """A backbone as `pack.json` names it; `kind` says which loader reads `source`.

    `settings` are the loader's own, for kinds that have some. `name` tells it from others of its
    kind in the ids of metrics that look through it ("vit-l-14-openai").
    """

    role: str
    kind: str
    source: str
    dtype: str = "float32"
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class PackMethod:
    """A method's weights folder in the pack (None: it has none) and the settings that belong to it.

    `adapters` are folders of LoRA adapters, as peft saves them, by the corruption that each undoes.
    """

    weights: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    adapters: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Pack:
    """A pack, read and checked; `alternatives` are other backbones for a role, by name.

    `metric_weights` are files of networks that metrics look through, by the network.
    """

    name: str
    folder: Path
    summary: str
    backbones: Mapping[str, BackboneEntry]
    methods: Mapping[str, PackMethod]
    data: Mapping[str, Path]
    alternatives: Mapping[str, Mapping[str, BackboneEntry]] = field(default_factory=dict)
    metric_weights: Mapping[str, Path] = field(default_factory=dict)

    def method(self, name: str) -> PackMethod:
        """What the pack holds for a method; empty for an unknown method."""
        return self.methods.get(name, PackMethod())

    def language_model(self, name: str) -> BackboneEntry:
        """The language model that a user names, in the role "llm".

        One of the pack's alternatives, a folder inside the pack, or, as in `pack.json`, whatever
        else a source can be. Numbers are of the type that the pack gives its own.
        """
        known = self.alternatives.get("llm", {})
        if name in known:
            return known[name]
        own = self.backbones.get("llm", BackboneEntry("llm", "causal_lm", ""))
        return replace(own, source=_resolve(self.folder, name))

    def named(self, role: str) -> Mapping[str, str]:
        """The backbones of the same kind as a role's, by name, each with its own role.

        A backbone without a name is called like the pack if it fills `role`, otherwise like its
        role. Empty where the pack has no such role.
        """
        if role not in self.backbones:
            return {}
        kind = self.backbones[role].kind
        return {
            entry.name or (self.name if entry.role == role else entry.role): entry.role
            for entry in self.backbones.values()
            if entry.kind == kind
        }

    def digest(self, hash_of: "Callable[[Path], str] | None" = None) -> str:
        """One SHA-256 over `pack.json` and the files within the folder that it names.

        Other files of the folder, such as those that a part was converted from, change no result.
        `hash_of` gives the SHA-256 of a file, or of the files of a folder.
        """
        backbones = [*self.backbones.values()]
        backbones += [one for others in self.alternatives.values() for one in others.values()]
        named = [Path(entry.source) for entry in backbones]
        for method in self.methods.values():
            named += [*([] if method.weights is None else [method.weights])]
            named += method.adapters.values()
        named += [*self.data.values(), *self.metric_weights.values(), self.folder / "pack.json"]
        within = {
            path.relative_to(self.folder).as_posix(): path
            for path in named
            if path.is_relative_to(self.folder)
            and (path.is_file() or any(map(_counts, files_below(path))))
        }
        read = hash_of or digest_of_files
        return digest_of({name: read(path) for name, path in within.items()})

    def digests_of(self, folder: Path, place: Path | None = None) -> Mapping[str, str]:
        """SHA-256 of the files of a part, which may lie outside the pack, by path.

        Paths begin with where the part lies in the pack, or else with the folder's own name; with
        `place` as if it lay there.
        """
        place = place or folder
        inside = place.is_relative_to(self.folder)
        stem = place.relative_to(self.folder).as_posix() if inside else place.name
        return {f"{stem}/{path}": sha for path, sha in digests(folder).items()}


def digest_of(value: object) -> str:
    """One SHA-256 over plain values; mappings are equal in any order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_files(folder: Path, of_file: Callable[[Path], str] = sha256_of) -> str:
    """One SHA-256 over the files of a folder, the same wherever it lies.

    Raises:
        ValueError: there are none, or too many; see `digests`.
    """
    files = digests(folder, of_file)
    if not files:
        raise ValueError(f"{folder} holds no files.")
    return digest_of(files)


def digests(folder: Path, of_file: Callable[[Path], str] = sha256_of) -> dict[str, str]:
    """SHA-256 of the files in a folder, or of one file, by path within it.

    Links are followed; files for people alone are left out. `of_file` may cache what it has read.

    Raises:
        ValueError: the path is the system's own (`/`, or in `/proc`, `/sys`, `/dev`), where reading
            has no end, or holds more than `MOST_FILES` files.
    """
    if folder.is_file():
        _check_ends(folder)
        return {folder.name: of_file(folder)}
    # All are counted before the first is read.
    files = list(islice(files_below(folder), MOST_FILES + 1))
    if len(files) > MOST_FILES:
        raise ValueError(f"{folder} holds more than {MOST_FILES} files; name a smaller folder.")
    return {path.relative_to(folder).as_posix(): of_file(path) for path in files if _counts(path)}


def read_pack(folder: Path) -> Pack:
    """Read `pack.json`.

    Raises:
        ValueError: the file is missing or does not have the form above.
    """
    path = folder / "pack.json"
    try:
        said = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"no pack at {folder}: a pack is a folder with a pack.json.") from None
    here = str(path)
    name, methods = taken(here, said, "name", str), taken(here, said, "methods", dict)
    backbones = taken(here, said, "backbones", dict)
    others: dict[str, Any] = _optional(here, said, "alternatives", {})
    return Pack(
        name,
        folder,
        _optional(here, said, "summary", ""),
        {
            role: _backbone(folder, role, f"{here}, backbones.{role}", entry)
            for role, entry in backbones.items()
        },
        {one: _method(folder, f"{here}, methods.{one}", entry) for one, entry in methods.items()},
        _places(folder, here, "data", taken(here, said, "data", dict)),
        {
            role: {
                one: _backbone(folder, role, f"{here}, alternatives.{role}.{one}", entry)
                for one, entry in taken(f"{here}, alternatives", others, role, dict).items()
            }
            for role in others
        },
        _places(folder, here, "metric_weights", _optional(here, said, "metric_weights", {})),
    )


def _optional(where: str, entry: Any, key: str, default: T) -> T:
    """The value of an optional key, of the same kind as its default."""
    if not isinstance(entry, Mapping) or key in entry:
        found: T = taken(where, entry, key, type(default))
        return found
    return default


def _backbone(folder: Path, role: str, where: str, entry: Any) -> BackboneEntry:
    return BackboneEntry(
        role,
        taken(where, entry, "kind", str),
        _resolve(folder, taken(where, entry, "source", str)),
        _optional(where, entry, "dtype", "float32"),
        dict(_optional(where, entry, "settings", {})),
        _optional(where, entry, "name", ""),
    )


def _method(folder: Path, where: str, entry: Any) -> PackMethod:
    kept = {**entry, "weights": entry.get("weights") or ""} if isinstance(entry, dict) else entry
    weights = _optional(where, kept, "weights", "")
    return PackMethod(
        folder / weights if weights else None,
        _optional(where, entry, "settings", {}),
        _places(folder, where, "adapters", _optional(where, entry, "adapters", {})),
    )


def _places(folder: Path, where: str, key: str, entries: Mapping[str, Any]) -> dict[str, Path]:
    """Files or folders of a pack, by what they are."""
    return {name: folder / taken(f"{where}, {key}", entries, name, str) for name in entries}


def embedded_pack(name: str) -> Path:
    """The folder of a pack that comes with frostbench, inside the package `frostbench.packs`.

    Raises:
        LookupError: the packs are not installed.
    """
    spec = importlib.util.find_spec("frostbench.packs")
    if spec is None or spec.submodule_search_locations is None:
        raise LookupError("the package frostbench.packs, which holds the packs, is not installed.")
    return Path(spec.submodule_search_locations[0]) / name / "files"


def files_below(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """All files below a folder, through links too, without those left by the system.

    Raises:
        ValueError: it is a system folder, where reading has no end.
    """
    if not above:
        _check_ends(folder)
    here = folder.resolve()
    # A link to a folder above itself would lead around forever.
    if not folder.is_dir() or here in above:
        return
    for path in sorted(folder.iterdir()):
        if path.is_file():
            if not is_litter(path):
                yield path
        else:
            yield from files_below(path, above | {here})


def _counts(path: Path) -> bool:
    """Whether results can depend on a file; the others are for people alone."""
    return path.suffix != ".md" and path.name != "card.json"


def _check_ends(folder: Path) -> None:
    whole = folder.resolve()
    system = next((Path(top) for top in SYSTEM if whole.is_relative_to(top)), None)
    if system or whole == Path(whole.anchor):
        raise ValueError(
            f"{folder} is the system's own and holds no weights or data; name another folder."
        )


def _resolve(folder: Path, source: str) -> str:
    inside = folder / source
    return str(inside) if inside.exists() else source
