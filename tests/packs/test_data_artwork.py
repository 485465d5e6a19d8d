import hashlib
import json
import re
import subprocess
from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from frostbench.packs.mini.recipes.data.artwork import ArtworkSettings, split, train
from frostbench.packs.mini.recipes.data.font import plain_name
from frostbench.packs.mini.recipes.data.photographs import PHOTOS, write_photos
from frostbench.packs.mini.scenes.glyphs import Glyphs, Pose, compose
from frostbench.packs.mini.scenes.photos import Photos
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

LICENCES = r"(CC0-1.0|CC-BY-(SA-)?[234].0|public domain|OFL-1.1 .*|BSD-3-Clause)$"
DATA = embedded_pack("mini") / "data"


@pytest.fixture(scope="module")
def glyphs() -> Glyphs:
    return Glyphs(DATA)


def test_every_class_is_in_one_split_and_families_are_not_parted(glyphs):
    names = [glyph.name for glyph in glyphs.all]
    assert len(set(names)) == len(names) > 1000
    splits = defaultdict(set)
    for glyph in glyphs.all:
        splits[glyph.family].add(glyph.split)
    assert all(len(of_family) == 1 for of_family in splits.values())
    parts = [len(glyphs.names(part)) / len(names) for part in ("base", "validation", "novel")]
    assert parts == pytest.approx([0.8, 0.08, 0.12], abs=0.01)


def test_names_are_lower_case_words(glyphs):
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", glyph.name) for glyph in glyphs.all)


def test_no_photograph_is_in_two_splits_and_each_split_has_a_coloured_one():
    photos = Photos(DATA, 64)
    assert len({photo.name for photo in photos.all}) == len(photos.all) == len(PHOTOS)
    for part in ("train", "validation", "test"):
        spread = [photo.levels[0].astype(int).std(axis=2).mean() for photo in photos.of(part)]
        assert max(spread) > 5
    assert len(photos.of("test")) >= 24


def test_what_was_trained_on_stays_what_it_was():
    # The weights of the pack are of these photographs, in this order.
    photos = [photo for photo in PHOTOS if photo.split != "test"]
    files = [(p.name, p.split, (DATA / f"photos/{p.name}.webp").read_bytes()) for p in photos]
    kept = [(name, split, hashlib.sha256(image).hexdigest()) for name, split, image in files]
    assert (
        hashlib.sha256(repr(kept).encode()).hexdigest()
        == "046985b713383adb30fa30b2f3171e195ec9fe00b16d2b5e224f13d1c5ad351d"
    )


def test_test_photographs_are_of_files_of_their_own():
    photos = json.loads((DATA / "sources.json").read_text())["photographs"]
    for key in ("sha256", "file"):
        assert len({(photo["package"], photo[key]) for photo in photos}) == len(photos)
    small = {photo.name: np.asarray(_thumbnail(photo.levels[0])) for photo in Photos(DATA, 64).all}
    for one, other in combinations(small.values(), 2):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.95


def _thumbnail(pixels):
    return Image.fromarray(pixels).convert("L").resize((16, 16))


def test_a_package_that_is_not_there_or_carries_another_image_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"apt-get download lomiri-wallpapers-16.04=20.04"):
        write_photos(tmp_path, tmp_path, 32, 50)
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: lomiri-wallpapers-16.04\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: other images\n"
    )
    package = tmp_path / "lomiri-wallpapers-16.04_1_all.deb"
    for match in ("holds no file usr/share/backgrounds/", "is another image than that of version"):
        subprocess.run(["dpkg-deb", "--build", tree, package], check=True, capture_output=True)
        with pytest.raises((FileNotFoundError, ValueError), match=match):
            write_photos(tmp_path, tmp_path, 32, 50)
        for photo in PHOTOS:
            (tree / photo.file).parent.mkdir(parents=True, exist_ok=True)
            (tree / photo.file).write_bytes(b"another")


