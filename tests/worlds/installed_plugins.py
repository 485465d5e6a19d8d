"""Packages as pip leaves them: a module beside a `.dist-info` folder with entry points."""

from pathlib import Path

HOOK = "from frostbench.plugins.contract.hooks import hookimpl\n"
OFFERING = (
    HOOK
    + """
from frostbench.plugins.contract.cards import Card, Offer

@hookimpl
def frostbench_methods():
    return [Offer(Card(name="{name}", paper="none: a test"), "json:JSONDecoder")]
"""
)


def offering(name: str) -> str:
    """The code of a plugin that offers a method."""
    return OFFERING.format(name=name)


def install(folder: Path, plugin: str, code: str, version: str = "1.0", module: str = "") -> Path:
    """Write a package whose module is the plugin; the folder is to be on the path.

    Modules are called differently in each folder, so that none is taken for another's.
    """
    module = module or f"{plugin}_of_{folder.parent.name}_{folder.name}".replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{plugin.replace('-', '_')}_package-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {plugin}-package\nVersion: {version}\n"
    )
    (info / "entry_points.txt").write_text(f"[frostbench]\n{plugin} = {module}\n")
    return info
