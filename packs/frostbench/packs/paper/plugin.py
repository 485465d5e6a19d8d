"""The pack of published weights, and presets of tables; importing this module loads no torch."""

from collections.abc import Iterable
from pathlib import Path

from frostbench.plugins.contract.cards import PackCard, PresetCard
from frostbench.plugins.contract.hooks import hookimpl
from frostbench.plugins.host.remembered import remembered_packs

HERE = Path(__file__).parent
NAME = "paper"


@hookimpl
def frostbench_packs() -> Iterable[PackCard]:
    """Offer the pack of published weights, wherever the user has put it together."""
    return [
        PackCard(
            NAME,
            remembered_packs().get(NAME, ""),
            "the authors' published weights, put together by `frostbench pack paper root=FOLDER`",
            str(HERE / "files.yaml"),
        )
    ]


@hookimpl
def frostbench_presets() -> Iterable[PresetCard]:
    """Offer every file of the folder."""
    return [PresetCard.of(path) for path in sorted((HERE / "presets").glob("*.yaml"))]
