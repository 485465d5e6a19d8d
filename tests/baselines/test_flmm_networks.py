import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from frostbench.baselines.flmm.checkpoint import PLACES, fill, load_published
from frostbench.baselines.flmm.losses import cross_entropy, dice, resized, union
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.refiner import Refiner
from frostbench.baselines.flmm.text import mixed
from frostbench.baselines.flmm.unet import UNet, UNetSettings, mask_size
from frostbench.plugins.backbones.sam import scale_boxes
from frostbench.plugins.backbones.sam_sizes import VIT_L, build_sam
from frostbench.plugins.backbones.views import View
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.grounding.attention import laid_out, merged, of_image

SMALL = HeadSettings(UNetSettings(channels=6, widths=(4, 8, 8), side=8), layers=3, width=10)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def heads(sizes=SMALL, seed=0):
    with toys.seeded(seed):
        return Heads(sizes, toys.sam().model)


@pytest.mark.parametrize(
    ("channels", "numbers"),
    [(1024, 7_772_609), (2048, 8_362_433), (384, 7_403_969), (960, 7_735_745), (144, 7_265_729)],
)
def test_the_published_mask_heads_have_as_many_numbers_as_the_papers(channels, numbers):
    with torch.device("meta"):
        unet = UNet(UNetSettings(channels))
    assert count(unet) == numbers
    assert len(unet.state_dict()) == 53


@pytest.mark.parametrize(
    ("name", "hidden", "layers", "heads", "channels"),
    [("DeepseekVL", 2048, 24, 16, 384), ("DeepseekVLHybrid", 4096, 30, 32, 960)],
)
def test_the_published_deepseek_vl_gives_what_the_published_heads_read(
    name, hidden, layers, heads, channels
):
    """1.3B and 7B, as transformers makes them, on tensors without numbers."""
    text = transformers.LlamaConfig(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, vocab_size=102400
    )
    vision = transformers.SiglipVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=384,
        patch_size=16,
    )
    config = getattr(transformers, f"{name}Config")(text_config=text, vision_config=vision)
    config._attn_implementation = "eager"
    given = {"pixel_values": torch.zeros(1, 3, 384, 384, device="meta")}
    if "Hybrid" in name:
        given["high_res_pixel_values"] = torch.zeros(1, 3, 1024, 1024, device="meta")
    with torch.device("meta"):
        model = getattr(transformers, f"{name}Model")(config).eval()
        features = model.get_image_features(**given).pooler_output
        read = model(inputs_embeds=features, output_hidden_states=True, output_attentions=True)
    assert features.shape == (1, 24 * 24, hidden)
    maps = sum(attention.shape[1] for attention in read.attentions)
    states = {tuple(state.shape) for state in read.hidden_states[1:]}
    assert maps == channels
    assert (len(read.hidden_states) - 1, states) == (layers, {features.shape})


def test_the_published_heads_have_the_papers_numbers_and_keys():
    with torch.device("meta"):
        whole = Heads(HeadSettings(), build_sam(VIT_L))
    assert count(whole.sam) == 4_058_340 + 6_220
    assert count(whole.text_proj) + count_of(whole.text_layer_weights) == 1_048_832 + 32
    keys = {name: tuple(tensor.shape) for name, tensor in whole.named_parameters()}
    assert keys["mask_head.encoder.0.0.convs.0.conv.weight"] == (64, 1024, 3, 3)
    assert keys["mask_head.encoder.3.1.convs.1.gn.bias"] == (512,)
    assert keys["mask_head.decoder.0.conv_block.convs.0.conv.weight"] == (64, 128, 3, 3)
    assert keys["mask_head.decoder.2.upsample.interp_upsample.1.conv.weight"] == (256, 512, 1, 1)
    assert keys["mask_head.conv_seg.weight"] == (1, 64, 1, 1)
    assert keys["sam.model.prompt_encoder.point_embeddings.3.weight"] == (1, 256)
    assert keys["sam.model.mask_decoder.iou_token.weight"] == (1, 256)
    assert keys["text_layer_weights"] == (32,)
    assert keys["text_proj.weight"] == (256, 4096)
    beginnings = ("mask_head.", "sam.model.prompt_encoder.", "sam.model.mask_decoder.", "text_")
    assert all(name.startswith(beginnings) for name in keys)
    assert not any("image_encoder" in name for name in whole.state_dict())


def count_of(parameter):
    return parameter.numel()


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(1, 20))
def test_a_mask_has_the_size_that_is_told_whatever_the_grid(rows, columns):
    unet = heads().mask_head
    with torch.no_grad():
        logits = unet(torch.rand(2, 6, rows, columns))
    assert tuple(logits.shape[1:]) == mask_size(rows, columns, 8)


def test_only_where_a_word_looks_counts_and_not_how_much():
    unet = heads().mask_head
    maps = torch.rand(1, 6, 4, 4)
    much = maps * torch.linspace(0.1, 5, 6)[:, None, None]
    with torch.no_grad():
        assert torch.allclose(unet(maps), unet(much), atol=1e-5)
        assert torch.isfinite(unet(torch.zeros(1, 6, 4, 4))).all()


