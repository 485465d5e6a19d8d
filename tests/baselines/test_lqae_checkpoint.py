import numpy as np
import pytest
import torch
from lqae_world import SIZES, flax

from frostbench.baselines.lqae.checkpoint import load_published
from frostbench.baselines.lqae.model import LQAE
from frostbench.plugins.kit import toys


@pytest.fixture(scope="module")
def model():
    with toys.seeded(4):
        model = LQAE(SIZES).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3)
    return model


def written(folder, parameters):
    path = folder / "lqae.npz"
    np.savez(path, **parameters)
    return path


def test_a_checkpoint_comes_back_whole_without_its_language_model(model, tmp_path):
    loaded = load_published(written(tmp_path, flax(model)), SIZES)
    state = loaded.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert not loaded.training


def test_pixels_lie_where_flax_lays_them(model, tmp_path):
    parameters = flax(model)
    decoder = load_published(written(tmp_path, parameters), SIZES).decoder
    kernel = parameters["decoder/ConvTranspose_0/kernel"]
    cells = torch.randn(1, 2, 2, 32, generator=torch.Generator().manual_seed(0))
    # Flax convolves the cells, set apart by zeros, with the kernel: offset u of a cell reads its
    # entry side - 1 - u.
    laid = np.einsum("ijc,uvco->iujvo", cells[0].numpy(), kernel[::-1, ::-1]).reshape(8, 8, 3)
    laid = laid + parameters["decoder/ConvTranspose_0/bias"]
    with torch.no_grad():
        pixels = decoder.pixels(cells.movedim(-1, 1))[0]
    assert np.allclose(pixels.movedim(0, -1).numpy(), laid, atol=1e-5)


def test_a_missing_or_unknown_parameter_is_named(model, tmp_path):
    parameters = flax(model)
    parameters["encoder/Transformer_0/0/Dense_9/kernel"] = parameters.pop("encoder/pos_embedding")
    with pytest.raises(
        ValueError, match=r"1 missing \(encoder.positions\).*1 unexpected .*Dense_9"
    ):
        load_published(written(tmp_path, parameters), SIZES)


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "lqae.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"no checkpoint .*lqae\.npz|lqae\.npz is no checkpoint"):
        load_published(path, SIZES)
