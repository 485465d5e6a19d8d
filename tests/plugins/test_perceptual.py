import lpips
import pytest
import torch
import torchvision

from frostbench.packs.mini.recipes.perceptual import BLURS, NOISES, sanity
from frostbench.packs.mini.scenes.training_images import MiniImages
from frostbench.plugins.backbones.perceptual import MINI, VGG16, Perceptual, PerceptualSettings
from frostbench.plugins.host.packs import embedded_pack

PACK = embedded_pack("mini")
SMALL = PerceptualSettings(((4,), (6, 6)))


@pytest.fixture(scope="module")
def landed() -> Perceptual:
    return Perceptual.load(PACK / "perceptual")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return MiniImages(PACK / "data").batch("validation", 8, 0)


def random_network(settings: PerceptualSettings) -> Perceptual:
    torch.manual_seed(0)
    network = Perceptual(settings, "random")
    for head in network.heads:
        torch.nn.init.uniform_(head)
    return network.requires_grad_(False)


def test_the_distance_is_that_of_the_lpips_package(images):
    network = random_network(SMALL)
    scaling = lpips.ScalingLayer()
    total = torch.zeros(8)
    pairs = (
        [network.stack[:2](scaling(x * 2 - 1)) for x in (images, images.roll(1, 0))],
        [network.stack(scaling(x * 2 - 1)) for x in (images, images.roll(1, 0))],
    )
    for (x, y), head in zip(pairs, network.heads, strict=True):
        squares = (lpips.normalize_tensor(x) - lpips.normalize_tensor(y)) ** 2
        weighed = torch.nn.functional.conv2d(squares, head[None, :, None, None])
        total += lpips.spatial_average(weighed).flatten()
    found = network.distance(images, images.roll(1, 0))
    torch.testing.assert_close(found, total, rtol=1e-3, atol=1e-4)


def test_torchvisions_vgg16_fits_the_stack_by_name_and_shape():
    with torch.device("meta"):
        theirs = torchvision.models.vgg16().features.state_dict()
        ours = Perceptual(VGG16, "vgg16").stack.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_a_image_is_at_no_distance_from_itself_and_distance_is_symmetric(landed, images):
    other = images.roll(1, 0)
    assert landed.distance(images, images).tolist() == [0.0] * 8
    torch.testing.assert_close(landed.distance(images, other), landed.distance(other, images))
    assert (landed.distance(images, other) > 0).all()


def test_a_pairs_distance_does_not_depend_on_its_batch(landed, images):
    other = images.roll(1, 0)
    alone = torch.cat(
        [landed.distance(a[None], b[None]) for a, b in zip(images, other, strict=True)]
    )
    torch.testing.assert_close(landed.distance(images, other), alone, rtol=1e-4, atol=1e-5)


def test_distance_rises_with_blur_and_with_noise(landed):
    figures = sanity(landed, PACK / "data", 64)
    for name, strengths in (("blur", BLURS), ("noise", NOISES)):
        distances = [figures[f"{name} {strength:g}"] for strength in strengths]
        assert distances == sorted(distances)
        assert 0 < distances[0] < distances[-1] < figures["another picture"]


def test_gradients_stay_finite_where_nothing_responds(landed):
    flat = torch.zeros(1, 3, 32, 32, requires_grad=True)
    landed.distance(flat, torch.ones(1, 3, 32, 32)).sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_features_are_one_vector_an_image_of_any_size(landed, images):
    assert landed.features(images).shape == (8, 128)
    assert landed.features(images[..., :40, :56]).shape == (8, 128)


def test_what_is_saved_is_loaded_frozen_under_an_identity_that_follows_the_weights(tmp_path):
    network = random_network(SMALL)
    network.save(tmp_path, "small")
    first = Perceptual.load(tmp_path)
    assert first.settings == SMALL
    assert not any(p.requires_grad for p in first.parameters())
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(tensor, network.state_dict()[name].half().float())
    assert first.identity.startswith("small-")
    network.stack[0].bias.data += 1
    network.save(tmp_path, "small")
    assert Perceptual.load(tmp_path).identity != first.identity


def test_a_folder_without_a_network_and_weights_cut_short_are_said_to_be_so(tmp_path):
    with pytest.raises(ValueError, match="no perceptual network"):
        Perceptual.load(tmp_path)
    random_network(SMALL).save(tmp_path, "small")
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ValueError, match="cut short"):
        Perceptual.load(tmp_path)


def test_weights_of_other_sizes_are_refused(tmp_path):
    random_network(SMALL).save(tmp_path, "small")
    settings = (tmp_path / "settings.json").read_text().replace("6", "7")
    (tmp_path / "settings.json").write_text(settings)
    with pytest.raises(ValueError, match="another shape"):
        Perceptual.load(tmp_path)


def test_the_landed_network_has_the_mini_sizes_and_says_so(landed):
    assert landed.settings == MINI
    assert landed.identity.startswith("mini-")


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (6, 9)])
def test_taps_are_those_of_the_stack_bit_for_bit_at_odd_sizes_too(size):
    network = random_network(PerceptualSettings(((4,), (6,), (5,))))
    pixels = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        network.taps(pixels)[-1], network.stack((pixels - network.mean) / network.std)
    )


def test_gradients_are_those_of_max_pooling(landed):
    pixels = torch.full((1, 3, 8, 8), 0.5).requires_grad_()
    wanted = torch.autograd.grad(landed.stack((pixels - landed.mean) / landed.std).sum(), pixels)
    found = torch.autograd.grad(landed.taps(pixels)[-1].sum(), pixels)
    assert torch.equal(found[0], wanted[0])
