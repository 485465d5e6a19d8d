"""Images of published sets are the bytes that their evaluations read."""

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from frostbench.eval_suites.data.imagenet import ImageNetVal
from frostbench.eval_suites.data.opencv import interpolated

ROWS, COLUMNS = torch.arange(5)[:, None], torch.arange(7)
PATTERN = ((37 * COLUMNS + 61 * ROWS + 13 * COLUMNS * ROWS) % 256).to(torch.uint8)
# cv2.resize(pattern, (columns, rows)) of OpenCV 4.10.0 and 5.0.0.
SMALLER = [[36, 108, 106, 167], [146, 224, 110, 220], [159, 148, 146, 81]]
LARGER = [
    [0, 17, 40, 64, 87, 111, 134, 158, 182, 205, 222],
    [27, 46, 73, 100, 127, 155, 110, 97, 124, 151, 171],
    [65, 88, 120, 152, 179, 201, 81, 26, 58, 90, 114],
    [103, 130, 167, 205, 178, 104, 90, 99, 136, 174, 201],
    [141, 135, 134, 177, 155, 86, 129, 150, 142, 177, 207],
    [179, 104, 21, 69, 111, 149, 196, 179, 74, 100, 134],
    [217, 139, 52, 105, 158, 211, 172, 143, 124, 89, 61],
    [244, 168, 85, 142, 198, 255, 149, 112, 169, 86, 10],
]


@pytest.mark.parametrize("wanted", [SMALLER, LARGER])
def test_images_are_resized_as_opencv_does(wanted):
    given = interpolated(PATTERN.expand(3, -1, -1), len(wanted), len(wanted[0]))
    assert given[1].tolist() == wanted


def test_an_image_of_imagenet_is_not_turned_as_its_camera_says(tmp_path):
    folder = tmp_path / "val" / "n01440764"
    folder.mkdir(parents=True)
    file = Pillow.fromarray(np.tile(np.arange(64, dtype=np.uint8), (48, 1)))
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turned by a quarter
    file.save(folder / "one.png", exif=exif)
    (said,) = [ImageNetVal(tmp_path).cornered().get(0, 0).image]
    settings = ImageNetVal.settings(side=0)
    assert ImageNetVal(tmp_path, settings).get(0, 0).image.size == (48, 64)
    assert said.pixels[0, 0, 0] < said.pixels[0, 0, -1]
