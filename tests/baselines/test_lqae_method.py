import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lqae_world import SIZES

from frostbench.baselines.lqae.channel import codes
from frostbench.baselines.lqae.method import LQAEMethod, LQAEMethodSettings, evenly
from frostbench.baselines.lqae.model import LQAE
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Text
from frostbench.plugins.contract.requests import (
    Classify,
    Interpret,
    LabelledImage,
    OracleContext,
    Reconstruct,
    Restore,
)
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.training import folder as stored


@pytest.fixture(scope="module")
def model():
    with toys.seeded(1):
        return LQAE(SIZES).eval()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lqae")
    stored.save(folder, SIZES, model.state_dict())
    return folder


def built(folder, **settings):
    return LQAEMethod.build(Setup(toys.backbones(), folder, settings))


def picture(seed, height=16, width=16):
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.rand(3, height, width, generator=draw), f"picture {seed}")


def tokens_of(method, *images):
    return {
        image: method.tokenize(image.pixels[None], torch.tensor([image.size])) for image in images
    }


def run(method, request, *images):
    waves = method.prompt(request, tokens_of(method, *images))
    (outcome,) = drive([waves], toys.engine())
    assert outcome.error is None
    return outcome.value


def test_the_installed_plugin_offers_the_method_and_its_recipe():
    host = Host()
    assert host.methods["lqae"].load() is LQAEMethod
    assert host.methods["lqae"].card is LQAEMethod.card
    assert host.recipes["lqae"].card.needs == ("data", "mlm")


def test_reading_the_card_loads_no_torch():
    code = "import sys, frostbench.baselines.lqae.plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_word_is_a_token_of_both_language_models(folder):
    method = built(folder)
    language, mlm = toys.backbones().get("llm"), toys.backbones().get("mlm")
    (tokens,) = tokens_of(method, picture(0)).values()
    said = [language.decode([i]) for i in method.token_map.ids_of(tokens.grid("local"))]
    words = [word for row in method.words(tokens)["local"] for word in row]
    assert [text.strip() for text in said] == words
    assert len(method.vocabulary) == len(method.token_map.ids) < len(codes(mlm))
    assert all(method.vocabulary)


def test_a_part_of_the_codebook_without_tokens_is_noted_and_so_are_the_pieces(folder):
    lost, pieces = built(folder).notes
    assert "of lqae's codebook" in lost
    assert "takes" in pieces
    assert "tokens of this language model on average" in pieces


def test_words_are_shown_one_blank_apart_and_no_more_than_the_budget(folder):
    image = picture(0)
    every, some = built(folder), built(folder, budget=4)
    (tokens,) = tokens_of(every, image).values()
    rows = every.words(tokens)["local"]
    assert every.shown(tokens) == (Text(" ".join(word for row in rows for word in row)),)
    flat = [word for row in rows for word in row]
    assert some.shown(tokens) == (Text(" ".join(flat[place] for place in (5, 7, 13, 15))),)
    assert some.shortened_by == ("budget",)


def test_the_literal_join_is_what_the_masked_language_model_writes(folder):
    mlm = toys.backbones().get("mlm")
    method = built(folder, raw_join=True)
    (tokens,) = tokens_of(method, picture(0)).values()
    ids = [method._tokens[code] for code in tokens.grid("local").flatten().tolist()]
    assert method.shown(tokens) == (Text(mlm.decode(ids)),)


@given(rows=st.integers(1, 16), columns=st.integers(1, 16), data=st.data())
def test_a_budget_is_spent_on_different_cells_row_by_row(rows, columns, data):
    count = data.draw(st.integers(1, rows * columns))
    places = evenly(count, rows, columns)
    assert len(places) == count
    assert places == sorted(set(places))
    assert 0 <= places[0] <= places[-1] < rows * columns


@pytest.mark.parametrize(("budget", "lines"), [(16, 4), (5, 2), (21, 4), (85, 9)])
def test_a_budget_is_spread_over_rows_as_over_columns(budget, lines):
    places = evenly(budget, 16, 16)
    assert len({place // 16 for place in places}) == lines


def test_the_prompt_of_a_classification_shows_words_as_text(folder):
    method = built(folder, budget=4)
    image, other = picture(0), picture(1)
    tokens = tokens_of(method, image, other)
    request = Classify("c", image, (LabelledImage(other, "cat"),), ("cat", "dog"))
    (prompt,) = next(method.prompt(request, tokens))
    assert prompt.query[1].text == method.shown(tokens[image])[0].text
    assert prompt.query[1].visual
    assert run(method, request, image, other) in ("cat", "dog")


def test_a_image_is_interpreted_in_all_of_its_words(folder):
    method = built(folder, budget=4)
    image = picture(0)
    said = run(method, Interpret("i", image), image)
    (tokens,) = tokens_of(method, image).values()
    assert said.split("\n") == [word for row in method.words(tokens)["local"] for word in row]


def test_a_reconstruction_is_rendered_through_the_language_model_at_the_images_size(folder):
    method = built(folder)
    image = picture(0, 10, 20)
    request = Reconstruct("r", image)
    (prediction,) = method.decode([request], [run(method, request, image)])
    assert prediction.pixels.shape == (3, 10, 20)
    assert 0 <= float(prediction.pixels.min()) <= float(prediction.pixels.max()) <= 1


def test_a_restoration_is_an_image_of_the_requests_size(folder):
    method = built(folder)
    image, clean = picture(0, 12, 9), picture(1, 12, 9)
    request = Restore("r", image, "blur", OracleContext(clean, 2))
    (prediction,) = method.decode([request], [run(method, request, image, clean)])
    assert prediction.pixels.shape == (3, 12, 9)


def test_the_nearest_of_a_cells_neighbours_is_its_word(folder):
    method = built(folder)
    image = picture(0)
    sizes = torch.tensor([image.size])
    (near,) = method.neighbours(image.pixels[None], sizes, 3)
    (tokens,) = tokens_of(method, image).values()
    words = method.words(tokens)["local"]
    assert [[cell[0] for cell in row] for row in near["local"]] == [list(row) for row in words]
    assert all(len(cell) == 3 for row in near["local"] for cell in row)


def test_the_fingerprint_tells_what_tokens_depend_on_and_nothing_else(folder):
    plain = built(folder).fingerprint
    assert built(folder, budget=3, raw_join=True).fingerprint == plain
    with toys.seeded(2):
        other = LQAE(SIZES)
    backbones = toys.backbones()
    mlm, llm = backbones.get("mlm"), backbones.get("llm")
    assert LQAEMethod(other, mlm, llm, LQAEMethodSettings()).fingerprint != plain


def test_no_weights_are_one_sentence():
    with pytest.raises(ValueError, match=r"no weights for method 'lqae'.*frostbench train"):
        LQAEMethod.build(Setup(toys.backbones()))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"budged": 8}, "method.lqae: no setting named 'budged'.*'budget'"),
        ({"budget": 17}, "budget is 17, and an image has 16 words"),
        ({"budget": 0}, "budget is 0, and an image has 16 words"),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(folder, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        built(folder, **settings)