def test_every_image_has_a_licence_and_a_source_and_the_fonts_licence_is_there():
    sources = json.loads((DATA / "sources.json").read_text())
    assert {photo["name"] for photo in sources["photographs"]} == {
        path.stem for path in (DATA / "photos").iterdir()
    }
    for entry in [sources["glyphs"], sources["names"], *sources["photographs"]]:
        assert re.match(LICENCES, entry["licence"])
        assert entry["source"]
    card = (DATA / "README.md").read_text()
    for photo in sources["photographs"]:
        assert f"| {photo['name']} | {photo['split']} | {photo['author']} | " in card
        assert photo["licence"] in card
    assert "SIL OPEN FONT LICENSE" in (DATA / "OFL.txt").read_text()


def test_the_data_stay_below_ten_megabytes():
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 10e6


def test_a_glyph_drawn_upright_at_its_stored_size_is_the_artwork_itself(glyphs):
    sheet = Image.open(DATA / "glyphs.webp").convert("RGBA").crop((0, 0, 56, 56)).convert("RGBa")
    drawn = glyphs.draw(glyphs.all[0].name, Pose(32.0, 32.0, 56.0), 64)
    assert np.array_equal(drawn[4:60, 4:60], np.asarray(sheet))
    assert drawn[:4].max() == drawn[60:].max() == 0


def test_a_glyph_lies_where_its_pose_says(glyphs):
    square = glyphs.draw("dvd", Pose(20.0, 40.0, 16.0), 64)[..., 3]
    rows, columns = np.nonzero(square > 127)
    assert columns.mean() + 0.5 == pytest.approx(20, abs=1)
    assert rows.mean() + 0.5 == pytest.approx(40, abs=1)
    assert np.ptp(columns) == pytest.approx(16, abs=2)


def test_positive_angles_turn_anticlockwise(glyphs):
    upright = glyphs.draw("pencil", Pose(32.0, 32.0, 40.0), 64).astype(int)
    turned = glyphs.draw("pencil", Pose(32.0, 32.0, 40.0, 90.0), 64).astype(int)
    assert np.abs(np.rot90(upright) - turned).mean() < 0.1 * upright.mean()


def test_composing_follows_the_over_rule():
    canvas = np.full((1, 3, 3), 200, dtype=np.uint8)
    layer = np.array([[[0, 0, 0, 0], [100, 50, 0, 255], [60, 0, 0, 128]]], dtype=np.uint8)
    expected = [[200, 200, 200], [100, 50, 0], [60 + 100, 100, 100]]
    assert compose(canvas, layer)[0].tolist() == expected


def test_a_class_that_is_not_there_and_a_folder_without_data_are_said_to_be_so(glyphs, tmp_path):
    with pytest.raises(LookupError, match="no glyph is called 'grue'"):
        glyphs.draw("grue", Pose(32.0, 32.0, 40.0), 64)
    with pytest.raises(FileNotFoundError, match="recipe 'data'"):
        Glyphs(tmp_path)


@pytest.mark.parametrize(
    ("entry", "name"),
    [(":Statue_of_Liberty:", "statue of liberty"), (":keycap_10:", ""), (":T-Rex:", "t rex")],
)
def test_emoji_names_become_plain_words_or_nothing(entry, name):
    assert plain_name(entry) == name


def test_large_families_are_base_and_the_split_follows_the_seed():
    families = {f"{family} {member}": family for family in range(50) for member in range(2)}
    families |= dict.fromkeys((f"face {member}" for member in range(9)), 99)
    first, again, other = (split(families, ArtworkSettings(), seed) for seed in (0, 0, 1))
    assert first == again != other
    assert {first[f"face {member}"] for member in range(9)} == {"base"}
    assert sum(part == "novel" for part in first.values()) == pytest.approx(13, abs=1)


def test_another_pack_takes_the_embedded_one_s_classes_and_photographs_for_larger_images(tmp_path):
    settings = {"embedded": "true", "side": "128"}
    report = train(Workshop(tmp_path, tmp_path / "scratch", settings=settings))
    scenes, own = Scenes(tmp_path / "data"), Glyphs(DATA)
    assert scenes.scene("novel", 0, 0).pixels.shape == (128, 128, 3)
    assert scenes.glyphs.all == own.all
    assert report.figures["classes"] == len(own.all)
    assert report.figures["photographs"] == len(PHOTOS)
    larger = {**settings, "glyph_size": "112", "font": str(tmp_path / "none.ttf")}
    with pytest.raises(FileNotFoundError, match="no font at"):
        train(Workshop(tmp_path / "other", tmp_path, settings=larger))
