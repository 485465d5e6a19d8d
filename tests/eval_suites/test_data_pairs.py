import json
from dataclasses import replace

import pytest
import torch
from pictures import picture

from frostbench.eval_suites.data.folder import FolderImages
from frostbench.eval_suites.data.pairs import FiledPairs, PairSettings
from frostbench.eval_suites.restoration.low_level import Deraining
from frostbench.eval_suites.restoration.settings import DerainingSettings
from frostbench.eval_suites.restoration.tasks import Deblurring, Inpainting
from frostbench.plugins.contract.datasets import ImageSet, PairSet


def save(folder, *names, seed=0, size=(40, 30)):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(*size, seed=seed + number).save(folder / name)


@pytest.fixture
def folder(tmp_path):
    """Twelve pairs in two folders, of different suffixes."""
    save(tmp_path / "input", *(f"{number}.png" for number in range(12)), seed=100)
    save(tmp_path / "target", *(f"{number}.bmp" for number in range(12)))
    return tmp_path


def entry(*names, speaker="from"):
    said = [{speaker: "human", "value": "<image> denoise"}, {speaker: "gpt", "value": "<image>"}]
    return {"task_type": "simple", "image": list(names), "conversations": said}


def test_two_folders_are_paired_by_stem_in_natural_order(folder):
    data = FiledPairs(folder)
    assert isinstance(data, PairSet)
    assert not isinstance(data, ImageSet)
    pairs = list(data.pairs())
    assert [pair.id for pair in pairs] == [str(number) for number in range(12)]
    assert (pairs[10].degraded.name, pairs[10].clean.name) == ("input/10.png", "target/10.bmp")
    assert pairs[0].clean.size == (30, 40)
    assert len({pair.cluster for pair in pairs}) == 12


def test_folders_have_other_names_and_pairs_a_side_where_the_settings_say_so(tmp_path):
    save(tmp_path / "rain", "deep/a.png")
    save(tmp_path / "norain", "deep/a.png")
    (pair,) = FiledPairs(tmp_path, PairSettings(16, degraded="rain", clean="norain")).pairs()
    assert (pair.id, pair.degraded.size, pair.clean.size) == ("deep/a", (16, 16), (16, 16))


@pytest.mark.parametrize("speaker", ["from", "role"])
def test_a_list_is_read_as_lm4lv_reads_it(tmp_path, speaker):
    """First the degraded path, then the clean one; the speaker's key is "from" in the published
    example and "role" in its description."""
    save(tmp_path, "lq/0_1.png", "lq/0_0.png", "hq/0.png")
    listed = [
        entry("lq/0_1.png", "hq/0.png", speaker=speaker),
        entry(str(tmp_path / "lq" / "0_0.png"), "hq/0.png", speaker=speaker),
        entry("/abs/lq/0_0.png", "/abs/hq/0.png", speaker=speaker),
    ]
    (tmp_path / "pairs.json").write_text(json.dumps(listed))
    pairs = list(FiledPairs(tmp_path, PairSettings(root="/abs")).pairs())
    assert [pair.degraded.name for pair in pairs] == ["lq/0_1.png", "lq/0_0.png", "lq/0_0.png"]
    assert {pair.clean.name for pair in pairs} == {pair.cluster for pair in pairs} == {"hq/0.png"}
    assert [pair.id for pair in pairs] == ["00000", "00001", "00002"]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ({}, "is no list but a mapping"),
        ([], "has no entries"),
        ([entry("a.png")], "entry 0 has 1 images; a pair is"),
        ([entry("a.png", 3)], "entry 0 has no image"),
        ([entry("a.png", "/etc/passwd")], "names '/etc/passwd', which leads out.*`root` says"),
        ([entry("a.png", "../b.png")], "names '../b.png', which leads out"),
        ([entry("a.png", "/abs/../b.png")], "names '../b.png', which leads out"),
        ([entry("a.png", "b.png", speaker="by")], "conversations, entry 0 has no 'role'"),
        ([{"image": ["a.png", "b.png"]}], "has no 'conversations'"),
        (
            [entry("a.png", "b.png") | {"conversations": [3]}],
            "entry 0 is no mapping but a whole number",
        ),
    ],
)
def test_a_broken_list_is_said_with_the_entry(tmp_path, listed, said):
    (tmp_path / "pairs.json").write_text(json.dumps(listed))
    with pytest.raises(ValueError, match=said):
        FiledPairs(tmp_path, PairSettings(root="/abs"))


