import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image as Pillow
from skimage.transform import resize
from torchvision import transforms

from frostbench.eval_suites.data.apart import Examples, apart
from frostbench.eval_suites.data.folder import FolderImages, ImageSettings, squared
from frostbench.eval_suites.restoration.cases import CleanImages
from frostbench.eval_suites.restoration.settings import ShiftSettings
from frostbench.eval_suites.restoration.tasks import Shift
from frostbench.plugins.contract.datasets import ImageSet, Widening
from frostbench.plugins.contract.images import Image, to_pillow


@pytest.fixture
def folder(tmp_path):
    """Images of ten kinds, nested, beside files that are none."""
    one = picture()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    one.save(tmp_path / "IMG10.png")
    one.save(tmp_path / "IMG2.JPG")
    one.convert("L").save(tmp_path / "deep" / "grey.webp")
    one.convert("P").save(tmp_path / "deep" / "palette.png")
    one.convert("CMYK").save(tmp_path / "deep" / "er" / "cmyk.tif")
    deep = Pillow.fromarray(np.asarray(one.convert("L")).astype(np.uint16) * 257)
    deep.save(tmp_path / "deep" / "sixteen.png")
    one.save(tmp_path / "deep" / "er" / "x.bmp")
    turned = Pillow.Exif()
    turned[0x0112] = 6
    one.rotate(90, expand=True).save(tmp_path / "turned.png", exif=turned)
    for name in ("notes.txt", ".hidden.png", "deep/captions.csv"):
        (tmp_path / name).write_text("x")
    return tmp_path


def test_a_folder_of_any_images_is_a_set_in_natural_order(folder):
    images = FolderImages(folder, ImageSettings(side=0))
    assert isinstance(images, ImageSet)
    assert isinstance(images, Widening)
    names = [images.get(0, index).image.name for index in range(images.size)]
    assert names == [
        "deep/er/cmyk.tif",
        "deep/er/x.bmp",
        "deep/grey.webp",
        "deep/palette.png",
        "deep/sixteen.png",
        "IMG2.JPG",
        "IMG10.png",
        "turned.png",
    ]
    assert [images.get(1, index).cluster for index in range(images.size)] == names


def test_every_format_shows_the_same_image(folder):
    images = FolderImages(folder, ImageSettings(side=0))
    wanted = torch.from_numpy(np.array(picture())).permute(2, 0, 1) / 255
    grey = torch.from_numpy(np.array(picture().convert("L"))) / 255
    for index in range(images.size):
        image = images.get(0, index).image
        lossy = 0.12 if image.name.endswith(("JPG", "webp", "palette.png", "tif")) else 2 / 255
        right = grey if image.name.startswith(("deep/grey", "deep/sixteen")) else wanted
        assert image.size == (30, 40)
        assert (image.pixels - right).abs().mean() <= lossy, image.name


@pytest.mark.parametrize("size", [(40, 30), (31, 77), (64, 64), (301, 200), (50, 51)])
@pytest.mark.parametrize("side", [16, 32, 64])
def test_images_are_resized_and_cropped_as_torchvision_does(size, side):
    file = picture(*size)
    pixels = torch.from_numpy(np.array(file)).permute(2, 0, 1).float() / 255
    given = squared(Image(pixels, "x"), side)
    wanted = transforms.Compose([transforms.Resize(side), transforms.CenterCrop(side)])(file)
    assert np.array_equal(np.asarray(to_pillow(given.pixels)), np.asarray(wanted))


@pytest.mark.parametrize("size", [(40, 30), (31, 77), (64, 64), (301, 200), (50, 51)])
def test_without_antialiasing_images_are_interpolated_between_four_pixels(size):
    file = np.array(picture(*size))
    pixels = torch.from_numpy(file).permute(2, 0, 1).float() / 255
    given = squared(Image(pixels, "x"), 32, antialias=False)
    height, width = file.shape[:2]
    rows, columns = (round(32 * length / min(height, width)) for length in (height, width))
    whole = resize(file / 255, (rows, columns), order=1, anti_aliasing=False, mode="edge")
    top, left = (rows - 32) // 2, (columns - 32) // 2
    wanted = torch.from_numpy(whole[top : top + 32, left : left + 32]).permute(2, 0, 1)
    assert (given.pixels - wanted).abs().max() <= 0.8 / 255  # whole numbers; see test_data_opencv


