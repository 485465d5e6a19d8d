import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lqae_world import NETWORK, SIZES
from torch import nn

from frostbench.baselines.lqae.channel import Channel, codes, drawn
from frostbench.baselines.lqae.model import LQAE, LQAESettings, check_sizes
from frostbench.baselines.lqae.vit import TransformerBlock, ViTDecoder, ViTEncoder, ViTSettings
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.kit import toys

UNMASKED = (0.0, 0.0)


@pytest.fixture(scope="module")
def mlm():
    return toys.mlm()


@pytest.fixture(scope="module")
def channel(mlm):
    return Channel(mlm, codes(mlm))


@pytest.fixture
def model():
    with toys.seeded(1):
        return LQAE(SIZES).eval()


def pictures(count=2, side=16):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_networks_have_the_published_numbers_of_parameters():
    published = ViTSettings()
    with torch.device("meta"):
        assert size(TransformerBlock(published)) == 9_475_584
        encoder, decoder = ViTEncoder(published), ViTDecoder(published)
    assert size(encoder) == 114_493_440
    assert size(decoder) == 114_493_443
    assert round((size(encoder) + size(decoder)) / 1e6, 2) == 228.99


def test_a_published_image_is_256_tokens_of_width_768():
    published = ViTSettings(layers=0)
    images = torch.rand(1, 3, 256, 256)
    features = ViTEncoder(published)(images)
    assert features.shape == (1, 16, 16, 768)
    assert ViTDecoder(published)(features).shape == images.shape


def test_linear_layers_and_the_convolutions_of_blocks_have_no_bias(model):
    plain = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert plain
    assert all(module.bias is None for module in plain)
    assert model.decoder.pixels.bias is not None


def test_neither_network_ends_in_a_layer_norm_and_there_is_no_dropout(model):
    images = pictures()
    block = model.encoder.blocks[-1]
    for last in (block.feed_forward.down, block.attention.out):
        nn.init.zeros_(last.weight)
    nn.init.zeros_(block.norm_after.bias)
    plain = model.encoder.patches(images).movedim(1, -1) + model.encoder.positions
    assert torch.allclose(model.encoder(images), plain)
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    images = pictures()
    assert torch.equal(model.train().encoder(images), model.eval().encoder(images))


def test_the_feed_forward_layer_sees_the_eight_cells_around(model):
    layer = model.encoder.blocks[0].feed_forward
    cells = torch.zeros(1, 5, 5, 32)
    changed = cells.clone()
    changed[0, 2, 2] = torch.arange(32.0)
    seen = (layer(changed) - layer(cells)).abs().sum(-1)[0] > 0
    assert seen.nonzero().tolist() == [[row, column] for row in (1, 2, 3) for column in (1, 2, 3)]


@settings(max_examples=10)
@given(scale=st.floats(0.01, 100))
def test_codes_do_not_change_with_the_length_of_features(scale):
    channel = Channel(toys.mlm(), codes(toys.mlm()))
    features = torch.randn(2, 4, 4, 32, generator=torch.Generator().manual_seed(3))
    assert torch.equal(channel.nearest(features), channel.nearest(scale * features))


def test_the_commitment_changes_with_the_length_of_features(model, channel):
    images = pictures()
    result = model(images, channel, UNMASKED)
    features = model.encoder(images)
    model.encoder.forward = lambda _: 3 * features
    longer = model(images, channel, UNMASKED)
    assert torch.equal(longer.ids, result.ids)
    assert float(longer.commitment.detach()) != pytest.approx(float(result.commitment.detach()))


def test_the_nearest_code_has_the_largest_cosine_and_is_quantised_unnormalised(model, channel):
    images = pictures()
    features = model.encoder(images)
    cosines = nn.functional.cosine_similarity(features[..., None, :], channel.rows, dim=-1)
    ids = channel.nearest(features)
    assert torch.equal(ids, cosines.argmax(-1))
    assert torch.equal(channel.rows[ids], channel.mlm.word_embeddings[channel.tokens[ids]])
    several = channel.nearest_several(features, 3)
    assert torch.equal(several, cosines.topk(3).indices)


def test_gradients_reach_the_encoder_and_the_language_model_stays_as_it_was(model, channel):
    before = checksum(channel.mlm.model)
    torch.manual_seed(0)
    result = model(pictures(), channel, (0.5, 0.5))
    (result.images.square().mean() + result.loss).backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.encoder.parameters())
    assert all(p.grad is None for p in channel.mlm.model.parameters())
    assert checksum(channel.mlm.model) == before


def test_only_unmasked_cells_pass_a_gradient_on(channel):
    ids = torch.arange(16).view(1, 4, 4)
    embeddings = channel.rows[ids].clone().requires_grad_()
    masked = torch.arange(16).view(1, 4, 4) % 3 == 0
    guessed = channel.guess(embeddings, ids, masked)
    (guessed.features.square().sum() + guessed.loss).backward()
    assert torch.equal(embeddings.grad.abs().sum(-1) == 0, masked)


