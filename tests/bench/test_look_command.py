import re

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from frostbench.bench.cli import main
from frostbench.bench.look.image import find_image
from frostbench.bench.look.reading import read
from frostbench.plugins.contract.images import Image, read_as_seen
from frostbench.plugins.host.errors import PluginError
from frostbench.plugins.host.packs import Pack
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.new_plugin import write

METHODS = """

from dataclasses import replace

class Near(Colours):
    card = replace(Colours.card, name="near")
    notes = ("two of its words are lies",)

    def neighbours(self, images, sizes, count):
        return [
            {"local": [[[word] * count for word in row] for row in self.words(one)["local"]]}
            for one in self.tokenize(images, sizes).split()
        ]


class Mute(Colours):
    card = replace(Colours.card, name="mute")

    def words(self, tokens):
        return {}


@hookimpl
def frostbench_methods():
    return [Near, Mute]
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    file = write("colours", tmp_path_factory.mktemp("plugin")) / "colours.py"
    file.write_text(file.read_text().partition("\n\n@hookimpl")[0] + METHODS)
    return file


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def image(folder, size=(24, 16), name="image.png"):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(folder / name)
    return name


def test_an_image_file_is_printed_and_written_as_a_page(plugin, folder, capsys):
    words = ["look", image(folder), "method=near", f"plugins={plugin}", "words=2"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "image.png  24 × 16 pixels" in said
    assert "note: two of its words are lies" in said
    assert "look.html" in said
    text = (folder / "look.html").read_text()
    _, first = re.findall(r"local: (\d+) × \1 words\n +(\S+)", said)[0]
    assert f"<li>{first}</li><li>{first}</li></ol>" in text


def test_several_methods_share_a_page_and_out_may_be_empty(plugin, folder, capsys):
    words = ["look", "scene:3", "methods=near,near", f"plugins={plugin}"]
    assert main([*words, "out=pages/scene.html"]) == 0
    assert (folder / "pages" / "scene.html").read_text().count("<section") == 1
    assert main([*words, "out="]) == 0
    assert not (folder / "look.html").exists()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("portrait:red apple", "red apple  portrait/novel/red apple/0, 64 × 64 pixels"),
        ("portrait:red apple/2", "red apple  portrait/novel/red apple/2, 64 × 64 pixels"),
        ("photo:3", "a part of the photograph"),
        ("scene:7", "scene/novel/0/7"),
    ],
)
def test_the_packs_own_images_have_names(plugin, name, title, capsys):
    assert main(["look", name, "method=near", f"plugins={plugin}", "out="]) == 0
    assert title in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        ([], 2, "look at one image"),
        (["a.png", "b.png"], 2, "look at one image"),
        (["none.png"], 2, "no image at none.png. The pack has some of its own: portrait:NAME"),
        (["text.png"], 2, "it is no image file"),
        (["cut.png"], 2, "cannot read the image cut.png"),
        (["."], 2, "it is a folder"),
        (["small.png", "method=near"], 2, "a cell would be less than a pixel"),
        (["portrait:red aple"], 2, "near it red apple"),
        (["portrait:qqqqq"], 2, "among them"),
        (["scene:last"], 2, "write scene:NUMBER"),
        (["scene:1", "method=v2k"], 2, "Did you mean 'v2l'"),
        (["scene:1", "method=mute"], 2, "has no words to look at"),
        (["scene:1", "words=0"], 2, "words=0: at least 1"),
        (["scene:1", "out=pages"], 2, "a name like look.html"),
        (["scene:1", "wods=3"], 2, "Did you mean 'words'"),
        (["scene:1", "pack=maxi"], 2, "there are mini"),
        (["scene:1", "llm=no-model"], 2, "no-model"),
        (["scene:1", "device=cuda:77"], 2, "cuda:77"),
        (["scene:1", "words=9999"], 1, "the codebook has 2048"),
        (["scene:1", "method.v2l.shown_word=3"], 2, "shown_words"),
    ],
)
def test_a_mistake_gets_one_sentence(words, status, expected, plugin, folder, capsys):
    (folder / "text.png").write_text("no image")
    image(folder, (64, 64), "whole.png")
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:3000])
    image(folder, (2, 2), "small.png")
    assert main(["look", *words, f"plugins={plugin}"]) == status
    captured = capsys.readouterr()
    assert expected in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not (folder / "look.html").exists()


def test_a_method_that_raises_is_named_with_the_verb(plugin):
    near = Host([plugin], installed=False).methods["near"].load()
    broken = type("Broken", (near,), {"words": lambda self, tokens: 1 / 0})
    with pytest.raises(PluginError, match="'near', words: ZeroDivisionError"):
        read(broken.toy(), Image(torch.rand(3, 16, 16), "noise"), 3, toys.engine(), lambda *_: 0.0)


def test_the_built_in_method_shows_neighbours_and_a_reconstruction(folder, capsys):
    assert main(["look", "portrait:red apple", "words=3"]) == 0
    said = capsys.readouterr().out
    assert "local: 8 × 8 words" in said
    assert "global: 21 words" in said
    text = (folder / "look.html").read_text()
    assert text.count('<ol class="near chips"') == 64
    assert "PSNR" in text


def test_an_image_is_turned_as_its_camera_says_and_lies_on_white(folder):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new("RGB", (8, 4), "red").save(folder / "turned.jpg", exif=exif)
    assert read_as_seen(folder / "turned.jpg").size == (8, 4)
    Pillow.new("RGBA", (4, 4), (0, 0, 0, 0)).save(folder / "clear.png")
    assert read_as_seen(folder / "clear.png").pixels.min() == 1
    deep = np.full((4, 4), 65535 // 2, dtype=np.uint16)
    Pillow.fromarray(deep).save(folder / "deep.png")
    assert read_as_seen(folder / "deep.png").pixels.max() == pytest.approx(0.5, abs=0.01)


NOISE = """
import torch
from frostbench.plugins import Image, Offer, hookimpl


class Noise:
    form = "noise:SEED"

    def __init__(self, folder):
        self._side = int((folder / "side").read_text())

    def find(self, which):
        draw = torch.Generator().manual_seed(int(which))
        return Image(torch.rand(3, self._side, self._side, generator=draw), which), "as drawn"


@hookimpl
def frostbench_datasets():
    return [Offer("noise", Noise)]
"""


def test_images_of_a_strangers_data_set_are_looked_at_by_its_own_form(tmp_path):
    (tmp_path / "noise.py").write_text(NOISE)
    (tmp_path / "side").write_text("12")
    host = Host([tmp_path / "noise.py"], installed=False)
    pack = Pack("own", tmp_path, "", {}, {}, {"noise": tmp_path, "of nobody": tmp_path})
    seen = find_image("noise:3", pack, host)
    assert (seen.image.size, seen.title) == ((12, 12), "as drawn")
    with pytest.raises(ValueError, match="has some of its own: noise:SEED"):
        find_image("scene:3", pack, host)