def test_the_whole_image_is_kept_where_it_is_asked_for(folder):
    plain, kept = (
        FolderImages(folder, ImageSettings(side=16, whole=whole)).get(0, 1).image
        for whole in (False, True)
    )
    assert plain.whole is None
    assert kept.whole.shape == (3, 30, 40)
    assert torch.equal(plain.pixels, kept.pixels)
    assert plain != kept


def test_more_around_an_image_is_cut_from_a_larger_resize(folder):
    images = FolderImages(folder, ImageSettings(side=16))
    image, wider = images.get(0, 6).image, images.wider(4).get(0, 6).image
    assert image.size == (16, 16)
    assert wider.size == (24, 24)
    with pytest.raises(ValueError, match="set a side"):
        FolderImages(folder, ImageSettings(side=0)).wider(4)


@pytest.mark.parametrize(("size", "moved"), [((400, 300), (0, 21)), ((300, 400), (21, 0))])
def test_shift_to_the_corner_is_by_the_shape_of_the_image(tmp_path, size, moved):
    """V2L's eval_denoising_generation.py: shorter side to 128, then the bottom right is cut out."""
    for number in range(2):
        picture(*size, seed=number).save(tmp_path / f"{number}.png")
    images = FolderImages(tmp_path, ImageSettings(side=128))
    settings = ShiftSettings(to_corner=True, others=1, protocols=("held_out_context",))
    (asked,) = Shift(Shift.suited(settings, images)).instances(images, 5, seed=0)
    down, right = moved
    assert torch.equal(
        asked.request.image.pixels[:, : 128 - down, : 128 - right],
        asked.target.pixels[:, down:, right:],
    )
    assert asked.target == images.get(0, 0).image


def test_a_square_image_has_no_other_corner(tmp_path):
    picture(50, 50).save(tmp_path / "0.png")
    images = FolderImages(tmp_path, ImageSettings(side=16))
    assert images.cornered().get(0, 0).image == images.get(0, 0).image


@pytest.mark.parametrize("to_corner", [False, True])
def test_shift_says_before_the_run_what_it_needs(folder, to_corner):
    settings = ShiftSettings(to_corner=to_corner)
    whole = FolderImages(folder, ImageSettings(side=0))
    with pytest.raises(ValueError, match=r"left as they are have no.*; set a side"):
        Shift.suited(settings, whole)
    with pytest.raises(ValueError, match=r"shift .*needs"):
        Shift.suited(settings, CleanImages([]))


def test_a_folder_without_images_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"holds no image; read are .bmp, .jpeg, .jpg"):
        FolderImages(tmp_path)
    with pytest.raises(ValueError, match="is no folder of images"):
        FolderImages(tmp_path / "notes.txt")


def test_a_link_that_leads_around_ends(folder):
    (folder / "deep" / "back").symlink_to(folder)
    assert FolderImages(folder).size == 8


@pytest.mark.parametrize("size", [4, 5, 9, 10, 100])
def test_what_is_an_example_is_never_asked(size):
    queries, pool = apart(size, pool=8, needed=3)
    assert not set(queries) & set(pool)
    assert sorted((*queries, *pool)) == list(range(size))
    assert len(pool) >= 3
    assert len(pool) <= max(3, size // 3)


def test_a_set_without_an_image_to_ask_is_refused():
    with pytest.raises(ValueError, match="the data set has 3, and at least 4 are needed"):
        apart(3, pool=8, needed=3)


class Sample:
    def __init__(self, number):
        self.number, self.cluster = number, f"image {number // 2}"


def test_examples_are_of_other_images_than_the_query():
    shown = Examples([Sample(number) for number in range(9)], pool=8, needed=2)
    for number in shown.queries:
        query = shown.samples[number]
        examples = shown.of(query, seed=number)
        assert len(examples) == 2
        assert query.cluster not in {example.cluster for example in examples}
        assert [e.number for e in examples] == [e.number for e in shown.of(query, seed=number)]
