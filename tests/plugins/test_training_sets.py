"""A user's own data sets, as what recipes are trained on."""

from pathlib import Path

import pytest
import torch
from lm4lv_world import Pairs

from frostbench.baselines.lm4lv.pairs import FeaturePool
from frostbench.plugins.contract.datasets import (
    ClusteredImage,
    ImageSet,
    Narrative,
    Referent,
    ReferredImage,
)
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.numbered import (
    GroundedSet,
    NumberedImages,
    NumberedPairs,
    NumberedScenes,
)
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.training.pool import Pool
from frostbench.plugins.parts.training.sets import (
    OfGrounded,
    OfImages,
    SetImages,
    SetPairs,
    SetScenes,
    Splits,
    readers_of,
)
from frostbench.plugins.parts.training.stream import SampleStream


class Greys:
    """Images of one grey level each, 16 pixels wide."""

    def __init__(self, size, broken=(), first=0):
        self.size, self._broken, self._first = size, broken, first

    def get(self, seed, index):
        if index in self._broken:
            raise ValueError(f"cannot read the image {index}.png: it is cut short.")
        level = (self._first + index) / 255
        return ClusteredImage(Image(torch.full((3, 16, 16), level), f"{index}.png"), str(index))


def shop(images=None, **more):
    offered = {} if images is None else {"images": lambda _: images}
    return Workshop(Path(), Path(), offered=offered, **more)


