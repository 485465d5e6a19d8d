"""Images before and after a degradation that somebody else made: two folders, or LM4LV's list."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from frostbench.eval_suites.data.annotations import (
    entries,
    inside,
    read_json,
    require,
    taken,
    text_of,
)
from frostbench.eval_suites.data.folder import Reading, WholeImageSettings, images_below
from frostbench.eval_suites.data.samples import Read
from frostbench.plugins.contract.datasets import ImagePair
from frostbench.plugins.contract.images import UnreadableError

NAMED = 5  # images without a partner that an error names


@dataclass(frozen=True)
class PairSettings(WholeImageSettings):
    """Where pairs lie. Images are not resized, which would change what is to be restored.

    Attributes:
        degraded: The folder of the degraded images.
        clean: The folder of the clean ones.
        index: A JSON list in LM4LV's form; where it exists, it counts.
        root: What absolute paths in the list begin with; the data set's folder takes its place.
    """

    degraded: str = "input"
    clean: str = "target"
    index: str = "pairs.json"
    root: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.degraded == self.clean:
            raise ValueError(
                f"degraded and clean images lie in two folders, not in {self.clean!r} both."
            )


@dataclass(frozen=True)
class _Paths:
    """The files of a pair, within the folder."""

    id: str
    degraded: str
    clean: str


class FiledPairs:
    """Degraded images and the clean ones.

    The folder holds them in `input/` and `target/`, under the same names except for the suffix, or
    has a `pairs.json`, a list in LM4LV's form: entries {"image": [DEGRADED, CLEAN],
    "conversations": [...]}, whose paths lie within the folder. Pairs of one clean image are one
    cluster.

    Raises:
        ValueError: images have no partner, or the list is broken; the message names them.
    """

    settings = PairSettings

    def __init__(self, folder: Path, settings: PairSettings | None = None) -> None:
        chosen = settings or PairSettings()
        self._reading = Reading(folder, chosen)
        path = inside(folder, chosen.index, "the setting `index`")
        self._listed = (
            _of_list(folder, path, chosen.root) if path.is_file() else _of_folders(folder, chosen)
        )

    def pairs(self) -> Sequence[Any]:
        """The pairs in natural order, or in that of the list."""
        return Read([self._maker(paths) for paths in self._listed])

    def _maker(self, paths: _Paths) -> Callable[[], ImagePair]:
        def pair() -> ImagePair:
            degraded, clean = map(self._reading.whole, (paths.degraded, paths.clean))
            if degraded.size != clean.size:
                raise UnreadableError(
                    f"{paths.degraded} is {degraded.size} and {paths.clean} {clean.size} (height, "
                    "width): a pair is of one size."
                )
            fitted = self._reading.fitted
            return ImagePair(paths.id, fitted(degraded), fitted(clean), paths.clean)

        return pair


def _of_folders(folder: Path, chosen: PairSettings) -> list[_Paths]:
    names = (chosen.degraded, chosen.clean)
    for name in names:
        inside(folder, name, "a setting of the pairs")
    require(folder, names, f"a set of pairs without {chosen.index}")
    before, after = (_by_stem(folder, name) for name in names)
    lonely = [*_lonely(names, before, after), *_lonely(names[::-1], after, before)]
    if lonely:
        raise ValueError(f"{folder} has images that are in no pair: {'; '.join(lonely)}.")
    if not before:
        raise ValueError(f"{folder} has no image in {names[0]} and in {names[1]}.")
    return [
        _Paths(stem, f"{names[0]}/{file}", f"{names[1]}/{after[stem]}")
        for stem, file in before.items()
    ]


def _lonely(
    names: tuple[str, str], own: Mapping[str, str], other: Mapping[str, str]
) -> Iterator[str]:
    """A clause about the first folder's images that the second lacks, if any."""
    left = [file for stem, file in own.items() if stem not in other]
    if left:
        more = " and others" if len(left) > NAMED else ""
        said = f"{', '.join(left[:NAMED])}{more} in {names[0]}"
        yield f"{said} without one of the same name in {names[1]}"


def _by_stem(folder: Path, name: str) -> Mapping[str, str]:
    """Image files below a folder by their paths without the suffix, in natural order."""
    files: dict[str, str] = {}
    for file in images_below(folder / name):
        stem = PurePosixPath(file).with_suffix("").as_posix()
        if stem in files:
            raise ValueError(f"{folder / name} holds {files[stem]} and {file}: which is it?")
        files[stem] = file
    return files


def _of_list(folder: Path, path: Path, root: str) -> list[_Paths]:
    """Entries {"image": [degraded, clean], "conversations": [...]}, as LM4LV's code reads them."""
    listed = []
    for number, (where, entry) in enumerate(entries(str(path), read_json(path))):
        for place, said in entries(
            f"{where}, conversations", taken(where, entry, "conversations", list)
        ):
            # The published example has the key "from", its description "role".
            by = "from" if isinstance(said, dict) and "from" in said else "role"
            text_of(taken(place, said, by, str), "speaker", place)
        images = taken(where, entry, "image", list)
        if len(images) != 2:
            raise ValueError(f"{where} has {len(images)} images; a pair is degraded and clean.")
        files = [_within(folder, root, text_of(name, "image", where), where) for name in images]
        listed.append(_Paths(f"{number:05d}", *files))
    if not listed:
        raise ValueError(f"{path} has no entries.")
    return listed


def _within(folder: Path, root: str, name: str, where: str) -> str:
    """A path of the list, within the folder."""
    tops = [Path(root)] * bool(root) + [folder.absolute(), folder.resolve()]
    top = next((top for top in tops if Path(name).is_relative_to(top)), None)
    if top is None and Path(name).is_absolute():
        raise ValueError(
            f"{where} names {name[:200]!r}, which leads out of {folder}; `root` says what absolute "
            "paths begin with that are meant to lie in it."
        )
    own = name if top is None else Path(name).relative_to(top).as_posix()
    inside(folder, own, where)
    return own
