"""The list of a pack's parts, and which of them lie below a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from frostbench.bench.cli.convert import CARD
from frostbench.plugins.host.settings import read_settings

CONVERTED = "converted"  # folder of the root that parts are converted into


@dataclass(frozen=True)
class FileFacts:
    """Known facts about a published file.

    Attributes:
        sha256: Of the whole file; empty where it is not known.
        size: In bytes; 0 where it is not known.
        url: Where it can be downloaded without a browser; empty where it cannot.
    """

    sha256: str = ""
    size: int = 0
    url: str = ""


@dataclass(frozen=True)
class HubFolder:
    """Files of a repository of the Hugging Face Hub, and their folder.

    Attributes:
        repo: As in "org/model".
        files: The names of those that are wanted, at the top of the repository.
        folder: Where they go, below the pack's root.
        revision: A commit, or a branch; the downloaded commit is recorded.
    """

    repo: str
    files: tuple[str, ...]
    folder: str
    revision: str = "main"


@dataclass(frozen=True)
class PackPart:
    """One part of a pack, as its list of parts says.

    `files` are possible places of each file below the root, of which the first existing one counts;
    `convert` names the converter that makes the part from them, if one is needed. `published` are
    facts of files by their names, those in a folder among them. An "alternative" can replace the
    backbone that `instead_of` names; "weights" are for method.NAME.weights of a preset or the user,
    instead of the method's own; a "metric" is the file of a metric's network.
    """

    role: Literal["backbone", "alternative", "method", "weights", "metric", "data"]
    source: str
    licence: str
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    kind: str = ""
    name: str = ""
    dtype: str = "float32"
    convert: str = ""
    instead_of: str = ""
    hub: HubFolder | None = None
    published: Mapping[str, FileFacts] = field(default_factory=dict)

    def found(self, root: Path) -> dict[str, Path]:
        """The files that are there, by name."""
        places = {
            name: next((root / place for place in choice if (root / place).exists()), None)
            for name, choice in self.files.items()
        }
        return {name: path for name, path in places.items() if path is not None}

    def converted(self, root: Path, own: Path) -> bool:
        """Whether the part was converted into its own folder, and no file has changed since."""
        card = own / CARD
        if not self.convert or not card.is_file():
            return False
        then = card.stat().st_mtime
        files = [path for path in self.found(root).values() if path.is_file()]
        return all(path.stat().st_mtime <= then for path in files)

    def missing(self, root: Path) -> list[tuple[str, ...]]:
        """The places of each file that is not there."""
        found = self.found(root)
        return [places for name, places in self.files.items() if name not in found]

    def facts(self, root: Path) -> dict[Path, FileFacts]:
        """What is known of files that are there, by their paths."""
        paths = {
            path if path.name == name else path / name: facts
            for path in self.found(root).values()
            for name, facts in self.published.items()
        }
        return {path: facts for path, facts in paths.items() if path.is_file()}


def read_parts(path: Path) -> dict[str, PackPart]:
    """The parts of a pack by name.

    Raises:
        ValueError: the file is no list of parts.
    """
    from omegaconf import OmegaConf

    tree: Any = OmegaConf.to_container(OmegaConf.load(path))
    parts = {}
    for name, said in tree.items():
        where = f"{path.name}: {name}"
        files = {
            key: tuple(places if isinstance(places, list) else [places])
            for key, places in said.pop("files").items()
        }
        published = {
            key: read_settings(FileFacts, facts, f"{where}.published[{key}]")
            for key, facts in said.pop("published", {}).items()
        }
        part = read_settings(PackPart, said, where)
        parts[str(name)] = replace(part, files=files, published=published)
    return parts
