import html
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch
from rich.cells import cell_len
from rich.console import Console
from stored_runs import changed

from frostbench.bench.leaderboard.gallery import gallery
from frostbench.bench.leaderboard.inline import data_uri
from frostbench.bench.leaderboard.words import legible, words_of
from frostbench.bench.look.image import Seen
from frostbench.bench.look.page import page
from frostbench.bench.look.reading import Look, Returned
from frostbench.bench.look.terminal import lines, show
from frostbench.plugins.contract.images import Image, to_pillow

GRID = {"local": [[" red", "apple"], ["leaf", " photograph"]], "global": [[" fruit", "round"]]}
NEAR = {
    "local": [
        [[" red", " rose"], ["apple", "pear"]],
        [["leaf", "tree"], [" photograph", "<picture>"]],
    ]
}
PYRAMID = {
    "pyramid/10": [["tenth"] * 2] * 2,
    "pyramid/2": [["second"] * 4] * 4,
    "pyramid/1": [["first"]],
}


def seen(height=8, width=8):
    pixels = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
    return Seen(Image(pixels, "apple.png"), "a red <apple>")


def reading(words, near=None, again=None, notes=()):
    return Look(
        method="toy",
        summary="a toy & more",
        paper="https://arxiv.org/abs/0000.00000",
        notes=notes,
        words=words_of(words, near),
        tokens=6,
        reconstruction=again,
        reason="" if again else "it has no decoder",
    )


def printed(*readings, width=None, picture=None):
    file = io.StringIO()
    console = Console(file=file, width=width or 80, force_terminal=width is not None)
    show(console, picture or seen(), readings)
    return file.getvalue()


