"""`frostbench pack`: put a pack together from published files that a user holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from frostbench.bench.cli.config import PluginConfig, UsageError, read_config, split_words
from frostbench.bench.cli.convert import CARD, convert_files
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import complain, say
from frostbench.plugins.contract.cards import PackCard
from frostbench.plugins.host.registry import Host
from frostbench.plugins.host.remembered import remember_pack
from frostbench.plugins.host.settings import read_settings

PACK = "pack.json"
CONVERTED = "converted"  # folder of the root that parts are converted into


@dataclass(frozen=True)
class PackConfig(PluginConfig):
    """Keys of `frostbench pack NAME`."""

    root: str = ""


@dataclass(frozen=True)
class PackPart:
    """One part of a pack, as its list of parts says.

    `files` are the places of each file below the root, of which the first that is there counts;
    `convert` names the converter that makes the part of them, if one has to. An "alternative" can
    take the place of the backbone that `instead_of` names; "weights" are what a preset or the user
    names with method.NAME.weights, in the place of the method's own; a "metric" is the file of a
    network that metrics look through.
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

    def found(self, root: Path) -> dict[str, Path]:
        """The files that are there, by name."""
        places = {
            name: next((root / place for place in choice if (root / place).exists()), None)
            for name, choice in self.files.items()
        }
        return {name: path for name, path in places.items() if path is not None}


def pack_command(words: list[str]) -> int:
    """Say what is there and what is missing, convert what is there, and write `pack.json`.

    1 where a part that is there cannot be converted; the others are in the pack all the same.
    """
    plain, overrides = split_words(words)
    config = read_config(PackConfig, overrides)
    host = open_host(config)
    if len(plain) != 1:
        raise UsageError("which pack? frostbench pack NAME root=FOLDER.")
    card: PackCard = host.pick("pack", plain[0]).card
    if not card.parts:
        raise UsageError(f"the pack {card.name!r} is complete as it is, in {card.folder}.")
    parts = read_parts(Path(card.parts))
    if not config.root:
        _say_wanted(card, parts)
        return 0
    root = Path(config.root).expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"root={config.root}: there is no such folder.")
    failed: list[str] = []
    made = {name: _gather(name, part, root, host, failed) for name, part in parts.items()}
    there = {name: place for name, place in made.items() if place is not None}
    (root / PACK).write_text(json.dumps(_pack(card, parts, there), indent=2) + "\n")
    remember_pack(card.name, root)
    _say_tables(host, parts, there)
    say(f"{root / PACK} names {len(there)} of {len(parts)} parts; frostbench run pack={card.name}")
    return 1 if failed else 0


def read_parts(path: Path) -> dict[str, PackPart]:
    """The parts of a pack by name.

    Raises:
        ValueError: the file is no list of parts.
    """
    from omegaconf import OmegaConf

    tree: Any = OmegaConf.to_container(OmegaConf.load(path))
    parts = {}
    for name, said in tree.items():
        files = {
            key: tuple(places if isinstance(places, list) else [places])
            for key, places in said.pop("files").items()
        }
        parts[str(name)] = replace(
            read_settings(PackPart, said, f"{path.name}: {name}"), files=files
        )
    return parts


def _say_wanted(card: PackCard, parts: Mapping[str, PackPart]) -> None:
    say(f"{card.name}: {card.summary}")
    for name, part in parts.items():
        say(f"{part.role} {name}: {part.source} ({part.licence})")
        for places in part.files.values():
            say(f"  {' or '.join(places)}")
    say(f"Put what you hold below one folder: frostbench pack {card.name} root=FOLDER")


def _gather(name: str, part: PackPart, root: Path, host: Host, failed: list[str]) -> str | None:
    """Where a part lies below the root, made if it has to be; None where files are missing.

    The name of a part that cannot be made joins those that `failed`.
    """
    own = root / CONVERTED / name
    found = part.found(root)
    if part.convert and _is_fresh(own, found):
        say(f"{name}: there, converted before")
        return own.relative_to(root).as_posix()
    missing = [name for name in part.files if name not in found]
    if missing:
        wanted = "; ".join(" or ".join(part.files[key]) for key in missing)
        say(f"{name}: missing {wanted}, from {part.source} ({part.licence})")
        return None
    if not part.convert:
        (path,) = found.values()
        say(f"{name}: there, {path.relative_to(root)}")
        return path.relative_to(root).as_posix()
    say(f"{name}: converting")
    try:
        convert_files(host.pick("converter", part.convert), found, own)
    except (ValueError, OSError) as error:
        complain(f"frostbench: {name}: {error}")
        failed.append(name)
        return None
    return own.relative_to(root).as_posix()


def _is_fresh(own: Path, found: Mapping[str, Path]) -> bool:
    """Whether a part was converted, and none of its files has changed since."""
    card = own / CARD
    if not card.is_file():
        return False
    then = card.stat().st_mtime
    return all(path.stat().st_mtime <= then for path in found.values() if path.is_file())


def _pack(
    card: PackCard, parts: Mapping[str, PackPart], there: Mapping[str, str]
) -> dict[str, Any]:
    """What `pack.json` says of the parts that are there."""
    of: dict[str, dict[str, str]] = {}
    for name, place in there.items():
        of.setdefault(parts[name].role, {})[name] = place
    others: dict[str, dict[str, Any]] = {}
    for name, place in of.get("alternative", {}).items():
        others.setdefault(parts[name].instead_of, {})[name] = _loaded(parts[name], place)
    return {
        "name": card.name,
        "summary": card.summary,
        "backbones": {
            name: _loaded(parts[name], place) for name, place in of.get("backbone", {}).items()
        },
        "methods": {name: {"weights": place} for name, place in of.get("method", {}).items()},
        "data": of.get("data", {}),
        "alternatives": others,
        "metric_weights": of.get("metric", {}),
    }


def _loaded(part: PackPart, place: str) -> dict[str, str]:
    """A backbone as `pack.json` names it."""
    named = {"name": part.name} if part.name else {}
    return {"kind": part.kind, "source": place, "dtype": part.dtype, **named}


def _say_tables(host: Host, parts: Mapping[str, PackPart], there: Mapping[str, str]) -> None:
    """Which presets can be run with what is there, and what the others lack."""
    for name, item in host.presets.items():
        needed = [part for part, said in parts.items() if name in said.tables]
        lacking = [part for part in needed if part not in there]
        if needed:
            state = f"lacks {', '.join(lacking)}" if lacking else "can be run"
            say(f"preset {name}: {state} ({item.card.summary})")
