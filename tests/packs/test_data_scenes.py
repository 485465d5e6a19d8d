import hashlib
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from frostbench.packs.mini.scenes.datasets import (
    GlyphPortraits,
    GlyphScenes,
    KnownGlyphScenes,
    PhotoCrops,
    RestorationImages,
)
from frostbench.packs.mini.scenes.scenes import PHOTO_SPLIT, Scenes, SceneSettings
from frostbench.packs.mini.scenes.training_images import MiniImages
from frostbench.packs.mini.scenes.wording import (
    NUMBERS,
    PLACES,
    caption_of,
    captions_of,
    place,
    with_article,
)
from frostbench.plugins.contract.datasets import Browsable, ImageSet, LabelSet
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.host.packs import embedded_pack

DATA = embedded_pack("mini") / "data"
SCENES = Scenes(DATA)
SPLITS = st.sampled_from(["base", "validation", "novel"])
SEEDS = st.integers(0, 2**31)


@settings(max_examples=60)
@given(split=SPLITS, seed=SEEDS, count=st.integers(1, 4))
def test_a_scene_agrees_with_itself(split, seed, count):
    scene = SCENES.scene(split, seed, 0, count)
    assert scene.pixels.shape == (64, 64, 3)
    assert len(scene.placed) == count
    covered = np.zeros((64, 64), dtype=int)
    for glyph in scene.placed:
        rows, columns = np.nonzero(glyph.mask.numpy())
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert glyph.box == edges
        assert glyph.place == place(glyph.box, 64)
        phrase = scene.caption[glyph.start : glyph.end]
        assert phrase == f"{with_article(glyph.name)} {glyph.place}"
        covered += glyph.mask.numpy()
    assert covered.max() == 1
    assert len({(glyph.name, glyph.place) for glyph in scene.placed}) == count


@settings(max_examples=60)
@given(split=SPLITS, seed=SEEDS)
def test_answers_are_those_that_the_glyphs_give(split, seed):
    scene = SCENES.scene(split, seed, 1)
    for question in scene.questions:
        match question.kind:
            case "what":
                shown = [g.name for g in scene.placed if f"what is {g.place}?" == question.text]
                assert shown == [question.answers[0]]
            case "where":
                at = [g.place for g in scene.placed if f"where is the {g.name}?" == question.text]
                assert at == [question.answers[0]]
            case "whether":
                shown = {f"is there {with_article(name)}?" for name in scene.names}
                assert question.answers == ("yes" if question.text in shown else "no",)
            case "how many":
                total = len(scene.names)
                counts = {
                    f"how many times is there {with_article(name)}?": scene.names.count(name)
                    for name in scene.names
                }
                assert question.answers[0] == NUMBERS[counts.get(question.text, total)]


@settings(max_examples=30)
@given(split=SPLITS, seed=SEEDS)
def test_scenes_hold_classes_and_photographs_of_their_own_split_alone(split, seed):
    scene = SCENES.scene(split, seed, 2)
    assert {SCENES.glyphs.get(name).split for name in scene.names} == {split}
    crop = SCENES.photo_crop(split, seed, 2)
    part = PHOTO_SPLIT[split]
    assert crop.photo in {photo.name for photo in SCENES.photos.of(part)}
    others = {other for other in PHOTO_SPLIT.values() if other != part}
    assert all(crop.photo != photo.name for o in others for photo in SCENES.photos.of(o))


def test_backgrounds_come_from_the_splits_photographs(monkeypatch):
    chosen = set()
    choose = SCENES.photos.choose

    def watch(split, draw):
        chosen.add(split)
        return choose(split, draw)

    monkeypatch.setattr(SCENES.photos, "choose", watch)
    for split, part in PHOTO_SPLIT.items():
        chosen.clear()
        name = SCENES.glyphs.names(split)[0]
        for index in range(8):
            SCENES.scene(split, 0, index)
            SCENES.portrait(name, index)
            SCENES.single(name, index)
            SCENES.photo_crop(split, 0, index)
        assert chosen == {part}


def test_masks_leave_out_what_a_later_glyph_covers():
    whole = hidden = 0
    for index in range(40):
        scene = SCENES.scene("base", 0, index, 4)
        shown = sum(int(glyph.mask.sum()) for glyph in scene.placed)
        boxes = [glyph.box for glyph in scene.placed]
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
        assert 0 < shown <= area
        union = np.logical_or.reduce([glyph.mask.numpy() for glyph in scene.placed])
        assert union.sum() == shown
        whole, hidden = whole + area, hidden + area - shown
    assert hidden > 0


def test_a_mask_marks_the_pixels_that_the_glyph_paints():
    plain = SceneSettings(plain=1.0)
    scenes = Scenes(DATA, plain)
    scene = scenes.scene("novel", 3, 0, 1)
    inside = scene.pixels[scene.placed[0].mask.numpy()].astype(float)
    outside = scene.pixels[~scene.placed[0].mask.numpy()].astype(float)
    # A gradient is smooth, artwork is not.
    assert inside.std(axis=0).mean() > outside.std(axis=0).mean()