def uncoloured(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._inside = [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data):
        if self._inside not in ("style", "script"):
            self.text += data


def test_layers_of_a_pyramid_stand_together_from_coarse_to_fine():
    (pyramid,) = words_of(PYRAMID)
    assert (pyramid.part, pyramid.form, len(pyramid)) == ("pyramid", "pyramid", 21)
    assert [layer.rows[0][0].word for layer in pyramid.layers] == ["first", "second", "tenth"]


@pytest.mark.parametrize("rows", [[["one", "two"]], [["one"], ["two"]], [["one"]], []])
def test_what_is_no_grid_is_ranked(rows):
    (words,) = words_of({"words": rows})
    assert words.form == "ranked"
    assert [token.word for token in words.ranked] == [word for row in rows for word in row]


SENTENCES = {"captions": [["a cat <on> a mat"], ["an owl"], ["cat"]]}


def test_sentences_are_a_numbered_list_and_lie_on_no_image():
    (words,) = words_of(SENTENCES)
    assert (words.form, words.on_image, len(words)) == ("sentences", False, 3)
    look = replace(reading(SENTENCES), tokens=0, sentences=3)
    said = printed(look, picture=seen(1, 1)).splitlines()
    assert "3 sentences; it has no decoder" in said
    place = said.index("captions: 3 sentences, the most fitting first")
    assert said[place + 1 :] == ["1 a cat <on> a mat", "2 an owl", "3 cat"]
    shown = page(seen(), [look])
    assert "3 sentences." in shown
    assert "<li>a cat &lt;on&gt; a mat</li>" in shown
    assert "<table" not in shown
    assert replace(look, tokens=64).amount == "64 tokens and 3 sentences"


@pytest.mark.parametrize("word", ["\x1b[31m", "a\x07b", "\u202eab", "x\ny", "\ud800"])
def test_no_control_character_reaches_the_reader(word):
    shown = legible(word)
    assert len(shown) == len(word)
    assert not any(character in shown for character in "\x1b\x07\u202e\n\ud800")


def test_the_terminal_shows_a_grid_in_columns_and_a_ranked_list():
    said = printed(reading(GRID, NEAR)).splitlines()
    assert said[0] == "a red <apple>  apple.png, 8 × 8 pixels"
    assert "toy  a toy & more" in said
    assert "6 tokens; it has no decoder" in said
    place = said.index("local: 2 × 2 words")
    assert said[place + 1] == " red         apple"
    assert said[place + 2] == " leaf        photograph"
    assert "1 fruit  2 round" in said


def test_a_pipe_gets_whole_words_and_no_colours():
    long = {"local": [["antidisestablishmentarianism"] * 8] * 8}
    text = printed(reading(long))
    assert "\x1b" not in text
    assert text.count("antidisestablishmentarianism") == 64


@pytest.mark.parametrize("width", [24, 60, 100])
def test_a_terminal_gets_no_line_wider_than_itself(width):
    words = {"local": [["antidisestablishment", "漢字漢字漢字"] * 4] * 8, "global": [["word"] * 9]}
    said = uncoloured(printed(reading(words), width=width)).splitlines()
    rows = [line for line in said if "…" in line]
    assert len(rows) == 8
    assert all(cell_len(row) <= width for row in rows)


def test_a_terminal_shows_words_on_the_images_colours():
    halves = torch.zeros(3, 8, 8)
    halves[0, :, 4:] = 1
    shown = Seen(Image(halves, "halves"), "halves")
    *_, line = lines(shown, [reading({"local": [["left", "right"]] * 2})], 80)
    colours = [span.style.bgcolor.triplet for span in line.spans]
    assert colours == [(0, 0, 0), (255, 0, 0)]


def test_a_pyramid_is_centred_layer_below_layer():
    said = printed(reading(PYRAMID)).splitlines()
    place = said.index("pyramid: 3 layers, 21 words")
    shown = said[place + 1 :]
    row = "second  second  second  second"
    assert [line.strip() for line in shown[:4]] == ["1 × 1", "first", "4 × 4", row]
    middle = [len(line) - len(line.lstrip()) + len(line.strip()) / 2 for line in shown]
    assert max(middle) - min(middle) <= 1


def test_notes_are_lines_of_their_own():
    assert "note: 3 words of 9 are missing." in printed(
        reading(GRID, notes=("3 words of 9 are missing.",))
    )


def test_the_page_holds_every_word_and_every_neighbour_escaped():
    text = page(seen(), [reading(GRID, NEAR), reading(PYRAMID)])
    shown = Page(text).text
    for word in ("red", "rose", "apple", "pear", "leaf", "tree", "photograph", "<picture>"):
        assert word in shown
    assert all(word in shown for word in ("fruit", "round", "first", "second", "tenth"))
    assert "<picture>" not in text
    assert html.escape("a red <apple>") in text


def test_the_page_is_one_file_that_asks_nothing_of_the_network():
    again = Returned(torch.zeros(3, 8, 8), 7.531)
    text = page(seen(), [reading(GRID, NEAR, again)])
    for tag, attributes in Page(text).tags:
        assert tag not in ("iframe", "object")
        assert not (tag == "script" and "src" in attributes)
        for name in ("src", "href", "style"):
            value = attributes.get(name) or ""
            assert tag == "a" or value.startswith("data:") or "//" not in value
    assert "7.53 dB" in text
    assert text.count('src="data:image/webp;base64,') == 2


def test_a_cell_with_neighbours_can_be_reached_by_key_and_has_them_without_a_script():
    tags = Page(page(seen(), [reading(GRID, NEAR)])).tags
    cells = [attributes for tag, attributes in tags if tag == "td"]
    assert [cell.get("tabindex") for cell in cells] == ["0"] * 4
    assert len([a for tag, a in tags if tag == "ol" and "near" in a.get("class", "")]) == 4


def test_a_method_without_images_says_why():
    assert "No reconstruction: it has no decoder." in page(seen(), [reading(GRID)])


def test_words_lie_on_the_image_in_its_own_proportions():
    assert "--ratio:0.5;" in page(seen(8, 16), [reading(GRID)])


def test_the_gallery_shows_a_pyramid_by_the_same_view(synthetic):
    run = synthetic(samples=6)
    records = [replace(one, words=PYRAMID) if one.words else one for one in run.records()]
    stored = changed(run, records)
    shelves = gallery([stored])
    readings = [one for shelf in shelves for strip in shelf.strips for one in strip.readings]
    assert readings
    assert all(one.words == words_of(PYRAMID) for one in readings)


def noise(width, height):
    return to_pillow(torch.rand(3, height, width))


def test_large_images_are_made_smaller_for_the_page():
    assert len(data_uri(noise(2000, 10))) < len(data_uri(noise(1000, 20)))
