import pytest
import torch
from torch import nn
from v2l_world import SMALL

from frostbench.v2l.model import V2LSettings, V2LTokenizer


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def published() -> V2LTokenizer:
    with torch.device("meta"):
        return V2LTokenizer(V2LSettings())


@pytest.fixture(scope="module")
def small() -> V2LTokenizer:
    torch.manual_seed(0)
    return V2LTokenizer(SMALL).eval()


def test_the_published_sizes_have_the_published_numbers_of_parameters(published):
    assert parameters(published.encoder) == 26_455_936
    assert parameters(published.decoder) == 48_746_499


def test_the_published_state_dict_has_known_names_and_shapes(published):
    state = {name: tuple(tensor.shape) for name, tensor in published.state_dict().items()}
    # 602 in a checkpoint, less those of CLIP (296), discriminator (16), perceptual network (33).
    assert len(state) == 602 - 296 - 16 - 33
    assert sum(name.startswith("encoder.") for name in state) == 106
    assert sum(name.startswith("decoder.") for name in state) == 143
    for name, shape in {
        "encoder.down.1.block.0.nin_shortcut.weight": (256, 128, 1, 1),
        "encoder.down.3.block.0.nin_shortcut.weight": (512, 256, 1, 1),
        "encoder.down.2.downsample.conv.weight": (256, 256, 3, 3),
        "encoder.conv_out.weight": (256, 512, 3, 3),
        "decoder.conv_in.weight": (512, 256, 3, 3),
        "decoder.mid.attn_1.proj_out.weight": (512, 512, 1, 1),
        "decoder.mid.cross_attn_1.to_q.weight": (4096, 512),
        "decoder.mid.cross_attn_1.to_k.weight": (4096, 768),
        "decoder.mid.cross_attn_1.to_v.weight": (4096, 768),
        "decoder.mid.cross_attn_1.to_out.0.weight": (512, 4096),
        "decoder.mid.cross_attn_1.to_out.0.bias": (512,),
        "decoder.up.0.block.0.nin_shortcut.weight": (128, 256, 1, 1),
        "decoder.up.2.block.0.nin_shortcut.weight": (256, 512, 1, 1),
        "decoder.up.3.upsample.conv.weight": (512, 512, 3, 3),
        "decoder.conv_out.weight": (3, 128, 3, 3),
        "quant_conv.weight": (768, 256, 1, 1),
        "post_quant_conv.weight": (256, 768, 1, 1),
        "tok_embeddings.weight": (32000, 768),
        "codebook_projection.weight": (768, 768),
        "codebook_projection.bias": (768,),
        "tok_embeddings_global.weight": (11908, 768),
    }.items():
        assert state[name] == shape, name


def test_both_tables_are_frozen_and_the_projection_is_trained(small):
    frozen = {name for name, p in small.named_parameters() if not p.requires_grad}
    assert frozen == {"tok_embeddings.weight", "tok_embeddings_global.weight"}


def test_features_have_length_1_and_projected_words_keep_theirs(small):
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    assert torch.allclose(small.features(images).norm(dim=1), torch.ones(2, 4, 4), atol=1e-5)
    projected = small.codebook_projection(small.tok_embeddings.weight)
    assert torch.equal(small.codebook(), projected)


def test_decoding_the_encoded_image_is_the_reconstruction_of_training(small):
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    words = small.nearest_global(torch.randn(2, 5))
    ids = small.encode_local(images)
    trained = small(images, words)
    assert torch.equal(trained.ids, ids)
    assert torch.allclose(small.decode(ids, words), trained.images, atol=1e-5)


def test_global_words_are_ranked_by_distance_and_not_by_cosine():
    model = V2LTokenizer(SMALL)
    table = torch.zeros(12, 5)
    table[:, 1] = 5.0
    table[3, 0], table[3, 1] = 0.2, 0.0  # the same direction as the image, but short
    table[7, :2] = torch.tensor([0.9, 0.3])  # another direction, and near
    model.set_tables(torch.zeros(30, 5), table)
    direction = torch.tensor([[4.0, 0, 0, 0, 0]])
    assert model.nearest_global(direction, 2).tolist() == [[7, 3]]


def test_of_equally_near_global_words_the_lower_id_comes_first():
    model = V2LTokenizer(SMALL)
    row = torch.randn(5)
    model.set_tables(torch.zeros(30, 5), row.repeat(12, 1))
    assert model.nearest_global(torch.randn(3, 5), 4).tolist() == [[0, 1, 2, 3]] * 3


def test_more_global_words_than_there_are_are_refused(small):
    with pytest.raises(ValueError, match="the vocabulary has 12"):
        small.nearest_global(torch.randn(1, 5), 13)
    with pytest.raises(ValueError, match="cannot be drawn"):
        V2LSettings(global_words=3, global_tokens=4)


def test_tables_of_another_shape_are_refused(small):
    with pytest.raises(ValueError, match=r"local codebook is \(3, 5\)"):
        small.set_tables(torch.zeros(3, 5), torch.zeros(12, 5))


def test_ids_that_are_no_words_are_refused(small):
    grid = torch.zeros(1, 4, 4, dtype=torch.long)
    with pytest.raises(ValueError, match="30 is the id of no local word"):
        small.decode(grid + 30, torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(ValueError, match="-1 is the id of no global word"):
        small.decode(grid, torch.full((1, 4), -1))


def test_training_moves_the_projection_and_no_table():
    torch.manual_seed(0)
    model = V2LTokenizer(SMALL)
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    result = model(images, model.nearest_global(torch.randn(2, 5)))
    (result.images.square().mean() + result.codebook_loss).backward()
    assert model.codebook_projection.weight.grad.abs().sum() > 0
    assert model.tok_embeddings.weight.grad is None
    assert model.tok_embeddings_global.weight.grad is None
