import warnings

import lpips
import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid
from torchvision.models import alexnet

from frostbench.bench.statistics import frechet_distance
from frostbench.eval_suites.metrics.inception import fid_inception, fid_inception_v2l
from frostbench.eval_suites.metrics.lpips import lpips_alex, lpips_alex_v2l, lpips_vgg
from frostbench.eval_suites.metrics.perceptual import fid_mini, lpips_mini
from frostbench.plugins.backbones.perceptual import Perceptual, PerceptualSettings
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import MetricContext
from frostbench.plugins.contract.predictions import ImagePrediction


class Shelf:
    def __init__(self, network):
        self.network = network

    def get(self, role):
        if role != "perceptual":
            raise LookupError(f"no backbone of the role {role!r}.")
        return self.network


@pytest.fixture(scope="module")
def mini():
    torch.manual_seed(0)
    network = Perceptual(PerceptualSettings(((8,), (16,))), "toy").eval().requires_grad_(False)
    return MetricContext(Shelf(network))


@pytest.fixture(autouse=True)
def _no_download(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("tried to download")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)


def pictures(count, seed, side=40):
    source = torch.Generator().manual_seed(seed)
    return [Image(torch.rand(3, side, side, generator=source)) for _ in range(count)]


def features(count, width, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1 + shift, (count, width))


