import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from frostbench.baselines.vqgan.method import VQGANMethod, VQGANMethodSettings
from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.plugins.contract.detection import Detect
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Ids, TokenSets
from frostbench.plugins.contract.requests import (
    Classify,
    LabelledImage,
    OracleContext,
    Reconstruct,
    Restore,
)
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings
from frostbench.plugins.parts.training import folder as stored

SIZES = VQGANSettings(
    NetworkSettings(
        channels=4,
        multipliers=(1, 2),
        residual_blocks=1,
        attention_sizes=(),
        nominal_size=8,
        z_channels=4,
        norm_groups=2,
    ),
    codes=50,
    embed_width=4,
)


@pytest.fixture(scope="module")
def model():
    with toys.seeded(1):
        model = VQGAN(SIZES).eval()
        torch.nn.init.normal_(model.quantize.embedding.weight)
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vqgan")
    stored.save(folder, SIZES, model.state_dict())
    return folder


def built(folder, **settings):
    return VQGANMethod.build(Setup(toys.backbones(), folder, settings))


def picture(seed, height=8, width=8):
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
    assert host.methods["vqgan"].load() is VQGANMethod
    assert host.methods["vqgan"].card is VQGANMethod.card
    assert host.recipes["vqgan"].card.needs == ("data", "perceptual")


def test_reading_the_card_loads_no_torch():
    code = "import sys, frostbench.baselines.vqgan.plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tokens_are_the_codes_of_the_stored_model(folder):
    method = built(folder)
    images = torch.stack([picture(i).pixels for i in range(3)])
    tokens = method.tokenize(images, torch.full((3, 2), 8))
    model = VQGAN(SIZES).eval()
    stored.load_into(model, folder)
    assert torch.equal(tokens.grid("local"), model.encode(images * 2 - 1))
    assert tokens.grid("local").shape == (3, 4, 4)


def test_images_are_resized_to_the_size_that_is_asked_for(folder):
    method = built(folder, image_size=16)
    tokens = method.tokenize(picture(0, 9, 30).pixels[None], torch.tensor([[9, 30]]))
    assert tokens.grid("local").shape == (1, 8, 8)


def test_a_reconstruction_is_the_decoded_codes_at_the_size_of_the_image(folder, model):
    method = built(folder)
    same_size, wide = picture(0), picture(1, 10, 20)
    requests = [Reconstruct("a", same_size), Reconstruct("b", wide)]
    outcomes = [run(method, request, request.image) for request in requests]
    first, second = method.decode(requests, outcomes)
    decoded = method.render(outcomes[0])[0]
    assert torch.equal(first.pixels, decoded.clamp(0, 1))
    assert second.pixels.shape == (3, 10, 20)
    assert float(second.pixels.min()) >= 0
    assert float(second.pixels.max()) <= 1


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({}, range(50)),
        ({"code_to_id": "offset", "first_id": 100}, range(100, 150)),
    ],
)
def test_codes_are_shown_as_the_ids_that_stand_for_them(folder, settings, ids):
    method = built(folder, **settings)
    image, other = picture(0), picture(1)
    shots = (LabelledImage(other, "cat"),)
    tokens = tokens_of(method, image, other)
    waves = method.prompt(Classify("c", image, shots, ("cat", "dog")), tokens)
    (prompt,) = next(waves)
    codes = tokens[image].grid("local").flatten().tolist()
    assert prompt.query[1] == Ids(tuple(ids[code] for code in codes))
    assert len(prompt.shots[0].shown[1].ids) == 16


def test_a_permutation_gives_each_code_another_id(folder):
    plain, permuted = built(folder), built(folder, code_to_id="permutation", first_id=10)
    assert permuted.token_map.ids != plain.token_map.ids
    assert len(set(permuted.token_map.ids)) == 50
    assert min(permuted.token_map.ids) >= 10


def test_restored_answers_are_held_to_the_codes(folder):
    method = built(folder, code_to_id="offset", first_id=100)
    image, clean = picture(0), picture(1)
    request = Restore("r", image, "blur", OracleContext(clean, 2))
    waves = method.prompt(request, tokens_of(method, image, clean))
    prompts = next(waves)
    assert len(prompts) == 8
    assert all(
        prompt.ask.allowed == TokenSets((frozenset(range(100, 150)),) * 2) for prompt in prompts
    )


def test_a_restoration_is_an_image_of_the_requests_size(folder):
    method = built(folder)
    image, clean = picture(0, 12, 9), picture(1, 12, 9)
    request = Restore("r", image, "blur", OracleContext(clean, 2))
    (prediction,) = method.decode([request], [run(method, request, image, clean)])
    assert prediction.pixels.shape == (3, 12, 9)


def test_classification_ends_in_one_of_the_options(folder):
    method = built(folder)
    image, other = picture(0), picture(1)
    request = Classify("c", image, (LabelledImage(other, "cat"),), ("cat", "dog"))
    (prediction,) = method.decode([request], [run(method, request, image, other)])
    assert prediction.text in ("cat", "dog")


def test_a_box_is_refused_with_the_reason_on_the_card(folder):
    method = built(folder)
    image = picture(0)
    waves = method.prompt(Detect("c", image, ("cat",)), tokens_of(method, image))
    (outcome,) = drive([waves], toys.engine())
    assert "got a Detect request: it has no box head" in outcome.error


def test_words_are_the_tokens_that_stand_for_codes_row_by_row(folder):
    method = built(folder, code_to_id="offset", first_id=100)
    (tokens,) = tokens_of(method, picture(0)).values()
    rows = method.words(tokens)["local"]
    language = toys.backbones().get("llm")
    grid = tokens.grid("local")[0].tolist()
    assert rows == [[language.decode([100 + code]) for code in row] for row in grid]


def test_the_fingerprint_tells_what_tokens_depend_on_and_nothing_else(folder, model):
    plain = built(folder).fingerprint
    assert built(folder).fingerprint == plain
    prompts = {"code_to_id": "offset", "first_id": 3, "restoration": {"step": 4}}
    assert built(folder, **prompts).fingerprint == plain
    assert built(folder, image_size=16).fingerprint != plain
    with toys.seeded(2):
        other = VQGANMethod(VQGAN(SIZES), toys.backbones().get("llm"), VQGANMethodSettings())
    assert other.fingerprint != plain


def test_prompt_settings_reach_the_prompts(folder):
    method = built(folder, **{"restoration.step": "4", "classification.decoding": "choose"})
    assert method.prompting.restoration.step == 4
    assert method.prompting.classification.decoding == "choose"


def test_no_weights_are_one_sentence():
    with pytest.raises(ValueError, match=r"no weights for method 'vqgan'.*frostbench train"):
        VQGANMethod.build(Setup(toys.backbones()))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"image_sise": 8}, "method.vqgan: no setting named 'image_sise'.*'image_size'"),
        ({"image_size": 9}, "image_size is 9, .* cells of 2 pixels"),
        (
            {"code_to_id": "offset", "first_id": 300},
            "50 codes from id 300 on need 350 ids, and the language model has 320",
        ),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(folder, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        built(folder, **settings)


def test_a_codebook_larger_than_the_vocabulary_is_refused_with_both_numbers():
    with toys.seeded():
        model = VQGAN(replace(SIZES, codes=1024))
    with pytest.raises(ValueError, match="need 1024 ids, and the language model has 320"):
        VQGANMethod(model, toys.backbones().get("llm"), VQGANMethodSettings())