@settings(max_examples=20)
@given(seed=SEEDS)
def test_the_same_key_gives_the_same_image_in_another_process_and_order(seed):
    again = Scenes(DATA)
    name = SCENES.glyphs.names("novel")[seed % 100]
    assert np.array_equal(SCENES.portrait(name, seed), again.portrait(name, seed))
    first, second = SCENES.scene("base", seed, 5), again.scene("base", seed, 5)
    assert first.caption == second.caption
    assert np.array_equal(first.pixels, second.pixels)


def test_portraits_of_one_class_differ_from_one_another():
    pictures = [SCENES.portrait("penguin", seed).astype(int) for seed in range(6)]
    gaps = [np.abs(a - b).mean() for a, b in pairwise(pictures)]
    assert min(gaps) > 5


def test_scenes_can_be_larger():
    scenes = Scenes(DATA, SceneSettings(side=96))
    assert scenes.scene("novel", 0, 0).pixels.shape == (96, 96, 3)
    with pytest.raises(ValueError, match="crops of 512 pixels"):
        Scenes(DATA, SceneSettings(side=512))


def test_the_images_of_the_embedded_pack_are_those_that_its_weights_and_results_are_of():
    made = hashlib.sha256()
    for split in PHOTO_SPLIT:
        for number in range(8):
            name = SCENES.glyphs.names(split)[5 * number]
            made.update(SCENES.scene(split, 3, number).pixels.tobytes())
            made.update(SCENES.photo_in_turn(split, 3, number).pixels.tobytes())
            made.update(SCENES.portrait(name, number).tobytes())
            made.update(SCENES.single(name, number).tobytes())
    assert made.hexdigest() == "d4a18a03d0c6e0e133dabcce24c22645a7f12fb2d4353bcb31f2621e05275021"
    assert not (DATA / "scenes.json").exists()


def test_a_data_folder_says_how_large_all_its_images_are(tmp_path):
    for part in DATA.iterdir():
        (tmp_path / part.name).symlink_to(part)
    (tmp_path / "scenes.json").write_text('{"side": 96}')
    assert Scenes(tmp_path).settings == SceneSettings(side=96)
    assert MiniImages(tmp_path).batch("base", 2, 0).shape == (2, 3, 96, 96)
    assert GlyphScenes(tmp_path).get(0, 0).image.size == (96, 96)
    assert RestorationImages(tmp_path).wider(8).get(0, 0).image.size == (112, 112)
    (tmp_path / "scenes.json").write_text('{"sides": 96}')
    with pytest.raises(ValueError, match=r"scenes.json: .*'sides'"):
        Scenes(tmp_path)


def test_training_images_are_floats_in_range_and_the_same_for_the_same_seed():
    pictures = MiniImages(DATA)
    batch = pictures.batch("base", 12, 7)
    assert batch.shape == (12, 3, 64, 64)
    assert batch.dtype == torch.float32
    assert 0 <= float(batch.min()) < float(batch.max()) <= 1
    assert torch.equal(batch, MiniImages(DATA).batch("base", 12, 7))
    assert not torch.equal(batch, pictures.batch("base", 12, 8))
    assert not torch.equal(batch, pictures.batch("validation", 12, 7))
    with pytest.raises(LookupError, match="no split named 'test'; there are base, validation"):
        pictures.batch("test", 1, 0)


def test_data_sets_give_images_with_names_of_their_own():
    portraits, scenes, crops = GlyphPortraits(DATA), GlyphScenes(DATA), PhotoCrops(DATA)
    images = [portraits.portrait(name, 0) for name in portraits.names[:5]]
    images += [scenes.get(1, index).image for index in range(5)]
    images += [crops.get(1, index).image for index in range(5)]
    assert len({image.name for image in images}) == len(set(images)) == 15
    assert all(image.size == (64, 64) for image in images)
    with pytest.raises(LookupError, match="no class 'watch' in the split 'novel'"):
        portraits.portrait("watch", 0)


def test_images_to_restore_are_photo_crops_and_novel_scenes_in_turn():
    restoration = RestorationImages(DATA)
    kinds = [restoration.get(0, index).cluster.split("/")[0] for index in range(6)]
    assert kinds == ["photo", "scene"] * 3
    assert restoration.get(0, 3).image == restoration.get(0, 3).image


@settings(max_examples=10)
@given(seed=SEEDS)
def test_no_photograph_is_shown_again_before_all_were(seed):
    names = sorted(photo.name for photo in SCENES.photos.of("test"))
    turns = 2 * len(names)
    shown = [SCENES.photo_in_turn("novel", seed, index).photo for index in range(turns)]
    assert sorted(shown[: len(names)]) == sorted(shown[len(names) :]) == names


def test_images_of_one_run_are_witnesses_of_their_own_while_there_are_photographs():
    for images, limit in ((PhotoCrops(DATA), 24), (RestorationImages(DATA), 48)):
        assert len({images.get(0, index).cluster for index in range(limit)}) == limit