def test_images_without_a_partner_are_named(folder):
    (folder / "target" / "3.bmp").unlink()
    save(folder / "target", *(f"more{number}.png" for number in range(6)))
    said = (
        r"in no pair: 3\.png in input without one of the same name in target; more0\.png, .*"
        r"more4\.png and others in target without one"
    )
    with pytest.raises(ValueError, match=said):
        FiledPairs(folder)


def test_two_images_of_one_name_are_told(folder):
    save(folder / "input", "3.jpg")
    with pytest.raises(ValueError, match=r"input holds 3\.jpg and 3\.png: which is it"):
        FiledPairs(folder)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"lacks input, target; a set of pairs without pairs\.js"):
        FiledPairs(tmp_path)
    (tmp_path / "input").mkdir()
    (tmp_path / "target").mkdir()
    with pytest.raises(ValueError, match="has no image in input and in target"):
        FiledPairs(tmp_path)
    with pytest.raises(ValueError, match="lie in two folders, not in 'a' both"):
        PairSettings(degraded="a", clean="a")
    with pytest.raises(ValueError, match="which leads out"):
        FiledPairs(tmp_path, PairSettings(degraded="../x"))


def test_a_pair_of_two_sizes_is_refused_before_it_is_cropped(folder):
    save(folder / "input", "0.png", size=(30, 40))
    for side in (0, 16):
        data = FiledPairs(folder, PairSettings(side))
        # Type checks of the tests would read samples of the whole sequence.
        with pytest.raises(ValueError, match=r"input/0.png is \(40, 30\) and target/0.bmp"):
            data._maker(data._listed[0])()


@pytest.mark.parametrize("kind", [Deraining, Deblurring])
def test_a_restoration_is_asked_of_pairs_as_they_are(folder, kind):
    data = FiledPairs(folder)
    settings = kind.suited(replace(kind.settings(), others=2), data)
    task = kind(settings)
    asked = list(task.instances(data, 20, seed=0))
    pairs = {pair.id: pair for pair in data.pairs()}
    assert task.card.protocols == ("given",)
    # A third of a small set is kept for examples.
    assert [one.request.id for one in asked] == [f"{task.card.name}-{n}" for n in range(8)]
    for one in asked:
        pair = pairs[one.request.id.rpartition("-")[2]]
        assert torch.equal(one.request.image.pixels, pair.degraded.pixels)
        assert torch.equal(one.target.pixels, pair.clean.pixels)
        shown = {example.clean.name for example in one.request.context.pairs}
        assert len(shown) == 2
        assert not shown & {instance.target.name for instance in asked}
    again = list(task.instances(data, 3, seed=0))
    assert [one.request.id for one in again] == [one.request.id for one in asked[:3]]


def test_pairs_are_for_what_asks_for_them_and_given_is_for_pairs(folder):
    assert PairSet not in Inpainting.asks
    clean = FolderImages(folder / "target")
    given = DerainingSettings(protocols=("mild", "given"))
    with pytest.raises(ValueError, match="'given' needs pairs"):
        Deraining.suited(given, clean)
    with pytest.raises(ValueError, match="'given' needs pairs"):
        list(Deraining(given).instances(clean, 1, 0))
    assert Deraining.suited(DerainingSettings(), clean) == DerainingSettings()
