from dataclasses import replace

import pytest
import torch

from frostbench.baselines.spae.model import SPAE, SPAESettings
from frostbench.baselines.spae.semantic import SemanticSettings
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings

TINY = SPAESettings(
    network=NetworkSettings(
        channels=4,
        multipliers=(1, 2),
        residual_blocks=1,
        attention_sizes=(),
        nominal_size=8,
        z_channels=4,
        norm_groups=2,
    ),
    layers=(1, 2, 4, 4),
    words=30,
    width=6,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = SPAE(TINY).eval()
    model.set_codebook(torch.randn(30, 6))
    return model


def pictures(seed=0, count=2):
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_published_sizes_are_a_codebook_of_the_language_models_width_and_no_projection():
    with torch.device("meta"):
        model = SPAE(SPAESettings())
    state = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert state["codebook"] == (65_000, 4096)
    assert state["quant_conv.weight"] == (4096, 256, 1, 1)
    assert state["post_quant_conv.weight"] == (256, 4096, 1, 1)
    assert not any(name.startswith("code_projection") for name in state)
    assert model.settings.image_size == 128
    assert model.settings.grid == 16
    widths = [level.block[0].conv2.weight.shape[0] for level in model.encoder.down]
    assert widths == [128, 256, 256, 512]
    assert "codebook" not in dict(model.named_parameters())


def test_images_become_layers_and_layers_become_images(model):
    layers = model.encode(pictures())
    assert [tuple(ids.shape) for ids in layers] == [(2, 1, 1), (2, 2, 2), (2, 4, 4), (2, 4, 4)]
    for depth in range(1, 5):
        assert model.decode(layers[:depth]).shape == (2, 3, 8, 8)


def test_the_whole_pyramid_decodes_to_what_training_sees(model):
    with torch.no_grad():
        result = model(pictures())
    assert torch.allclose(model.decode(model.encode(pictures())), result.images, atol=1e-5)
    ids = torch.cat([ids.flatten(1) for ids in model.encode(pictures())], 1)
    assert torch.equal(result.ids, ids)
    assert result.guidance is None


def test_a_part_of_the_codebook_is_all_that_is_chosen_from(model):
    rows = torch.tensor([3, 8, 20])
    streamed = model.stream(pictures(), rows)
    assert int(torch.cat(streamed.ids, 1).max()) < 3
    whole = model.stream(pictures(), torch.arange(30))
    for some, every in zip(whole.ids, model.stream(pictures()).ids, strict=True):
        assert torch.equal(some, every)


def test_an_encoder_that_drops_depth_shows_each_image_its_own_layers(model):
    dropping = SPAE(replace(TINY, depth_dropout=0.25)).train()
    dropping.load_state_dict(model.state_dict())
    torch.manual_seed(1)
    images = pictures(count=1).expand(32, 3, 8, 8)
    shown = dropping(images).images.detach()
    layers = [ids[:1] for ids in model.encode(images)]
    with torch.no_grad():
        depths = [dropping.decode(layers[:depth])[0] for depth in range(1, 5)]
    counts = [0] * 4
    for image in shown:
        near = [float((image - other).abs().max()) for other in depths]
        assert min(near) < 1e-4
        counts[near.index(min(near))] += 1
    assert min(counts) > 0


def test_gradients_pass_the_codes_to_the_encoder_and_leave_the_codebook_alone(model):
    scored = torch.rand(2, 30)
    result = model.train()(pictures(), None, scored, SemanticSettings(thresholds=(0.9, 0.5)))
    (result.images.square().mean() + result.guidance + result.codebook_loss).backward()
    assert float(model.encoder.conv_in.weight.grad.abs().max()) > 0
    assert not model.codebook.requires_grad


def test_a_projection_is_fitted_and_never_trained():
    model = SPAE(replace(TINY, code_projection=3))
    assert model.codes().shape == (30, 3)
    assert not any(p.requires_grad for p in model.code_projection.parameters())
    assert model.quant_conv.weight.shape == (3, 4, 1, 1)


def test_projected_words_can_be_made_of_one_length_about_their_mean():
    model = SPAE(replace(TINY, code_projection=3, equal_norms=True))
    model.set_codebook(torch.randn(30, 6))
    lengths = (model.codes() - model.code_projection.bias).norm(dim=1)
    assert torch.allclose(lengths, lengths[:1].expand(30), atol=1e-5)


def test_cells_of_upper_layers_can_have_a_head_of_their_own():
    torch.manual_seed(0)
    model = SPAE(replace(TINY, own_heads=2)).eval()
    with torch.no_grad():
        before = model.features(pictures())
        model.upper_conv[2].bias.add_(1.0)
        change = (model.features(pictures()) - before).abs().amax((0, 1))
    moved = {tuple(cell) for cell in change.nonzero().tolist()}
    assert moved == {(2, 2), (1, 1), (1, 3), (3, 1), (3, 3)}


def test_noise_takes_the_place_of_codes(model):
    result = model(pictures(), noise=0.5, scored=torch.rand(2, 30))
    assert result.ids is None
    assert result.guidance is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"layers": (4, 2)}, "layers go from coarse to fine"),
        ({"layers": ()}, "layers go from coarse to fine"),
        ({"depth_dropout": 0.4}, "depth_dropout of 0.4 at each of 3 depths leaves no whole"),
    ],
)
def test_settings_that_make_no_pyramid_are_one_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(TINY, **wrong)


def test_what_does_not_fit_is_one_sentence(model):
    with pytest.raises(ValueError, match=r"images of 8x8 pixels, not of 16x8"):
        model.encode(torch.zeros(1, 3, 16, 8))
    with pytest.raises(ValueError, match=r"the pyramid has \(1, 2, 4, 4\)"):
        model.decode([torch.zeros(1, 2, 2, dtype=torch.long)])
    with pytest.raises(ValueError, match="30 is the id of no word"):
        model.decode([torch.full((1, 1, 1), 30)])
    with pytest.raises(ValueError, match=r"the codebook is \(3, 6\)"):
        model.set_codebook(torch.zeros(3, 6))