@settings(max_examples=25)
@given(st.data())
def test_channels_are_layer_by_layer_and_phrases_are_merged_over_their_own_tokens(data):
    layers, heads_, queries, keys = (data.draw(st.integers(1, 4)) for _ in range(4))
    attention = torch.rand(layers, heads_, queries, keys)
    phrase = data.draw(st.lists(st.integers(0, queries - 1), min_size=1, unique=True))
    mean, most = (merged(attention, [phrase], how)[0] for how in ("mean", "max"))
    assert mean.shape == (layers * heads_, keys)
    for layer in range(layers):
        for head in range(heads_):
            rows = torch.stack([attention[layer, head, q] for q in phrase])
            assert torch.allclose(mean[layer * heads_ + head], rows.mean(0), atol=1e-6)
            assert torch.equal(most[layer * heads_ + head], rows.max(0).values)


def view(rows, columns, box=(0, 0, 1, 1)):
    return View(0, rows, columns, columns, tuple(map(float, box)))


def test_the_coarse_views_channels_come_before_the_fine_ones():
    rows = torch.rand(2, 3, 4 + 6)
    maps = laid_out(rows, [view(2, 2), view(2, 3)])
    assert maps.shape == (2, 6, 2, 3)
    assert torch.equal(maps[:, 3:], rows[..., 4:].view(2, 3, 2, 3))
    coarse = functional.interpolate(rows[..., :4].view(2, 3, 2, 2), (2, 3), mode="bilinear")
    assert torch.equal(maps[:, :3], coarse)
    assert torch.equal(laid_out(rows[..., :4], [view(2, 2)])[1, 2].flatten(), rows[1, 2, :4])