def levels(batch):
    return ((batch[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_every_round_shows_every_image_once_in_an_order_of_its_own():
    stream = SampleStream(shop(), 10, 5, lambda number, place: number)
    first, second = stream(0) + stream(1), stream(2) + stream(3)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    other = SampleStream(shop(seed=1), 10, 5, lambda number, place: number)
    assert other(0) + other(1) != first
    uneven = SampleStream(shop(), 4, 3, lambda number, place: number)
    assert sorted((uneven(0) + uneven(1))[:4]) == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_parts_are_the_batch_however_many_they_are_and_wherever_one_begins(workers):
    whole = SampleStream(shop(), 10, 6, lambda number, place: (number, place))
    for parts in (2, 3):
        streams = [
            SampleStream(shop(workers=workers), 10, 6, lambda number, place: (number, place))
            for _ in range(parts)
        ]
        for step in (4, 5, 9):  # in turn, and after a leap
            own = [one for n, s in enumerate(streams) for one in s.part(step, n, parts)]
            assert own == whole(step)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_ends_the_training_in_a_sentence_that_names_it(workers):
    images = SetImages(Splits([OfImages(Greys(4, broken=(1,)))], [OfImages(Greys(2))]))
    pool = Pool(shop(images, workers=workers), "base", 4, 1)
    with pytest.raises(ValueError, match=r"^a training .* without an image: .* 1\.png.*cut short"):
        pool.part(0, 0, 1)


def test_some_images_are_held_out_whatever_the_seed_unless_others_are_given():
    splits = Splits([OfImages(Greys(60)), OfImages(Greys(40, first=100))], [])
    images = SetImages(splits)
    assert (images.count("base"), images.count("validation"), images.count("novel")) == (95, 5, 0)
    seen = {
        split: {float(images.image(split, n, 0)[0, 0, 0]) for n in range(images.count(split))}
        for split in ("base", "validation")
    }
    assert not seen["base"] & seen["validation"]
    assert len(seen["base"] | seen["validation"]) == 100
    given = SetImages(Splits([OfImages(Greys(3))], [OfImages(Greys(2, first=200))]))
    assert (given.count("base"), given.count("validation")) == (3, 2)
    assert given.image("validation", 1, 0)[0, 0, 0] == pytest.approx(201 / 255)
    with pytest.raises(ValueError, match="of 1 samples none can be held out"):
        Splits([OfImages(Greys(1))], [])
    with pytest.raises(LookupError, match="no split 'novel'"):
        images.image("novel", 0, 0)
    assert isinstance(images, NumberedImages)


def test_a_pool_of_a_users_own_images_goes_through_all_and_mirrors_none():
    images = SetImages(Splits([OfImages(Greys(6))], [OfImages(Greys(3, first=50))]))
    pool = Pool(shop(images), "base", 3, 1)
    assert sorted(levels(pool(0)) + levels(pool(1))) == [0, 1, 2, 3, 4, 5]
    assert levels(pool.part(7, 0, 3)) + levels(pool.part(7, 1, 3)) == levels(pool(7))[:2]
    held = Pool(shop(images), "validation", 8, 4)
    assert [sorted(levels(batch)) for batch in held] == [[50, 51, 52]]


def test_images_of_two_sizes_are_refused_with_the_setting_that_helps():
    class Odd(Greys):
        def get(self, seed, index):
            return ClusteredImage(Image(torch.zeros(3, 16 + index, 16), f"{index}.png"), "0")

    images = SetImages(Splits([OfImages(Odd(3))], [OfImages(Greys(1))]))
    with pytest.raises(ValueError, match=r"1\.png has 16 x 17 .* another 16 x 16; .*side=128"):
        images.image("base", 1, 0)


def test_pairs_of_files_are_gone_through_and_their_features_are_not_kept():
    made = Pairs().batch("denoising", "base", 8, 0)

    class Filed:
        size = 8

        def at(self, number):
            return made[0][number], made[1][number]

    pairs = SetPairs(Splits([Filed()], [Filed()]))
    assert isinstance(pairs, NumberedPairs)
    workshop = Workshop(Path(), Path(), offered={"pairs": lambda _: pairs})
    pool = FeaturePool(workshop, toys.mae(), ("denoising", "deraining"), "base", 2, 300)
    assert len(pool) == 2
    whole = pool(3)
    assert whole.tasks.tolist() == [0, 0, 1, 1]
    for number in (0, 1):
        part = pool.part(3, number, 2)
        assert part.tasks.tolist() == [number, number]
        rows = slice(2 * number, 2 * number + 2)
        assert torch.allclose(part.degraded, whole.degraded[rows], atol=1e-6)


def test_expressions_and_narratives_become_scenes_of_one_kind_each():
    image, mask = Image(torch.zeros(3, 4, 6)), torch.ones(4, 6, dtype=torch.bool)

    class Both:
        size = 2

        def grounded(self, index):
            if index:
                return Narrative("n", image, "a dog", ((0, 5),), mask[None], (("thing",),))
            return ReferredImage("r", image, (Referent("1", ("left", "dog"), mask),))

    assert isinstance(Both(), GroundedSet)
    assert not isinstance(Both(), ImageSet)
    scenes = SetScenes(Splits([OfGrounded(Both())], [OfGrounded(Both())]))
    assert isinstance(scenes, NumberedScenes)
    said = {scenes.scene("base", 0, seed).expressions[0] for seed in range(20)}
    assert said == {"left", "dog"}
    assert scenes.scene("base", 0, 3).narrative == ""
    told = scenes.scene("base", 1, 0)
    assert (told.narrative, told.phrases, told.expressions) == ("a dog", ((0, 5),), ())
    assert readers_of(Both()) is not None
    assert readers_of(object()) is None


def test_a_crop_is_drawn_by_the_seed_and_that_of_held_out_images_is_the_centre():
    class Ramps(Greys):
        def get(self, seed, index):
            ramp = torch.linspace(0, 1, 40).expand(3, 16, 40)
            return ClusteredImage(Image(ramp.contiguous(), f"{index}.png"), "0")

    images = SetImages(Splits([OfImages(Ramps(2))], [OfImages(Ramps(2))]), crop=8)
    lefts = {round(float(images.image("base", 0, seed)[0, 0, 0]), 3) for seed in range(12)}
    assert len(lefts) > 4
    assert torch.equal(images.image("base", 0, 3), images.image("base", 0, 3))
    centre = images.image("validation", 0, 3)
    assert centre.shape == (3, 8, 8)
    assert float(centre.mean()) == pytest.approx(0.5, abs=0.01)
    assert torch.equal(centre, images.image("validation", 0, 9))
