import pytest
import torch
from torch import nn

from frostbench.baselines.vqgan.model import F16_1024, F16_16384, VQGAN
from frostbench.plugins.parts.autoencoder.discriminator import Discriminator
from frostbench.plugins.parts.autoencoder.settings import DiscriminatorSettings


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def published() -> VQGAN:
    with torch.device("meta"):
        return VQGAN(F16_1024)


def test_the_published_sizes_have_the_published_numbers_of_parameters(published):
    assert parameters(published.encoder) == 29_298_176
    assert parameters(published.decoder) == 42_449_795
    assert parameters(published.quant_conv) == parameters(published.post_quant_conv) == 65_792


def test_the_published_state_dict_has_343_tensors_of_known_names_and_shapes(published):
    state = {name: tuple(tensor.shape) for name, tensor in published.state_dict().items()}
    assert len(state) == 343
    counts = {
        part: sum(name.startswith(part) for name in state) for part in ("encoder.", "decoder.")
    }
    assert counts == {"encoder.": 144, "decoder.": 194}
    for name, shape in {
        "encoder.conv_in.weight": (128, 3, 3, 3),
        "encoder.down.0.downsample.conv.weight": (128, 128, 3, 3),
        "encoder.down.2.block.0.nin_shortcut.weight": (256, 128, 1, 1),
        "encoder.down.4.attn.1.proj_out.weight": (512, 512, 1, 1),
        "encoder.mid.attn_1.q.bias": (512,),
        "encoder.conv_out.weight": (256, 512, 3, 3),
        "decoder.conv_in.weight": (512, 256, 3, 3),
        "decoder.mid.block_2.conv2.weight": (512, 512, 3, 3),
        "decoder.up.4.attn.2.norm.weight": (512,),
        "decoder.up.1.block.0.nin_shortcut.weight": (128, 256, 1, 1),
        "decoder.up.1.upsample.conv.bias": (128,),
        "decoder.norm_out.weight": (128,),
        "decoder.conv_out.weight": (3, 128, 3, 3),
        "quantize.embedding.weight": (1024, 256),
        "quant_conv.weight": (256, 256, 1, 1),
        "post_quant_conv.bias": (256,),
    }.items():
        assert state[name] == shape, name


def test_the_larger_codebook_is_a_setting():
    with torch.device("meta"):
        assert VQGAN(F16_16384).quantize.embedding.weight.shape == (16384, 256)


@pytest.mark.parametrize(("layers", "count", "tensors"), [(3, 2_765_633, 22), (2, 663_361, 16)])
def test_the_discriminator_has_the_published_sizes(layers, count, tensors):
    with torch.device("meta"):
        discriminator = Discriminator(DiscriminatorSettings(layers=layers))
    assert parameters(discriminator) == count
    assert len(discriminator.state_dict()) == tensors
    assert all(name.startswith("main.") for name in discriminator.state_dict())
