"""Where a user keeps packs that were put together on this machine."""

import json
import os
from pathlib import Path


def remember_pack(name: str, folder: Path) -> None:
    """Let `pack=NAME` mean a folder from now on, for this user.

    Raises:
        ValueError: the user has no home folder.
    """
    path = _file()
    if path is None:
        raise ValueError(
            "there is no home folder to remember packs in; set HOME or XDG_CONFIG_HOME."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    known = remembered_packs() | {name: str(folder)}
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    new.replace(path)


def remembered_packs() -> dict[str, str]:
    """Folders of packs by name; empty where nothing was remembered, or it cannot be read."""
    path = _file()
    try:
        known = {} if path is None else json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return (
        {str(name): str(folder) for name, folder in known.items()}
        if isinstance(known, dict)
        else {}
    )


def _file() -> Path | None:
    """The file that holds them; None where a user has no home folder."""
    try:
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    except RuntimeError:
        return None
    return Path(home) / "frostbench" / "packs.json"
