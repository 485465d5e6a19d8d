from math import comb

import pytest

from frostbench.bench.cli.config import LIMITS
from frostbench.bench.statistics import Inference, fewest_clusters
from frostbench.eval_suites.restoration.settings import PROTOCOLS
from frostbench.eval_suites.restoration.tasks import Inpainting, Rotation, Shift
from frostbench.eval_suites.understanding.classification import FewShotClassification
from frostbench.packs.mini.scenes.datasets import GlyphPortraits, RestorationImages
from frostbench.plugins.contract.datasets import EpisodeSource, ImageSet, LabelSet
from frostbench.plugins.contract.requests import images_of
from frostbench.plugins.host.packs import embedded_pack
from frostbench.plugins.host.registry import Host

DATA = embedded_pack("mini") / "data"


@pytest.fixture(scope="module")
def images():
    return RestorationImages(DATA)


def test_the_pack_s_data_sets_are_what_the_tasks_ask_for(images):
    portraits = GlyphPortraits(DATA)
    assert isinstance(images, ImageSet)
    assert isinstance(portraits, LabelSet)
    assert not isinstance(portraits, EpisodeSource)


@pytest.mark.parametrize("task", [Inpainting, Shift, Rotation])
def test_restorations_run_on_the_pack(task, images):
    published = task.settings(protocols=PROTOCOLS)
    drawn = list(task(published).instances(images, 2, 0))
    assert [i.protocol for i in drawn] == ["oracle_context"] * 2 + ["held_out_context"] * 2
    for instance in drawn:
        assert instance.target.size == instance.request.image.size == (64, 64)
        assert all(image.size == (64, 64) for image in images_of(instance.request))


def test_default_samples_are_clusters_enough_to_tell_methods_apart(images):
    limits, pairs = LIMITS, comb(len(Host().methods), 2)
    assert min(limits.values()) >= fewest_clusters(pairs, Inference())
    shown = [images.get(0, index).cluster for index in range(limits["restoration"])]
    assert len(set(shown)) == len(shown)


def test_held_out_examples_of_a_photo_crop_are_of_other_photographs(images):
    seen = 0
    task = Rotation(Rotation.settings(protocols=("held_out_context",)))
    for instance in task.instances(images, 6, 0):
        if instance.cluster.startswith("photo/"):
            photo = instance.cluster.partition("/")[2]
            pairs = instance.request.context.pairs
            assert not any(f"/{photo}/" in pair.clean.name for pair in pairs)
            seen += 1
    assert seen == 3


def test_episodes_of_the_pack_show_novel_classes_only():
    portraits = GlyphPortraits(DATA)
    task = FewShotClassification(FewShotClassification.settings())
    drawn = list(task.instances(portraits, 3, 0))
    assert len(drawn) == 3 * len(task.card.protocols)
    novel = set(portraits.scenes.glyphs.names("novel"))
    trained = {*portraits.scenes.glyphs.names("base"), *portraits.scenes.glyphs.names("validation")}
    for instance in drawn:
        assert set(instance.request.options) <= novel - trained
