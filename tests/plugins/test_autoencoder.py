import pytest
import torch

from frostbench.plugins.parts.autoencoder.blocks import CrossAttention, SelfAttention
from frostbench.plugins.parts.autoencoder.decoder import Decoder
from frostbench.plugins.parts.autoencoder.encoder import Encoder
from frostbench.plugins.parts.autoencoder.reconstruction import psnr
from frostbench.plugins.parts.autoencoder.settings import ContextSettings, NetworkSettings

SMALL = NetworkSettings(
    channels=4,
    multipliers=(1, 2, 2),
    residual_blocks=1,
    attention_sizes=(16,),
    nominal_size=32,
    z_channels=3,
    norm_groups=2,
)


def test_the_grid_has_one_cell_for_each_factor_of_pixels():
    z = Encoder(SMALL)(torch.zeros(2, 3, 16, 24))
    assert z.shape == (2, 3, 4, 6)
    assert Decoder(SMALL)(z).shape == (2, 3, 16, 24)


def test_a_image_that_does_not_divide_into_cells_is_refused():
    with pytest.raises(ValueError, match="18x16 pixels does not divide into cells of 4x4"):
        Encoder(SMALL)(torch.zeros(1, 3, 18, 16))


def test_attention_follows_the_nominal_size_and_not_the_image():
    assert [SMALL.attends(level) for level in range(3)] == [False, True, False]
    v2l = NetworkSettings(multipliers=(1, 2, 2, 4))
    assert not any(v2l.attends(level) for level in range(4))


def test_widths_that_the_groups_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="norm_groups"):
        NetworkSettings(channels=24)


def test_self_attention_is_softmax_of_scaled_products():
    torch.manual_seed(0)
    block = SelfAttention(6, 2)
    x = torch.randn(2, 6, 3, 2)
    normed = block.norm(x)
    query, key, value = (part(normed).flatten(2) for part in (block.q, block.k, block.v))
    weights = (torch.einsum("bdi,bdj->bij", query, key) / 6**0.5).softmax(2)
    read = torch.einsum("bij,bdj->bdi", weights, value).view(x.shape)
    assert torch.allclose(block(x), x + block.proj_out(read), atol=1e-6)


def test_what_is_read_from_the_context_replaces_the_features_unless_residual():
    torch.manual_seed(0)
    context = torch.randn(1, 5, 7)
    cells = torch.randn(1, 3, 4, 4)
    states = {}
    for residual in (False, True):
        decoder = Decoder(SMALL, ContextSettings(width=7, heads=2, residual=residual))
        decoder.load_state_dict(states or decoder.state_dict())
        states = decoder.state_dict()
        middle = decoder.mid
        x = middle.attn_1(middle.block_1(decoder.conv_in(cells)))
        read = middle.cross_attn_1(x, context)
        expected = middle.block_2(x + read if residual else read)
        assert torch.equal(middle(decoder.conv_in(cells), context), expected)


def test_each_head_of_the_cross_attention_is_as_wide_as_the_features():
    attention = CrossAttention(8, context=5, heads=3)
    assert attention.to_q.weight.shape == (24, 8)
    assert attention.to_k.weight.shape == attention.to_v.weight.shape == (24, 5)
    assert attention.to_out[0].weight.shape == (8, 24)


def test_a_context_is_given_exactly_where_it_is_read():
    cells, context = torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 7)
    with pytest.raises(TypeError, match="reads no context"):
        Decoder(SMALL)(cells, context)
    with pytest.raises(TypeError, match="none was given"):
        Decoder(SMALL, ContextSettings(width=7, heads=1))(cells)


def test_psnr_is_that_of_each_image_with_values_clamped():
    images = torch.zeros(2, 3, 4, 4)
    noisy = torch.stack([images[0] + 0.2, images[1] + 5])
    assert psnr(images, noisy).tolist() == pytest.approx([20.0, 10 * 0.60206], abs=1e-4)
