"""Image files as people have them: what their numbers mean, and what is broken around them."""

import warnings

import numpy as np
import pytest
from PIL import Image as Pillow

from frostbench.plugins.contract.images import UnreadableError, read_as_seen, read_image

READERS = (read_image, read_as_seen)
RAMP = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)
EXIF = {
    "no TIFF": b"Exif\0\0garbagegarbage",
    "cut short": b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01",
    "a text for a number": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x01a\0\0\0\0\0\0\0",
    "turned, then broken": b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    b"\x87\x69\0\x04\0\0\0\x01\xff\xff\xff\xff\0\0\0\0",
}


def pnm(kind: str, most: str, levels: np.ndarray) -> bytes:
    return f"{kind}\n64 64\n{most}\n".encode() + levels.tobytes()


@pytest.fixture
def ramps(tmp_path):
    """The same ramp from black to white in whatever holds more than 8 bits a channel."""
    for name in ("ramp.png", "ramp.tif", "ramp.jp2"):
        Pillow.fromarray(RAMP).save(tmp_path / name)
    share = (RAMP / 65535).astype(np.float32)
    Pillow.fromarray(share).save(tmp_path / "float.tif")
    (tmp_path / "ramp.pgm").write_bytes(pnm("P5", "65535", RAMP.astype(">u2")))
    (tmp_path / "ten.pgm").write_bytes(pnm("P5", "1023", (RAMP // 64).astype(">u2")))
    (tmp_path / "ramp.pfm").write_bytes(pnm("Pf", "-1.0", share[::-1].astype("<f4")))
    return tmp_path


@pytest.mark.parametrize("read", READERS)
def test_black_and_white_are_those_of_the_file_whatever_its_depth(ramps, read):
    wanted = np.round(RAMP / 65535 * 255) / 255
    for path in sorted(ramps.iterdir()):
        pixels = read(path).pixels.numpy()
        assert np.abs(pixels - wanted).max() <= 1 / 255 + 1e-6, path.name
        assert abs(float(pixels.mean()) - 0.5) < 1e-3, path.name
        assert (pixels.min(), pixels.max()) == (0, 1), path.name


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (RAMP.astype(np.float32), "0 to 65535"),
        ((RAMP / 65535 - 0.5).astype(np.float32), "-0.5 to 0.5"),
        (np.full((8, 8), np.nan, np.float32), "nan to nan"),
        (np.full((8, 8), np.inf, np.float32), "inf to inf"),
        (RAMP.astype(np.int32), "32 bits"),
    ],
)
def test_numbers_of_which_none_is_white_are_refused(tmp_path, read, levels, said):
    Pillow.fromarray(levels).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableError, match=rf"cannot read the image .*a\.tif: .*{said}"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("broken", EXIF)
def test_what_a_camera_wrote_badly_costs_no_image(tmp_path, broken, suffix):
    path = tmp_path / f"a.{suffix}"
    Pillow.new("RGB", (8, 4), (128, 128, 128)).save(path, exif=EXIF[broken])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = {read(path).size for read in READERS}
    assert seen == ({(4, 8), (8, 4)} if broken.startswith("turned") else {(4, 8)})


def test_what_pillow_tells_its_programmers_is_not_for_the_reader_of_an_image(tmp_path):
    file = Pillow.new("P", (4, 4))
    file.save(tmp_path / "a.png", transparency=b"\x80\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in READERS:
            assert read(tmp_path / "a.png").size == (4, 4)