@settings(max_examples=50)
@given(st.integers(1, 400), st.integers(1, 400))
def test_padding_is_cut_off_as_the_published_code_does(height, width):
    side, cells = 336, 64
    longest = max(height, width)
    inner = [max(1, n * side // longest) for n in (height, width)]
    before = [(side - n) // 2 for n in inner]
    scale = [n / m for n, m in zip((height, width), inner, strict=True)]
    box = (
        -before[1] * scale[1],
        -before[0] * scale[0],
        (side - before[1]) * scale[1],
        (side - before[0]) * scale[0],
    )
    logits = torch.rand(1, cells, cells)
    top, left = (int(n * cells / side) for n in before)
    tall, wide = (max(1, int(n * cells / side + 0.5)) for n in inner)
    part = of_image(logits, [View(0, 24, 24, 24, box)], (height, width))
    assert part.shape == (1, tall, wide)
    seen = logits[:, top : top + tall, left : left + wide]
    assert torch.equal(part[:, : seen.shape[1], : seen.shape[2]], seen)


def test_edges_that_a_view_leaves_out_are_outside_of_every_mask():
    logits = torch.tensor([[[3.0, -4.0], [2.0, 1.0]]])
    part = of_image(logits, [view(2, 2, (2, 0, 6, 4))], (4, 8))
    assert part.tolist() == [[[-4, 3, -4, -4], [-4, 2, 1, -4]]]
    assert of_image(logits + 9, [view(2, 2, (2, 0, 6, 4))], (4, 8))[0, 0, 0] == -1
    both = [view(1, 1), view(2, 2, (2, 0, 6, 4))]
    assert torch.equal(of_image(logits, both, (4, 8)), logits)


def test_untrained_layer_weights_take_the_plain_mean_of_layers():
    hidden = torch.rand(3, 2, 5)
    assert torch.allclose(mixed(hidden, torch.ones(3)), hidden.mean(0), atol=1e-6)
    chosen = torch.tensor([0.0, 50.0, 0.0])
    assert torch.allclose(mixed(hidden, chosen), hidden[1], atol=1e-6)


def refined(refiner, rows, size, logits, words, embedding):
    several = embedding.expand(len(rows), -1, -1, -1)
    return refiner(several, size, logits[rows], [words[row] for row in rows])


@pytest.mark.parametrize("size", [(16, 16), (12, 30), (1, 1)])
def test_phrases_are_refined_alone_as_together(size):
    refiner = Refiner(toys.sam().model)
    draw = torch.Generator().manual_seed(1)
    embedding = torch.randn(16, 4, 4, generator=draw)
    logits = torch.randn(4, 8, 8, generator=draw).clamp(min=-1)
    words = [torch.randn(k, 16, generator=draw) for k in (2, 1, 2, 3)]
    with torch.no_grad():
        together = refined(refiner, [0, 1, 2, 3], size, logits, words, embedding)
        backwards = refined(refiner, [3, 2, 1, 0], size, logits, words, embedding).flip(0)
        alone = [refined(refiner, [i], size, logits, words, embedding) for i in range(4)]
    assert together.shape == (4, *size)
    assert torch.allclose(together, backwards, atol=1e-5)
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_an_untrained_refiner_gives_what_sam_gives_for_the_same_prompts():
    sam = toys.sam()
    refiner = Refiner(sam.model)
    size = (12, 16)
    draw = torch.Generator().manual_seed(2)
    embedding = torch.randn(16, 4, 4, generator=draw)
    logits = torch.full((1, 6, 8), -3.0)
    logits[0, 1:3, 2:7] = 4
    word = torch.randn(2, 16, generator=draw)
    with torch.no_grad():
        ours = refined(refiner, [0], size, logits, [word], embedding)
        chances = functional.interpolate(logits[None].sigmoid(), size, mode="bilinear")[0, 0]
        rows, columns = (chances > 0.5).nonzero().unbind(1)
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        box = scale_boxes(torch.tensor(edges).float(), size, 16)
        sparse, dense = sam.model.prompt_encoder(
            points=None, boxes=box[None], masks=refiner.as_prompt(logits, size)
        )
        low, _ = sam.model.mask_decoder(
            image_embeddings=embedding[None],
            image_pe=sam.model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=torch.cat([sparse, word[None]], 1),
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        theirs = sam.model.postprocess_masks(low, (12, 16), size)[:, 0]
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_refiner_teaches_the_mask_head_and_leaves_the_frozen_sam_alone():
    sam = toys.sam()
    refiner = Refiner(sam.model)
    logits = torch.randn(1, 8, 8, requires_grad=True)
    embedding = torch.randn(16, 4, 4)
    mask = refined(refiner, [0], (16, 16), logits, [torch.zeros(1, 16)], embedding)
    mask.sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in sam.model.parameters())


def test_an_empty_mask_prompts_with_the_whole_image():
    refiner = Refiner(toys.sam().model)
    with torch.no_grad():
        nothing, everything = (
            refiner._corners(torch.full((1, 8, 8), value), (16, 16)) for value in (-5.0, 5.0)
        )
    assert torch.equal(nothing, everything)


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(0, 10_000))
def test_losses_are_those_of_their_definitions(masks, side, seed):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(masks, side, side, generator=draw)
    target = torch.rand(masks, side, side, generator=draw) > 0.5
    for mask, true, lost, coarse in zip(
        logits, target, cross_entropy(logits, target), dice(logits, target), strict=True
    ):
        p, g = mask.double().sigmoid(), true.double()
        assert torch.isclose(
            lost.double(), -(g * p.log() + (1 - g) * (1 - p).log()).mean(), atol=1e-5
        )
        wanted = 1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)
        assert torch.isclose(coarse.double(), wanted, atol=1e-5)
        assert 0 <= coarse < 1


def test_true_masks_take_the_nearest_pixel_and_unions_count_pixels():
    target = torch.zeros(1, 4, 4, dtype=torch.bool)
    target[0, :2, :2] = True
    assert resized(target, (2, 2)).tolist() == [[[True, False], [False, False]]]
    assert resized(target, (4, 4)) is target
    assert union(
        torch.tensor([[[1.0, 1.0, -1.0]]]), torch.tensor([[[True, False, True]]])
    ).tolist() == [1, 3]


def test_heads_come_back_from_a_published_file_with_or_without_its_buffers(tmp_path):
    written, sam = heads(seed=1), toys.sam().model
    state = written.state_dict()
    bare = {name: tensor for name, tensor in state.items() if name != PLACES}
    extra = {"llava.language_model.model.rotary_emb.inv_freq": torch.zeros(2)}
    for number, content in enumerate((state, bare, {**state, **extra}, {"state_dict": state})):
        file = tmp_path / f"{number}.pth"
        torch.save(content, file)
        read = load_published(file, SMALL, sam)
        assert not read.training
        for name, tensor in written.named_parameters():
            assert torch.equal(read.get_parameter(name), tensor)


def test_a_published_file_that_lacks_or_adds_a_weight_is_refused(tmp_path):
    state = heads(seed=1).state_dict()
    fresh = heads()
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    for name in dict(fresh.named_parameters()):
        short = {key: tensor for key, tensor in state.items() if key != name}
        with pytest.raises(ValueError, match=f"1 missing \\({name}\\)"):
            fill(fresh, short, "a file")
    with pytest.raises(ValueError, match=r"1 unexpected \(llava\.lm_head\.weight\)"):
        fill(fresh, {**state, "llava.lm_head.weight": torch.zeros(2)}, "a file")
    with pytest.raises(ValueError, match=r"text_proj\.bias is \(3,\) instead of \(16,\)"):
        fill(fresh, {**state, "text_proj.bias": torch.zeros(3)}, "a file")
    with pytest.raises(ValueError, match="trained around another SAM"):
        fill(fresh, {**state, PLACES: state[PLACES] + 1}, "a file")
    assert all(torch.equal(tensor, before[name]) for name, tensor in fresh.state_dict().items())
    torch.save({"weights": 3}, tmp_path / "no.pth")
    with pytest.raises(ValueError, match="has no weights under"):
        load_published(tmp_path / "no.pth", SMALL, toys.sam().model)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no whole number of heads in each of 3 layers"):
        HeadSettings(UNetSettings(channels=8), layers=3)
    with pytest.raises(ValueError, match="one channel and one stage at least"):
        UNetSettings(widths=())
