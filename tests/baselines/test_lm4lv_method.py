import pytest
import torch
from torch.nn import functional

from frostbench.baselines.lm4lv.linear import LinearMaps
from frostbench.baselines.lm4lv.method import LM4LV, LM4LVLoRA, to_bicubic_square
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.baselines.lm4lv.training import teacher_forced
from frostbench.baselines.lm4lv.weights import Trained
from frostbench.baselines.lm4lv.wording import Wording, frame
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import NoContext, Reconstruct, Restore
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.kit import toys

TOLERANCE = 1e-5  # between an image alone and among eight, in float32


@pytest.fixture(scope="module")
def method():
    return LM4LV.toy()


def pictures(count, side=16):
    draw = torch.Generator().manual_seed(side)
    return [Image(torch.rand(3, side, side, generator=draw), str(i)) for i in range(count)]


def restore(method, images, corruption="deblurring", variant=""):
    requests = [
        Restore(image.name, image, corruption, NoContext(), variant=variant) for image in images
    ]
    outcomes = drive(asked(method, requests), toys.engine())
    return requests, outcomes


def asked(method, requests):
    return [
        method.prompt(request, {request.image: tokens(method, request)}) for request in requests
    ]


def tokens(method, request):
    pixels = request.image.pixels
    return method.tokenize(pixels[None], torch.tensor([pixels.shape[1:]]))


def test_what_it_regresses_is_what_it_says_when_it_reads_its_own_answer(method):
    images = pictures(2)
    _, outcomes = restore(method, images)
    answers = torch.stack([outcome.value for outcome in outcomes])
    lm, mae = toys.backbones().get("llm"), toys.backbones().get("mae")
    adapters = method._trained[0].adapters
    degraded = mae.encode(torch.stack([image.pixels for image in images]))
    row = torch.tensor([adapters.settings.tasks.index("deblurring")] * 2)
    said = teacher_forced(lm, adapters, frame(Wording(), lm), degraded, answers, row)
    torch.testing.assert_close(said.clean, answers, atol=1e-4, rtol=0)


def test_a_image_alone_and_among_eight_is_the_same(method):
    images = pictures(8)
    requests, outcomes = restore(method, images)
    together = method.decode(requests, [outcome.value for outcome in outcomes])
    for request, prediction in zip(requests, together, strict=True):
        (one,), (outcome,) = restore(method, [request.image])
        (alone,) = method.decode([one], [outcome.value])
        torch.testing.assert_close(alone.pixels, prediction.pixels, atol=TOLERANCE, rtol=0)


def test_tasks_and_their_variants_have_answers_of_their_own(method):
    images = pictures(1)
    (blur,) = restore(method, images, "deblurring")[1]
    (turned,) = restore(method, images, "rotation", "90")[1]
    assert blur.error is None
    assert turned.error is None
    # Fresh task tokens are zeros, alike for all; what is trained is not.
    with torch.no_grad():
        method._trained[0].adapters.learnable_task_token[2] += 1
    (other,) = restore(method, images, "rotation", "90")[1]
    with torch.no_grad():
        method._trained[0].adapters.learnable_task_token[2] -= 1
    assert not torch.equal(other.value, blur.value)


def test_a_restoration_nobody_trained_fails_by_itself_and_says_which_there_are(method):
    (outcome,) = restore(method, pictures(1), "rotation", "180")[1]
    assert "deblurring, denoising, rotation/90" in outcome.error
    assert "'rotation/180'" in outcome.error


def test_reconstruction_goes_through_encoder_and_decoder_alone(method):
    (image,) = pictures(1)
    request = Reconstruct("one", image)
    (outcome,) = drive(asked(method, [request]), toys.engine())
    (prediction,) = method.decode([request], [outcome.value])
    mae = toys.backbones().get("mae")
    expected = mae.decode(mae.encode(image.pixels[None]))[0].clamp(0, 1)
    torch.testing.assert_close(prediction.pixels, expected, atol=1e-6, rtol=0)
    assert outcome.cost.prompt_tokens == 0


def test_images_come_back_at_the_size_of_the_request(method):
    image = Image(torch.rand(3, 20, 33))
    requests, (outcome,) = restore(method, [image])
    (prediction,) = method.decode(requests, [outcome.value])
    assert prediction.pixels.shape == (3, 20, 33)


def test_squares_are_bicubic_without_their_padding():
    pixels = torch.rand(3, 30, 20)
    padded = functional.pad(pixels, (0, 12, 0, 2), value=9.0)
    sizes = torch.tensor([[30, 20]])
    (square,) = to_bicubic_square(padded[None], sizes, 16)
    wanted = functional.interpolate(pixels[None], (16, 16), mode="bicubic", antialias=True)[0]
    torch.testing.assert_close(square, wanted.clamp(0, 1))
    assert torch.equal(
        to_bicubic_square(pixels[None, :, :16, :16], torch.tensor([[16, 16]]), 16)[0],
        pixels[:, :16, :16],
    )


def test_a_image_smaller_than_the_encoder_reads_is_refused(method):
    with pytest.raises(ValueError, match="images of 16 x 16 pixels, and got one of 12 x 40"):
        method.tokenize(torch.rand(1, 3, 12, 40), torch.tensor([[12, 40]]))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"llm_width": 48}, "embeddings of width 48, and language model toy has 32"),
        ({"width": 24}, "features of width 24, and the masked autoencoder toy has 16"),
    ],
)
def test_adapters_of_another_width_are_refused(sizes, said):
    settings = AdapterSettings(**{"width": 16, "llm_width": 32, "task_tokens": 2} | sizes)
    trained = Trained(Adapters(settings), LinearMaps(1, settings.width))
    backbones = toys.backbones()
    with pytest.raises(ValueError, match=said):
        LM4LV([trained], backbones.get("llm"), backbones.get("mae"))


def test_features_that_are_no_numbers_are_refused(method):
    (image,) = pictures(1)
    features = torch.full((17, 16), float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        method.decode([Reconstruct("one", image)], [features])


def test_features_that_become_infinite_fail_their_own_image_alone(method):
    good, bad = pictures(2)
    requests = [Restore(one.name, one, "deblurring", NoContext()) for one in (good, bad)]
    given = [tokens(method, request) for request in requests]
    given[1].parts["features"].features[0, 3] = float("inf")
    waves = [method.prompt(r, {r.image: t}) for r, t in zip(requests, given, strict=True)]
    fine, broken = drive(waves, toys.engine())
    assert fine.error is None
    assert "finite" in broken.error


def test_the_control_without_a_language_model_asks_none_and_maps_each_place(method):
    control = method.control("no_llm")
    images = pictures(2)
    requests, outcomes = restore(control, images)
    assert [outcome.cost.prompt_tokens for outcome in outcomes] == [0, 0]
    mae = toys.backbones().get("mae")
    # A toy's linear maps are the identity, so that it gives the degraded image back.
    for request, outcome in zip(requests, outcomes, strict=True):
        expected = mae.encode(request.image.pixels[None])[0]
        torch.testing.assert_close(outcome.value, expected, atol=1e-6, rtol=0)
    assert control.fingerprint == method.fingerprint
    with pytest.raises(LookupError, match="no control named 'no_words'"):
        method.control("no_words")


def test_tokens_of_the_variant_with_a_lora_are_those_of_the_method(method):
    assert LM4LVLoRA.toy().fingerprint != method.fingerprint
    assert LM4LVLoRA.card.adapters