def by_fidelity(a, b):
    statistics = [fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def by_torchmetrics(a, b):
    moments = [
        t for x in (a, b) for t in (torch.from_numpy(x).mean(0), torch.from_numpy(x).T.cov())
    ]
    return float(_compute_fid(*moments))


@pytest.mark.parametrize(("count", "width"), [(500, 16), (300, 64), (2000, 128)])
def test_frechet_distance_agrees_with_torch_fidelity_and_torchmetrics(count, width):
    a, b = features(count, width, 1), features(count, width, 2, shift=0.2)
    value = frechet_distance(a, b)
    assert value == pytest.approx(by_fidelity(a, b), rel=1e-9)
    assert value == pytest.approx(by_torchmetrics(a, b), rel=1e-9)


def test_frechet_distance_agrees_where_covariances_lack_rank():
    a, b = features(12, 64, 1), features(12, 64, 2, shift=0.2)
    assert frechet_distance(a, b) == pytest.approx(by_fidelity(a, b), rel=1e-5)


def test_frechet_distance_of_a_shifted_set_is_the_squared_shift():
    a = features(50, 8, 0)
    assert frechet_distance(a, a + 3) == pytest.approx(8 * 9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_few_samples_is_biased_upwards():
    few = frechet_distance(features(20, 32, 1), features(20, 32, 2))
    many = frechet_distance(features(2000, 32, 1), features(2000, 32, 2))
    assert few > 10 * many > 0


def test_lpips_of_the_pack_grows_with_the_disturbance_and_is_zero_for_the_truth(mini):
    metric = lpips_mini(mini)
    (truth,) = pictures(1, 0)
    noise = torch.randn(truth.pixels.shape, generator=torch.Generator().manual_seed(1))
    values = [
        metric(ImagePrediction((truth.pixels + s * noise).clamp(0, 1)), truth)
        for s in (0, 0.1, 0.4)
    ]
    assert values[0] == 0
    assert values[0] < values[1] < values[2]


def test_features_of_an_image_do_not_depend_on_the_others(mini):
    features = fid_mini(mini)
    images = pictures(4, 0)
    together = features(images)
    assert together.shape == (4, 16)
    assert np.array_equal(together[2:3], features(images[2:3]))
    assert frechet_distance(together, together) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(together, features(pictures(4, 1))) > 0


def test_features_of_a_broken_image_are_refused(mini):
    with pytest.raises(ValueError, match="has NaN or infinity in 4800"):
        fid_mini(mini)([Image(torch.full((3, 40, 40), torch.nan))])


@pytest.fixture(scope="module")
def alex_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    features_only = alexnet(weights=None).features.state_dict()
    torch.save({f"features.{key}": value for key, value in features_only.items()}, path)
    return path


def package_lpips(alex_file):
    """The package's own LPIPS with the file's trunk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    state = torch.load(alex_file, weights_only=True)
    own = {key: state[f"features.{key.split('.', 1)[1]}"] for key in reference.net.state_dict()}
    reference.net.load_state_dict(own)
    return reference


def test_published_lpips_takes_its_trunk_from_a_local_file_and_downloads_nothing(alex_file):
    metric = lpips_alex(MetricContext(None, {"alex": alex_file}))
    reference = package_lpips(alex_file)
    ours, truth = pictures(2, 3, side=64)
    expected = reference(ours.pixels[None] * 2 - 1, truth.pixels[None] * 2 - 1).item()
    assert metric(ImagePrediction(ours.pixels), truth) == pytest.approx(expected, rel=1e-5)
    assert metric(ImagePrediction(truth.pixels), truth) == 0
    small = torch.zeros(3, 31, 40)
    with pytest.raises(ValueError, match="needs sides of 32 pixels"):
        metric(ImagePrediction(small), Image(small))


def test_making_a_metric_does_not_touch_the_global_random_state(alex_file):
    before = torch.random.get_rng_state()
    lpips_alex(MetricContext(None, {"alex": alex_file}))
    assert torch.equal(before, torch.random.get_rng_state())


def test_published_networks_without_a_good_file_say_what_is_wanted(tmp_path, alex_file):
    with pytest.raises(
        ValueError, match=r"lpips\[alex\] needs torchvision's AlexNet.*metric_weights.alex=FILE"
    ):
        lpips_alex(MetricContext(None))
    with pytest.raises(ValueError, match="there is no weight file at"):
        lpips_vgg(MetricContext(None, {"vgg": tmp_path / "none.pth"}))
    cut = tmp_path / "cut.pth"
    cut.write_bytes(alex_file.read_bytes()[:2000])
    with pytest.raises(ValueError, match="cannot read the weight file"):
        lpips_alex(MetricContext(None, {"alex": cut}))
    other = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2)}, other)
    with pytest.raises(ValueError, match=r"lacks features\.0\.bias.*AlexNet"):
        lpips_alex(MetricContext(None, {"alex": other}))
    with pytest.raises(ValueError, match=r"fid\[inception-v3-pt\] needs pytorch-fid's Inception"):
        fid_inception(MetricContext(None))
    with pytest.raises(ValueError, match="is not pytorch-fid's Inception"):
        fid_inception(MetricContext(None, {"inception-v3-pt": other}))


def test_v2ls_lpips_sees_images_that_were_mapped_twice(alex_file):
    context = MetricContext(None, {"alex": alex_file})
    once, twice = lpips_alex(context), lpips_alex_v2l(context)
    ours, truth = pictures(2, 3, side=64)
    reference = package_lpips(alex_file)
    expected = reference(*(4 * image.pixels[None] - 3 for image in (ours, truth))).item()
    given = twice(ImagePrediction(ours.pixels), truth)
    assert given == pytest.approx(expected, rel=1e-5)
    assert given != pytest.approx(once(ImagePrediction(ours.pixels), truth), rel=1e-2)


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    """Random weights of the published Inception, and the network that has them."""
    tmp_path = tmp_path_factory.mktemp("inception")

    class Random(FeatureExtractorInceptionV3):
        def load_state_dict(self, *args, **kwargs):
            return None

    empty, path = tmp_path / "empty.pth", tmp_path / "inception.pth"
    torch.save({}, empty)
    network = Random("random", ["2048"], feature_extractor_weights_path=str(empty))
    torch.save(network.state_dict(), path)
    return path, network


def test_v2ls_fid_rounds_nothing_and_is_the_published_network_behind_its_resizing(inception_file):
    path, network = inception_file
    context = MetricContext(None, {"inception-v3-pt": path})
    rounded, bare = fid_inception(context), fid_inception_v2l(context)
    (image,) = pictures(1, 0, side=299)
    bytes_ = Image((image.pixels * 255).round() / 255)
    # At 299 pixels nothing is resized; (x - 128) / 128 and 2 x - 1 lie within 1/127 of each other.
    assert np.allclose(
        bare([bytes_]), rounded([bytes_]), atol=0.05 * np.abs(rounded([bytes_])).max()
    )
    assert not np.array_equal(bare([image]), bare([bytes_]))
    shifted = 2 * bytes_.pixels[None] - 1
    expected = torch.nn.Sequential(*list(network.children())[:-1])(shifted).flatten(1)
    assert np.allclose(bare([bytes_]), expected.numpy(), atol=1e-5)


def test_fid_takes_its_inception_from_a_local_file(inception_file):
    path, network = inception_file
    metric = fid_inception(MetricContext(None, {"inception-v3-pt": path}))
    (image,) = pictures(1, 0)
    (expected,) = network((image.pixels * 255).round().to(torch.uint8)[None])
    found = metric([image])
    assert found.shape == (1, 2048)
    assert np.allclose(found, expected.numpy(), atol=1e-5)
