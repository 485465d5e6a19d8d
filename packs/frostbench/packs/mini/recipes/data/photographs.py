"""Photographs that Python wheels and Debian packages carry, with their licences.

`photographs.json` names each: the package and file that carry it, the file's SHA-256, its author
and licence. Python packages state a licence in their documentation, Debian packages in
`debian/copyright` or beside the file. Left out are photographs without a stated licence (moon,
page, color, logo, lfw_subset, motorcycle of scikit-image; ihc and coins have only "no known
copyright restrictions") or with contradicting ones (plasma-workspace-wallpapers), those under a
program's licence, those of persons, and those that show too little to be a background (cell,
microaneurysms, horse).
"""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from PIL import Image


@dataclass(frozen=True)
class PhotoSource:
    """A photograph, the package that carries it, and on what terms it may be passed on.

    `cut` is the share of the width that is left out on each side.
    """

    name: str
    split: str
    package: str
    version: str
    file: str
    sha256: str
    licence: str
    author: str
    source: str
    cut: float = 0.0


_WHEELS = {"scikit-image": ("skimage", "data"), "scikit-learn": ("sklearn", "datasets/images")}

PHOTOS = tuple(
    PhotoSource(**entry)
    for entry in json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
)


def write_photos(folder: Path, debian: Path, side: int, quality: int) -> None:
    """Write every photograph as WebP, with a shorter side of at most `side` pixels.

    `debian` is the folder of the Debian packages (`.deb`) that carry some.

    Raises:
        FileNotFoundError: a package that carries one is not there.
        ValueError: a package carries another image under the name.
    """
    for photo, content in list(_contents(debian)):  # nothing is written unless all are there
        image = Image.open(io.BytesIO(content)).convert("RGB")
        cut = round(image.width * photo.cut)
        image = image.crop((cut, cut, image.width - cut, image.height - cut))
        scale = min(1.0, side / min(image.size))
        size = (round(image.width * scale), round(image.height * scale))
        small = image.resize(size, Image.Resampling.LANCZOS)
        small.save(folder / f"{photo.name}.webp", quality=quality, method=6)


def _contents(debian: Path) -> Iterator[tuple[PhotoSource, bytes]]:
    """Each photograph with its file, which is the one whose licence is known."""
    for package in dict.fromkeys(photo.package for photo in PHOTOS):
        photos = [photo for photo in PHOTOS if photo.package == package]
        if package in _WHEELS:
            files = {photo.file: (_wheel(package) / photo.file).read_bytes() for photo in photos}
        else:
            files = _unpacked(_debian(photos[0], debian), [photo.file for photo in photos])
        for photo in photos:
            found = hashlib.sha256(files[photo.file]).hexdigest()
            if found != photo.sha256:
                raise ValueError(
                    f"{photo.file} of {photo.package} is another image than that of version "
                    f"{photo.version}, whose licence is known: its SHA-256 is {found}, not "
                    f"{photo.sha256}."
                )
            yield photo, files[photo.file]


def _wheel(distribution: str) -> Path:
    """Where a Python package keeps its images."""
    package, folder = _WHEELS[distribution]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"the photographs of {distribution} are wanted, and it is not installed; "
            "install frostbench[train]."
        )
    return Path(spec.origin).parent / folder


def _debian(photo: PhotoSource, folder: Path) -> Path:
    """The Debian package of a photograph, in the folder where they were put."""
    for path in sorted(folder.glob(f"{photo.package}_*.deb")):
        return path
    raise FileNotFoundError(
        f"the photographs of the Debian package {photo.package} are wanted, and it is not in "
        f"{folder}; put it there with `apt-get download {photo.package}={photo.version}`, or say "
        "where it is with recipe.data.debian=FOLDER."
    )


def _unpacked(package: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The contents of some files of a Debian package."""
    if which("dpkg-deb") is None:
        raise FileNotFoundError(f"dpkg-deb, which unpacks {package.name}, is not installed.")
    packed = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(package)], check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        held = {member.name.removeprefix("./"): member for member in archive if member.isreg()}
        if gone := [name for name in names if name not in held]:
            raise FileNotFoundError(f"{package} holds no file {', '.join(gone)}.")
        found = {name: archive.extractfile(held[name]) for name in names}
        return {name: file.read() for name, file in found.items() if file is not None}
