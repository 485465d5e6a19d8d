"""Writes the pack's card: what was trained, how, at what cost, and with which results.

`card.json` in the pack holds an entry a part; `CARD.md` is written from it.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frostbench.bench.machine import hardware
from frostbench.plugins.contract.recipe import Recipe, Report, Workshop
from frostbench.plugins.host.texts import read_json


def record(recipe: Recipe, workshop: Workshop, report: Report, command: str) -> None:
    """Write or replace a part's entry in the pack's `card.json`, and `CARD.md` after it."""
    pack = workshop.pack
    path = pack / "card.json"
    card: dict[str, Any] = read_json(path) if path.exists() else {}
    card[recipe.name] = {
        "summary": recipe.summary,
        "command": command,
        "seed": workshop.seed,
        "date": datetime.now(UTC).date().isoformat(),
        "steps": report.steps,
        "seconds": round(report.seconds, 1),
        "hardware": _hardware(workshop.device),
        "figures": dict(report.figures),
        "settings": dict(report.settings),
        "notes": list(report.notes),
        "history": [[step, dict(values)] for step, values in _thin(report.history)],
        "files": {
            str(file.relative_to(pack)): {
                "bytes": file.stat().st_size,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            for file in recipe.files(pack)
        },
    }
    path.write_text(json.dumps(card, indent=1, sort_keys=True, default=str) + "\n")
    (pack / "CARD.md").write_text(render(pack, card))


def render(pack: Path, card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    described = pack / "pack.json"  # a pack in the making may have none yet
    name = read_json(described)["name"] if described.exists() else pack.name
    total = sum(entry["seconds"] for entry in card.values())
    size = sum(file["bytes"] for entry in card.values() for file in entry["files"].values())
    lines = [
        f"# The `{name}` pack",
        "",
        f"{len(card)} parts, {size / 1e6:.1f} MB, {total / 60:.0f} minutes of training in all. "
        "Every part was made by this repository's recipes; the command, settings, losses and "
        "checksums of each stand below and, in full, in `card.json`. The figures say what these "
        "small models do on this pack's own images; they say nothing about the published models.",
        "",
        "| part | made by | steps | minutes | MB |",
        "|---|---|---:|---:|---:|",
    ]
    for part, entry in sorted(card.items()):
        megabytes = sum(file["bytes"] for file in entry["files"].values()) / 1e6
        lines.append(
            f"| {part} | `{entry['command']}` | {entry['steps']:,} | {entry['seconds'] / 60:.1f} "
            f"| {megabytes:.2f} |"
        )
    for part, entry in sorted(card.items()):
        lines += ["", f"## {part}", "", entry["summary"], ""]
        lines.append(f"Made on {entry['date']}, seed {entry['seed']}, on {entry['hardware']}.")
        lines += [f"\n{note}" for note in entry.get("notes", [])]
        if entry["figures"]:
            lines += ["", "| figure | value |", "|---|---:|"]
            lines += [
                f"| {key} | {_number(value)} |" for key, value in sorted(entry["figures"].items())
            ]
        if entry["history"]:
            names = sorted({key for _, values in entry["history"] for key in values})
            lines += ["", "| step | " + " | ".join(names) + " |", "|---:" * (len(names) + 1) + "|"]
            for step, values in entry["history"]:
                cells = [_number(values[key]) if key in values else "" for key in names]
                lines.append(f"| {step} | " + " | ".join(cells) + " |")
        lines += ["", "| file | bytes | sha256 |", "|---|---:|---|"]
        lines += [
            f"| `{file}` | {facts['bytes']:,} | `{facts['sha256'][:16]}` |"
            for file, facts in sorted(entry["files"].items())
        ]
    for sources in sorted(pack.glob("*/README.md")):
        lines += ["", sources.read_text().strip().replace("# ", "## ", 1)]
    return "\n".join(lines) + "\n"


def _hardware(device: str) -> str:
    """The processor and the number of threads that torch uses."""
    import torch

    known = hardware(device)
    name = known.accelerator or known.cpu
    return f"{name}, {torch.get_num_threads()} thread(s), torch {torch.__version__}"


def _thin(history: Any, most: int = 12) -> list[tuple[int, Mapping[str, float]]]:
    """At most `most` points of a curve, evenly spread, the last one always."""
    points = list(history)
    if len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(i * last / (most - 1))] for i in range(most)]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
