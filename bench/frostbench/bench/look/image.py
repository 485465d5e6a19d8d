"""Finds the image to look at: a file, or one of the pack's images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from frostbench.plugins.contract.datasets import Browsable
from frostbench.plugins.contract.images import Image, read_as_seen
from frostbench.plugins.host.packs import Pack
from frostbench.plugins.host.registry import Host


@dataclass(frozen=True, eq=False)
class Seen:
    """An image and what it shows, where that is known."""

    image: Image
    title: str


def find_image(name: str, pack: Pack, host: Host) -> Seen:
    """The image in a file, or one of a data set of the pack: "portrait:red apple", "scene:7".

    Raises:
        LookupError: the data set has no such image (the message says which it has), or the path
            is that of no file.
        ValueError: there is no such file, or it is no image.
    """
    path = Path(name)
    if path.exists() and not path.is_file():
        raise LookupError(f"no image at {name}: it is a folder, a pipe or a device.")
    if path.is_file():
        return Seen(read_as_seen(path), path.name)
    own = _browsable(pack, host)
    kind, colon, which = name.partition(":")
    for form, opened in own.items():
        if form.partition(":")[0] == kind and colon:
            return Seen(*opened().find(which.strip()))
    raise ValueError(
        f"no image at {name}. The pack has some of its own: "
        f"{', '.join(own) or 'none that can be named'}."
    )


def _browsable(pack: Pack, host: Host) -> dict[str, Callable[[], Browsable]]:
    """How the pack's images are named, and a function that opens their data set.

    A data set's class says whether it can be browsed, so that none is opened to find out.
    """
    found: dict[str, Callable[[], Browsable]] = {}
    for name, folder in pack.data.items():
        if name in host.datasets:
            kind = host.datasets[name].load()
            opened = partial(kind, folder)
            if isinstance(kind, Browsable):
                found[kind.form] = opened
    return found
