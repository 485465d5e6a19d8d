import numpy as np
import pytest
import torch
from lqae_world import SIZES

from frostbench.baselines.lqae.checkpoint import load_published
from frostbench.baselines.lqae.model import LQAE
from frostbench.plugins.kit import toys

DENSE = ("query", "key", "value", "out")


@pytest.fixture(scope="module")
def model():
    with toys.seeded(4):
        model = LQAE(SIZES).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3)
    return model


def norm(layer):
    return {"scale": layer.weight.numpy(), "bias": layer.bias.numpy()}


def tree(network, prefix):
    found = {f"{prefix}/pos_embedding": network.positions.numpy()[None]}
    for number, block in enumerate(network.blocks):
        at = f"{prefix}/Transformer_0/{number}"
        glu = block.feed_forward
        layers = {
            "LayerNorm_0": norm(block.norm),
            "LayerNorm_1": norm(block.norm_after),
            "GLU_0/layernorm_0": norm(glu.norm),
            "GLU_0/layernorm_1": norm(glu.inner_norm),
            "GLU_0/fc1": {"kernel": glu.gate.weight.numpy().T},
            "GLU_0/fc2": {"kernel": glu.up.weight.numpy().T},
            "GLU_0/fc_out": {"kernel": glu.down.weight.numpy().T},
            "GLU_0/mid_ffn_conv": {"kernel": np.transpose(glu.around.weight.numpy(), (2, 3, 1, 0))},
        }
        for place, name in enumerate(DENSE):
            weight = getattr(block.attention, name).weight.numpy()
            layers[f"Attention_0/Dense_{place}"] = {"kernel": weight.T}
        for layer, values in layers.items():
            found |= {f"{at}/{layer}/{name}": value for name, value in values.items()}
    return found


def flax(model):
    """Parameters as the published code names them, axes as Flax orders them."""
    with torch.no_grad():
        found = {**tree(model.encoder, "encoder"), **tree(model.decoder, "decoder")}
        found["encoder/ConvPatches_0/patch_embeds/kernel"] = np.transpose(
            model.encoder.patches.weight.numpy(), (2, 3, 1, 0)
        )
        kernel = np.transpose(model.decoder.pixels.weight.numpy(), (2, 3, 0, 1))
        found["decoder/ConvTranspose_0/kernel"] = kernel[::-1, ::-1]
        found["decoder/ConvTranspose_0/bias"] = model.decoder.pixels.bias.numpy()
    found["lang_model/lm_head/bias"] = np.zeros(3, np.float32)
    return found


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
