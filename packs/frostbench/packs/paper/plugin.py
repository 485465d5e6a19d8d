"""Presets of published tables; importing this module loads no torch."""

from collections.abc import Iterable
from pathlib import Path

from frostbench.plugins.contract.cards import PresetCard
from frostbench.plugins.contract.hooks import hookimpl

FOLDER = Path(__file__).parent / "presets"


@hookimpl
def frostbench_presets() -> Iterable[PresetCard]:
    """Offer every file of the folder; its first comment says which table it gives."""
    for path in sorted(FOLDER.glob("*.yaml")):
        with path.open(encoding="utf-8") as lines:
            summary = next(lines).removeprefix("#").strip()
        yield PresetCard(path.stem, str(path), summary)