def test_half_of_the_codes_are_masked_on_average_and_images_differ():
    torch.manual_seed(0)
    masked = drawn((1000, 16, 16), (0.5, 0.5), torch.device("cpu"))
    assert float(masked.float().mean()) == pytest.approx(0.5, abs=0.01)
    assert len(set(masked.flatten(1).sum(1).tolist())) > 10
    mixed = drawn((1000, 16, 16), (0.0, 0.5), torch.device("cpu"))
    assert float(mixed.float().mean()) == pytest.approx(0.25, abs=0.01)


def test_the_loss_is_the_mean_over_masked_codes_of_each_image(channel):
    ids = torch.arange(32).view(2, 4, 4)
    masked = torch.zeros(2, 4, 4, dtype=torch.bool)
    masked[0, 0, :3] = True
    rows = channel.rows[ids]
    once = channel.guess(rows, ids, masked)
    shown = torch.where(masked[..., None], channel.mlm.word_embeddings[channel.mlm.mask_id], rows)
    positions = channel.mlm.position_ids(channel.tokens[ids].flatten(1))
    scores = channel.mlm.logits(channel.mlm.hidden(shown.flatten(1, 2), positions))[0, :3]
    expected = nn.functional.cross_entropy(scores, channel.tokens[ids][0, 0, :3]) / 2
    assert float(once.loss) == pytest.approx(float(expected), rel=1e-4)
    nothing = channel.guess(rows, ids, torch.zeros_like(masked))
    assert float(nothing.loss) == 0


def test_positions_are_counted_after_pad_and_from_codes_as_if_none_were_masked(mlm, monkeypatch):
    read = []
    monkeypatch.setattr(
        mlm, "hidden", lambda embeddings, ids: read.append(ids) or torch.zeros_like(embeddings)
    )
    every = Channel(mlm, codes(mlm, ban_special=False))
    pad = mlm.tokenizer.pad_token_id
    ids = torch.tensor([[[5, 6], [pad, 7]]])
    every.guess(every.rows[ids], ids, torch.ones_like(ids, dtype=torch.bool))
    assert read[0].tolist() == [[pad + 1, pad + 2, pad, pad + 3]]


def test_special_tokens_are_codes_only_where_they_are_not_banned(mlm):
    every, allowed = codes(mlm, ban_special=False), codes(mlm)
    assert every == list(range(mlm.vocabulary_size))
    assert set(every) - set(allowed) == mlm.special_ids
    readable = codes(mlm, ban_unreadable=True)
    assert len(readable) < len(allowed)
    assert all(mlm.decode([i]).strip() and "\ufffd" not in mlm.decode([i]) for i in readable)


def test_the_other_output_is_the_embedding_of_the_likeliest_token(mlm):
    states = Channel(mlm, codes(mlm))
    tokens = Channel(mlm, codes(mlm), "argmax_ste")
    ids = torch.arange(16).view(1, 4, 4)
    likely = mlm.logits(states.read(ids)).argmax(-1)
    assert torch.allclose(tokens.read(ids), mlm.word_embeddings[likely], atol=1e-5)
    embeddings = tokens.rows[ids].clone().requires_grad_()
    tokens.guess(embeddings, ids, torch.zeros_like(ids, dtype=torch.bool)).features.sum().backward()
    assert bool(embeddings.grad.any())


def test_a_reconstruction_goes_through_the_language_model_with_nothing_masked(model, channel):
    images = pictures()
    result = model(images, channel, UNMASKED)
    ids = model.encode(images, channel)
    assert torch.equal(ids, result.ids)
    decoded = model.decode(ids, channel)
    assert torch.allclose(decoded, result.images, atol=1e-4)
    assert not torch.allclose(decoded, model.decoder(channel.rows[ids]), atol=1e-2)


def test_an_id_that_is_no_code_is_refused(model, channel):
    with pytest.raises(ValueError, match=f"{channel.size} is the id of no code"):
        model.decode(torch.full((1, 4, 4), channel.size), channel)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"image_size": 18}, "image_size is 18, and cells have a side of 4 pixels"),
        ({"heads": 3}, "a width of 32 cannot be shared by 3 heads"),
    ],
)
def test_sizes_that_do_not_fit_one_another_are_one_sentence(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        ViTSettings(**{**NETWORK.__dict__, **sizes})


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"width": 64}, "features have width 64, and the masked language model's embeddings 32"),
        ({"image_size": 32}, "an image has 64 cells, .* reads at most 32 tokens"),
    ],
)
def test_sizes_that_do_not_fit_the_language_model_are_one_sentence(mlm, sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_sizes(LQAESettings(ViTSettings(**{**NETWORK.__dict__, **sizes})), mlm)
