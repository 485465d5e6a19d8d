from importlib.util import find_spec
from pathlib import Path

import pytest
from pictures import picture

from frostbench.eval_suites.data.class_names import imagenet_classes
from frostbench.eval_suites.data.imagenet import ImageNetSettings, ImageNetVal
from frostbench.plugins.contract.datasets import ImageSet, LabelSet, Widening

TENCH, EFT, CRANE = "n01440764", "n01631663", "n03126707"
LINES = (
    "val/ILSVRC2012_val_00000007.JPEG,27",
    "val/ILSVRC2012_val_00000002.JPEG,0",
    "val/ILSVRC2012_val_00000010.JPEG,517",
    "val/ILSVRC2012_val_00000001.JPEG,0",
)
NAMES = [line.partition(",")[0] for line in LINES]


def flat(folder):
    """Layout A: V2L's list over flat files, in an order that is not that of names."""
    (folder / "val").mkdir()
    for number, name in enumerate(NAMES):
        picture(seed=number).convert("L" if number == 0 else "RGB").save(folder / name, "JPEG")
    (folder / "class_labels.txt").write_text("\n".join(LINES) + "\n")
    return folder


def by_class(folder):
    """Layout B: a folder a class."""
    for number, (wnid, name) in enumerate(
        [(EFT, NAMES[0]), (TENCH, NAMES[1]), (CRANE, NAMES[2]), (TENCH, NAMES[3])]
    ):
        (folder / "val" / wnid).mkdir(parents=True, exist_ok=True)
        picture(seed=number).save(folder / "val" / wnid / name.removeprefix("val/"), "JPEG")
    return folder


def order(data):
    return [data.get(0, index).image.name.rpartition("/")[2] for index in range(data.size)]


def test_a_list_says_order_and_classes_as_for_v2l(tmp_path):
    """V2L's eval_denoising_generation.py reads `imagenet_split/val/class_labels.txt` in its order;
    labels are places of sorted wnids."""
    data = ImageNetVal(flat(tmp_path))
    assert isinstance(data, ImageSet)
    assert isinstance(data, LabelSet)
    assert isinstance(data, Widening)
    assert [f"val/{name}" for name in order(data)] == NAMES
    assert data.names == ("tench", "eft", "crane")
    assert [data.count(name) for name in data.names] == [2, 1, 1]
    assert data.portrait("tench", 1).name == NAMES[3]
    assert data.get(0, 0).image.size == (256, 256)


def test_folders_of_classes_are_read_in_the_order_of_torchvision(tmp_path):
    """torchvision/datasets/folder.py:49, `make_dataset`: sorted classes, then sorted names."""
    from torchvision.datasets import ImageFolder

    data = ImageNetVal(by_class(tmp_path))
    wanted = [path.rpartition("/")[2] for path, _ in ImageFolder(tmp_path / "val").samples]
    assert order(data) == wanted
    # A tree of three classes: a class is known by its wnid and never by its place.
    assert data.names == ("tench", "eft", "crane")
    assert data.portrait("crane", 0).name == f"val/{CRANE}/ILSVRC2012_val_00000010.JPEG"


def test_the_list_counts_for_folders_of_classes_too(tmp_path):
    by_class(tmp_path)
    (tmp_path / "imagenet_split" / "val").mkdir(parents=True)
    (tmp_path / "imagenet_split" / "val" / "class_labels.txt").write_text("\n".join(LINES))
    assert [f"val/{name}" for name in order(ImageNetVal(tmp_path))] == NAMES


def test_first_takes_the_first_in_order(tmp_path):
    data = ImageNetVal(flat(tmp_path), ImageNetSettings(first=2))
    assert [f"val/{name}" for name in order(data)] == NAMES[:2]
    assert data.names == ("tench", "eft")
    assert ImageNetVal(tmp_path, ImageNetSettings(first=5001)).size == 4
    with pytest.raises(ValueError, match="first is a number of images"):
        ImageNetSettings(first=-1)


def test_no_two_classes_have_one_name_and_none_is_blank():
    names = [name.casefold() for name in imagenet_classes().values()]
    assert len(set(names)) == len(names) == 1000
    assert all(name.strip() == name != "" and "_" not in name for name in names)
    assert imagenet_classes()[EFT] == "eft"
    assert list(imagenet_classes()) == sorted(imagenet_classes())


def test_names_stand_beside_their_own_wnids():
    """Held against WordNet's lemmas, which another library carries."""
    table = Path(find_spec("timm").origin).parent / "data/_info/imagenet_synset_to_lemma.txt"
    lemmas = dict(line.split("\t") for line in table.read_text().splitlines())
    for wnid, name in imagenet_classes().items():
        assert set(name.lower().split()) & set(lemmas[wnid].lower().replace(",", " ").split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("val/a.JPEG,1000\n", "line 1: the label 1000 is none of 0 to 999.*devkit, from 1 to 1000"),
        ("65\n970\n", "line 1 is not relative/path,label: '65'"),
        ("val/a.JPEG,-1\n", "line 1 is not relative/path,label"),
        ("val/a.JPEG,1\nval/a.JPEG,2\n", "line 2: val/a.JPEG has a label already"),
        ("../a.JPEG,1\n", "line 1 names '../a.JPEG', which leads out"),
        ("/etc/a.JPEG,1\n", "which leads out"),
        ("\n", "has no entries"),
        (b"val/\xff.JPEG,1\n", "is no text in UTF-8"),
    ],
)
def test_a_broken_list_is_said_with_the_line(tmp_path, text, said):
    (tmp_path / "val").mkdir()
    path = tmp_path / "class_labels.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=said):
        ImageNetVal(tmp_path)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match="lacks val; ImageNet's validation set"):
        ImageNetVal(tmp_path)
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match=r"lacks class_labels.txt, and .*no folders of classes"):
        ImageNetVal(tmp_path)
    (tmp_path / "val" / "cats").mkdir()
    with pytest.raises(ValueError, match="cats is none of ImageNet's classes"):
        ImageNetVal(tmp_path)


def test_an_image_that_is_not_there_is_said_when_it_is_asked_for(tmp_path):
    data = ImageNetVal(flat(tmp_path))
    (tmp_path / NAMES[1]).unlink()
    assert data.get(0, 0).image.name == NAMES[0]
    with pytest.raises(ValueError, match=r"no image at .*00000002"):
        data.get(0, 1)
