import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from frostbench.baselines.spae.codebook import CodebookWords
from frostbench.baselines.spae.method import SPAEMethod, SPAEMethodSettings
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Ids
from frostbench.plugins.contract.requests import (
    Classify,
    Interpret,
    LabelledImage,
    OracleContext,
    Reconstruct,
    Restore,
)
from frostbench.plugins.contract.tokens import Pyramid, VisualTokens
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.training import folder as stored


@pytest.fixture(scope="module")
def toy():
    return SPAEMethod.toy()


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spae")
    stored.save(folder, toy._model.settings, toy._model.state_dict())
    CodebookWords(tuple(range(len(toy._words))), toy._words, "toy").save(folder)
    return folder


def built(folder, backbones=None, **settings):
    return SPAEMethod.build(Setup(backbones or toys.backbones(), folder, settings))


def picture(seed, height=16, width=16):
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.rand(3, height, width, generator=draw), f"picture {seed}")


def tokens_of(method, *images):
    return {
        image: method.tokenize(image.pixels[None], torch.tensor([image.size])) for image in images
    }


def run(method, request, *images):
    (outcome,) = drive([method.prompt(request, tokens_of(method, *images))], toys.engine())
    assert outcome.error is None
    return outcome.value


def test_the_installed_plugin_offers_the_method_and_its_recipe():
    host = Host()
    assert host.methods["spae"].load() is SPAEMethod
    assert host.methods["spae"].card is SPAEMethod.card
    assert host.recipes["spae"].card.needs == ("data", "llm", "clip", "perceptual")


def test_reading_the_card_loads_no_torch():
    code = "import sys, frostbench.baselines.spae.plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_image_is_a_pyramid_of_words(toy):
    (tokens,) = tokens_of(toy, picture(0)).values()
    layers = tokens.parts["pyramid"].layers
    assert [tuple(layer.shape) for layer in layers] == [(1, 1, 1), (1, 2, 2), (1, 4, 4), (1, 4, 4)]
    words = toy.words(tokens)
    assert list(words) == ["pyramid/1", "pyramid/2", "pyramid/3", "pyramid/4"]
    language = toys.backbones().get("llm")
    for layer, rows in zip(layers, words.values(), strict=True):
        ids = toy.token_map.ids_of(layer)
        assert [word for row in rows for word in row] == [language.decode([i]) for i in ids]


@pytest.mark.parametrize(("layers", "count"), [(1, 1), (2, 5), (3, 21)])
def test_a_prompt_shows_the_upper_layers_row_by_row(folder, layers, count):
    method = built(folder, shown_layers=layers)
    image, other = picture(0), picture(1)
    tokens = tokens_of(method, image, other)
    request = Classify("c", image, (LabelledImage(other, "cat"),), ("cat", "dog"))
    (prompt,) = next(method.prompt(request, tokens))
    flat = [ids for layer in tokens[image].parts["pyramid"].layers for ids in layer.flatten()]
    assert prompt.query[1] == Ids(tuple(method.token_map.ids_of(torch.stack(flat[:count]))))
    assert len(prompt.shots[0].shown[1].ids) == count
    assert method.shortened_by == ("shown_layers",)


def test_an_interpretation_is_the_shown_words_the_first_layer_first(toy):
    image = picture(0)
    said = run(toy, Interpret("i", image), image).split("\n")
    words = toy.words(tokens_of(toy, image)[image])
    upper = [*words["pyramid/1"][0], *(word for row in words["pyramid/2"] for word in row)]
    assert said == [word.strip() for word in upper]


def test_pyramids_cut_short_are_rendered(toy):
    (tokens,) = tokens_of(toy, picture(0)).values()
    layers = tokens.parts["pyramid"].layers
    whole = toy.render(tokens)
    cut = toy.render(VisualTokens({"pyramid": Pyramid(layers[:2])}))
    assert whole.shape == cut.shape == (1, 3, 16, 16)
    assert not torch.equal(whole, cut)