@given(x=st.floats(0.5, 63.5), y=st.floats(0.5, 63.5))
def test_every_box_is_somewhere_and_mirroring_swaps_left_and_right(x, y):
    assume(abs(abs(x - 32) - abs(y - 32)) > 1e-6)
    swap = {"on the left": "on the right", "on the right": "on the left"}
    here = place((x, y, x, y), 64)
    there = place((64 - x, y, 64 - x, y), 64)
    assert here in PLACES
    assert there == swap.get(here, here)


@given(st.lists(st.tuples(st.sampled_from(["owl", "red apple", "cat"]), st.sampled_from(PLACES))))
def test_phrases_are_found_where_the_caption_says(placed):
    names, places = [name for name, _ in placed], [where for _, where in placed]
    caption, spans = caption_of(names, places)
    for (start, end), name, where in zip(spans, names, places, strict=True):
        assert caption[start:end] == f"{with_article(name)} {where}"


@settings(max_examples=40)
@given(
    seed=SEEDS,
    places=st.lists(st.sampled_from(PLACES), min_size=1, max_size=4, unique=True),
    pick=st.randoms(use_true_random=False),
)
def test_a_scene_of_given_classes_shows_them_where_it_was_asked_to(seed, places, pick):
    names = pick.sample(SCENES.glyphs.names("novel"), len(places))
    scene = SCENES.scene_of(names, places, seed, 0)
    assert list(scene.names) == names
    assert [glyph.place for glyph in scene.placed] == places
    assert scene.caption == caption_of(names, places)[0]
    assert np.array_equal(SCENES.scene_of(names, places, seed, 0).pixels, scene.pixels)
    assert not np.array_equal(SCENES.scene_of(names, places, seed, 1).pixels, scene.pixels)


def test_classes_and_places_that_cannot_stand_together_are_refused():
    novel, base = SCENES.glyphs.names("novel"), SCENES.glyphs.names("base")
    for names, places, wrong in (
        ([], [], "1 to 4 glyphs of one split"),
        ([novel[0], base[0]], PLACES[:2], "of base, novel"),
        (novel[:5], PLACES, "asked were 5"),
        (novel[:2], PLACES[:1], "2 glyphs need as many places"),
        (novel[:2], (PLACES[0],) * 2, "no two alike"),
        (novel[:1], ("nowhere",), "nowhere"),
    ):
        with pytest.raises(ValueError, match=wrong):
            SCENES.scene_of(names, places, 0, 0)


@settings(max_examples=20)
@given(seed=SEEDS, index=st.integers(0, 50))
def test_known_glyphs_lie_on_photographs_on_which_nothing_was_trained(seed, index):
    known = Scenes(DATA, SceneSettings(plain=0.0), "test")
    with_train = Scenes(DATA, SceneSettings(plain=0.0))
    scene, trained = (one.scene("base", seed, index) for one in (known, with_train))
    assert {known.glyphs.get(name).split for name in scene.names} == {"base"}
    assert scene.id != trained.id
    # Nor is it a scene of the training with another background.
    assert [glyph.box for glyph in scene.placed] != [glyph.box for glyph in trained.placed]


def test_backgrounds_of_known_glyphs_are_parts_of_test_photographs():
    scenes = Scenes(DATA, SceneSettings(plain=0.0, visible=0.0), "test")
    shown = {photo.name: photo for photo in scenes.photos.of("test")}
    chosen = []
    choose = scenes.photos.choose
    scenes.photos.choose = lambda split, draw: chosen.append(choose(split, draw)) or chosen[-1]
    for index in range(20):
        scenes.scene("base", 3, index)
        scenes.portrait(scenes.glyphs.names("base")[index], index)
    assert len(chosen) >= 40
    assert {photo.name for photo in chosen} <= set(shown)


def test_scenes_of_known_glyphs_can_be_larger_and_made_to_order():
    data = KnownGlyphScenes(DATA)
    names, places = data.names[:2], data.places[:2]
    large = data.resized(96, (0.2, 0.3)).of(names, places, 0, 0)
    assert large.image.size == (96, 96)
    assert [one.name for one in large.placed] == list(names)
    assert large.image.name.startswith("scene/base on test/")
    assert data.find("3")[0] == data.get(0, 3).image


def test_captions_in_every_order_say_the_same_phrases():
    names, places = ("owl", "cat", "owl"), PLACES[:3]
    captions = captions_of(names, places)
    assert captions[0] == caption_of(names, places)[0]
    assert len(set(captions)) == len(captions) == 6
    assert len({frozenset(re.split(r", | and ", one.rstrip("."))) for one in captions}) == 1


def test_the_data_sets_keep_the_protocols_that_suites_and_look_ask():
    assert isinstance(GlyphPortraits(DATA), LabelSet)
    assert isinstance(GlyphScenes(DATA), SceneSet)
    assert isinstance(KnownGlyphScenes(DATA), SceneSet)
    assert isinstance(RestorationImages(DATA), ImageSet)
    for kind in (GlyphPortraits, GlyphScenes, KnownGlyphScenes, PhotoCrops):
        assert isinstance(kind(DATA), Browsable)
    assert not isinstance(RestorationImages, Browsable)
