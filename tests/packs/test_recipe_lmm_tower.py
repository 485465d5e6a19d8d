"""Where the small image tower starts from: with cells that look around themselves."""

from itertools import chain

import pytest
import torch

from frostbench.packs.mini.recipes.lmm.recipe import (
    CellNames,
    MultimodalTraining,
    build,
    groups,
    read_language_model,
)
from frostbench.packs.mini.recipes.lmm.tower import settle, waves
from frostbench.plugins.host.packs import embedded_pack

MINI = embedded_pack("mini")


def tower(width: int = 64):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=64,
        patch_size=8,
        attn_implementation="eager",
    )
    return CLIPVisionModel(config).eval()


def test_waves_tell_every_cell_apart_and_near_ones_are_alike():
    made = waves(8, 64)
    alike = torch.nn.functional.cosine_similarity(made[:, None], made[None], dim=-1)
    assert alike.fill_diagonal_(0).max() < 0.99
    middle = alike[3 * 8 + 3].view(8, 8)
    assert middle[3, 4] > middle[3, 6] > middle[3, 7]
    assert middle[3, 4] == pytest.approx(float(middle[4, 3]), abs=1e-5)


def test_widths_that_four_does_not_divide_are_filled_with_zeros():
    assert waves(3, 10)[:, 8:].eq(0).all()
    assert waves(3, 10)[:, :8].ne(0).any()


def nearness(network) -> float:
    """The share of attention, of an image of nothing, that stays within a cell's distance."""
    with torch.no_grad():
        maps = network(torch.zeros(1, 3, 64, 64), output_attentions=True).attentions[0]
    places = torch.stack(torch.meshgrid(*2 * [torch.arange(8.0)], indexing="ij"), -1).view(-1, 2)
    near = torch.cdist(places, places) <= 1.5
    cells = maps[0, :, 1:, 1:]
    return float((cells * near).sum() / cells.sum())


def test_attention_starts_out_local():
    network = tower()
    before = nearness(network)
    settle(network)
    assert nearness(network) > 1.2 * before


def test_every_parameter_is_moved_by_one_optimiser():
    language, tokenizer = read_language_model(MINI / "llama")
    settings = MultimodalTraining(width=16, layers=1, heads=2, inner=16)
    model = build(settings, language, tokenizer, 64)
    names = CellNames(tokenizer, ("a", "b"), model.config.text_config.hidden_size)
    matrices, others = groups(model, names, settings)
    given = [id(p) for group in chain(matrices, others) for p in group["params"]]
    assert sorted(given) == sorted(id(p) for p in chain(model.parameters(), names.parameters()))
    tables = {id(model.lm_head.weight), id(model.get_input_embeddings().weight)}
    assert tables.isdisjoint(id(p) for group in matrices for p in group["params"])