def test_the_nearest_neighbour_of_a_token_is_its_word(toy):
    image = picture(3)
    (near,) = toy.neighbours(image.pixels[None], torch.tensor([image.size]), 4)
    words = toy.words(tokens_of(toy, image)[image])
    for name, rows in words.items():
        for row, several in zip(rows, near[name], strict=True):
            assert [one[0] for one in several] == row
            assert all(len(one) == 4 for one in several)


def test_a_reconstruction_and_a_restoration_have_the_requests_size(toy):
    image, clean = picture(0, 12, 20), picture(1, 12, 20)
    requests = [Reconstruct("a", image), Restore("b", image, "blur", OracleContext(clean, 2))]
    outcomes = [run(toy, requests[0], image), run(toy, requests[1], image, clean)]
    for prediction in toy.decode(requests, outcomes):
        assert prediction.pixels.shape == (3, 12, 20)


class Other:
    """The toy language model's tokens in another order, some of them gone."""

    def __init__(self):
        self._llm = toys.backbones().get("llm")
        self.vocabulary_size = 250
        self.eos_id = None

    def encode(self, text):
        return [self._move(i) for i in self._llm.encode(text)]

    def decode(self, ids):
        return self._llm.decode([self._move(i) for i in ids])

    def _move(self, i):
        return 319 - i


def test_another_language_model_says_the_words_that_it_has_and_the_rest_is_told(toy):
    words = CodebookWords(tuple(range(len(toy._words))), toy._words)
    method = SPAEMethod(toy._model, words, Other(), SPAEMethodSettings())
    lost = 1 - len(method.token_map.ids) / len(toy._words)
    assert 0 < lost < 0.5
    assert f"({lost:.1%})" in method.notes[0]
    assert toy.notes == ()
    assert method.fingerprint != toy.fingerprint
    (tokens,) = tokens_of(method, picture(0)).values()
    layers = tokens.parts["pyramid"].layers
    said = [word for rows in method.words(tokens).values() for row in rows for word in row]
    assert [Other().decode([i]) for layer in layers for i in method.token_map.ids_of(layer)] == said


def test_the_fingerprint_tells_what_tokens_depend_on_and_nothing_else(folder, toy):
    plain = built(folder).fingerprint
    assert built(folder, shown_layers=3, restoration={"step": 4}).fingerprint == plain
    other = SPAEMethod.toy()
    with toys.seeded(3):
        torch.nn.init.normal_(other._model.quant_conv.weight)
    assert other.fingerprint != toy.fingerprint


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"shown_layer": 1}, "method.spae: no setting named 'shown_layer'.*'shown_layers'"),
        ({"shown_layers": 0}, "shown_layers is 0: .* 4 layers"),
        ({"shown_layers": 5}, "shown_layers is 5: .* 4 layers"),
        ({"image_size": 32}, "image_size is 32, .* images of 16x16 pixels"),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(folder, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        built(folder, **settings)


def test_words_of_another_training_are_refused(toy):
    fewer = CodebookWords((0, 1), (" a", " b"))
    with pytest.raises(ValueError, match=r"2 words for \d+ rows .* not of one training"):
        SPAEMethod(toy._model, fewer, toys.backbones().get("llm"), SPAEMethodSettings())


def test_no_weights_are_one_sentence():
    with pytest.raises(ValueError, match=r"no weights for method 'spae'.*frostbench train"):
        SPAEMethod.build(Setup(toys.backbones()))


def test_a_language_model_without_the_words_is_refused_with_the_share(toy):
    class Foreign(Other):
        def decode(self, ids):
            return f"<{ids[0]}>"

    words = CodebookWords(tuple(range(len(toy._words))), toy._words)
    with pytest.raises(ValueError, match=r"only 0 of the codebook's .* \(0.0%\)"):
        SPAEMethod(toy._model, words, Foreign(), replace(SPAEMethodSettings()))
