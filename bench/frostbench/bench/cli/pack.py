"""`frostbench pack`: put a pack together from published files that a user holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import (
    PluginConfig,
    UsageError,
    cache_folder,
    read_config,
    split_words,
)
from frostbench.bench.cli.convert import convert_files
from frostbench.bench.cli.fetch import fetch_parts, origin_of
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.cli.pack_parts import CONVERTED, PackPart, read_parts
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import complain, say
from frostbench.bench.store.hashes import Hashes
from frostbench.plugins.contract.cards import PackCard
from frostbench.plugins.host.registry import Host
from frostbench.plugins.host.remembered import remember_pack

PACK = "pack.json"


@dataclass(frozen=True)
class PackConfig(PluginConfig):
    """Keys of `frostbench pack NAME`."""

    root: str = field(default="", metadata=PATH)  # the folder below which published files lie
    fetch: bool = False  # download what is missing and can be had
    yes: bool = False  # without asking


def pack_command(words: list[str]) -> int:
    """Say what is there and what is missing, convert what is there, and write `pack.json`.

    1 where a part that is there cannot be converted, or one cannot be downloaded; the others are in
    the pack all the same.
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
        if config.fetch:
            raise UsageError(f"download where? frostbench pack {card.name} root=FOLDER fetch=true.")
        _say_wanted(card, parts)
        return 0
    root = Path(config.root).resolve()
    got = not config.fetch or fetch_parts(parts, root, agreed=config.yes)
    if not root.is_dir():
        raise UsageError(f"root={config.root}: there is no such folder.")
    hashes = Hashes(cache_folder("hashes"))
    for name, part in parts.items():
        _check_published(name, part, root, hashes)
    failed: list[str] = []
    made = {name: _gather(name, part, root, host, failed) for name, part in parts.items()}
    there = {name: place for name, place in made.items() if place is not None}
    (root / PACK).write_text(json.dumps(_pack(card, parts, root, there), indent=2) + "\n")
    remember_pack(card.name, root)
    _say_tables(host, parts, there)
    say(f"{root / PACK} names {len(there)} of {len(parts)} parts; frostbench run pack={card.name}")
    return 0 if got and not failed else 1


def _say_wanted(card: PackCard, parts: Mapping[str, PackPart]) -> None:
    say(f"{card.name}: {card.summary}")
    for name, part in parts.items():
        say(f"{part.role} {name}: {part.source} ({part.licence})")
        for places in part.files.values():
            say(f"  {' or '.join(places)}")
        for file, facts in part.published.items():
            known = [f"{facts.size} bytes"] if facts.size else []
            known += [f"SHA-256 {facts.sha256}"] if facts.sha256 else []
            say(f"  {file}: {', '.join([*known, facts.url] if facts.url else known)}")
    say(f"Put what you hold below one folder: frostbench pack {card.name} root=FOLDER")


def _gather(name: str, part: PackPart, root: Path, host: Host, failed: list[str]) -> str | None:
    """The path of a part below the root, converted if necessary; None where files are missing.

    The name of a part that cannot be made joins those that `failed`.
    """
    own = root / CONVERTED / name
    if part.converted(root, own):
        say(f"{name}: there, converted before")
        return own.relative_to(root).as_posix()
    found, missing = part.found(root), part.missing(root)
    if missing:
        wanted = "; ".join(" or ".join(places) for places in missing)
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


def _check_published(name: str, part: PackPart, root: Path, hashes: Hashes) -> None:
    """Report files that differ from those that their authors published.

    They are not left out: a user may have trained a model further.
    """
    for path, facts in part.facts(root).items():
        size = path.stat().st_size
        if facts.size and size != facts.size:
            found, wanted = f"{size} bytes", f"{facts.size} bytes"
        elif facts.sha256:
            found, wanted = f"SHA-256 {hashes.of_file(path)}", f"SHA-256 {facts.sha256}"
        else:
            continue
        if found != wanted:
            where = path.relative_to(root)
            complain(
                f"frostbench: {name}: {where} is not the file that was published: it has {found}, "
                f"and {wanted} is expected."
            )


def _pack(
    card: PackCard, parts: Mapping[str, PackPart], root: Path, there: Mapping[str, str]
) -> dict[str, Any]:
    """The entries of `pack.json` for the parts that are there."""
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
        "origins": {
            name: origin
            for name in there
            for path in parts[name].found(root).values()
            if (origin := origin_of(path))
        },
    }


def _loaded(part: PackPart, place: str) -> dict[str, str]:
    """A backbone as `pack.json` names it."""
    named = {"name": part.name} if part.name else {}
    return {"kind": part.kind, "source": place, "dtype": part.dtype, **named}


def _say_tables(host: Host, parts: Mapping[str, PackPart], there: Mapping[str, str]) -> None:
    """Print which presets can be run with these parts, and what the others lack."""
    for name, item in host.presets.items():
        needed = [part for part, said in parts.items() if name in said.tables]
        lacking = [part for part in needed if part not in there]
        if needed:
            state = f"lacks {', '.join(lacking)}" if lacking else "can be run"
            say(f"preset {name}: {state} ({item.card.summary})")
