import pytest
import torch

from frostbench.packs.mini.scenes.training_captions import TrainingCaptions
from frostbench.packs.mini.scenes.training_scenes import TrainingBoxes, TrainingScenes
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.datasets import CaptionSet
from frostbench.plugins.contract.recipe import GroundedScenes, NamedScenes
from frostbench.plugins.host.packs import embedded_pack


@pytest.fixture(scope="module")
def scenes():
    return TrainingScenes(embedded_pack("mini") / "data")


def test_phrases_and_expressions_mean_the_same_things_and_each_has_its_mask(scenes):
    assert isinstance(scenes, GroundedScenes)
    for scene in scenes.batch("base", 6, 3):
        phrases = [scene.narrative[start:end] for start, end in scene.phrases]
        assert len(phrases) == len(scene.expressions) == len(scene.masks)
        for phrase, expression in zip(phrases, scene.expressions, strict=True):
            named = expression.removeprefix("the ")
            assert named in phrase
        assert scene.masks.dtype == torch.bool
        assert scene.masks.shape[1:] == scene.pixels.shape[1:]
        assert scene.masks.flatten(1).any(1).all()
        assert not (scene.masks.sum(0) > 1).any()


def test_an_expression_without_a_place_names_what_is_there_once(scenes):
    bare = 0
    for scene in scenes.batch("base", 20, 0):
        names = [text.removeprefix("the ") for text in scene.expressions]
        for name in names:
            alone = not any(f" {where} " in f"{name} " for where in ("on the", "at the", "in the"))
            bare += alone
            assert not alone or sum(other.startswith(name) for other in names) == 1
    assert bare


def test_the_same_arguments_give_the_same_scenes_and_other_splits_other_ones(scenes):
    one, two = (scenes.batch("base", 2, 5) for _ in range(2))
    assert [a.narrative for a in one] == [b.narrative for b in two]
    assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(one, two, strict=True))
    other = scenes.batch("validation", 2, 5)
    assert not {a.narrative for a in one} & {b.narrative for b in other}
    with pytest.raises(LookupError, match="no split named 'train'"):
        scenes.batch("train", 1, 0)


def test_everything_in_a_boxed_scene_has_a_name_a_box_around_its_mask_and_an_expression():
    boxed = TrainingBoxes(embedded_pack("mini") / "data")
    assert isinstance(boxed, NamedScenes)
    known = set(boxed.names("base"))
    for scene in boxed.batch("base", 6, 3):
        assert set(scene.names) <= known
        assert len(scene.names) == len(scene.boxes) == len(scene.masks) == len(scene.expressions)
        for name, box, mask, text in zip(
            scene.names, scene.boxes, scene.masks, scene.expressions, strict=True
        ):
            assert tuple(box.tolist()) == box_of(mask)
            assert text.startswith(f"the {name}")
            assert name in scene.caption
        assert all(question and answers for question, answers in scene.questions)


def test_boxed_scenes_are_the_same_for_the_same_arguments_and_of_their_split():
    boxed = TrainingBoxes(embedded_pack("mini") / "data")
    one, two = (boxed.batch("novel", 2, 5) for _ in range(2))
    assert [a.expressions for a in one] == [b.expressions for b in two]
    assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(one, two, strict=True))
    assert not set(boxed.names("novel")) & set(boxed.names("base"))
    with pytest.raises(LookupError, match="no split named 'train'"):
        boxed.names("train")


def test_captions_are_those_of_their_scenes_without_drawing_one_twice_otherwise():
    told = TrainingCaptions(embedded_pack("mini") / "data", count=4)
    assert isinstance(told, CaptionSet)
    scenes = told.captioned()
    assert [one.captions for one in scenes] == list(told.references())
    # One thing and two in turn, and every order of two is a caption.
    assert [len(one.captions) for one in scenes] == [1, 2, 1, 2]
    assert [one.image for one in scenes[1:3]] == [scenes[1].image, scenes[2].image]
    assert scenes[-1].id == scenes[3].id
    with pytest.raises(IndexError):
        told[4]
