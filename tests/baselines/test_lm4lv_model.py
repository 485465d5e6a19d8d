import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.baselines.lm4lv.checkpoint import load_published
from frostbench.baselines.lm4lv.linear import LinearMaps, fit
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings, task_of
from frostbench.baselines.lm4lv.weights import Trained, load, load_all, save

SMALL = AdapterSettings(width=32, llm_width=64, task_tokens=3, tasks=("denoising", "rotation/90"))


def adapters(sizes=SMALL, seed=0):
    torch.manual_seed(seed)
    made = Adapters(sizes).requires_grad_(False)
    made.learnable_task_token.normal_()
    return made


def test_published_sizes_have_the_published_number_of_trained_parameters():
    with torch.device("meta"):
        made = Adapters(AdapterSettings())
    counts = {name: p.numel() for name, p in made.named_parameters()}
    assert counts["adapter.weight"] + counts["adapter.bias"] == 4_198_400
    assert counts["deadapter.weight"] + counts["deadapter.bias"] == 4_195_328
    assert counts["learnable_task_token"] == 40_960
    assert sum(counts.values()) == 8_434_688


def test_task_tokens_begin_as_zeros_and_each_task_has_its_own():
    fresh = Adapters(SMALL)
    assert not fresh.learnable_task_token.any()
    made = adapters()
    assert torch.equal(made.task("rotation/90"), made.learnable_task_token[1])
    with pytest.raises(
        LookupError, match="no task tokens for 'rotation/180'; there are some for denoi"
    ):
        made.task(task_of("rotation", "180"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"width": 0}, "1 or more"),
        ({"tasks": ()}, "one or more"),
        ({"tasks": ("a", "a")}, "no two alike"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        AdapterSettings(**wrong)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_the_fitted_map_finds_a_linear_map_again(seed):
    torch.manual_seed(seed)
    weight, bias = torch.randn(5, 5), torch.randn(5)
    seen = torch.randn(4, 30, 5)
    found, shift = fit([(one[None], (one @ weight.T + bias)[None]) for one in seen], 5, ridge=0.0)
    torch.testing.assert_close(found, weight, atol=1e-4, rtol=0)
    torch.testing.assert_close(shift, bias, atol=1e-4, rtol=0)


def test_the_fitted_map_is_better_than_its_neighbours():
    torch.manual_seed(0)
    clean = torch.randn(3, 40, 4)
    noisy = clean + 0.5 * torch.randn_like(clean)
    weight, bias = fit([(noisy, clean)], 4, ridge=0.0)

    def error(weight, bias):
        return (noisy @ weight.T + bias - clean).square().mean()

    best = error(weight, bias)
    assert best < error(torch.eye(4), torch.zeros(4))
    for _ in range(20):
        assert best < error(weight + 0.05 * torch.randn(4, 4), bias + 0.05 * torch.randn(4))


def test_a_map_of_no_pairs_is_refused():
    with pytest.raises(ValueError, match="there are none"):
        fit([], 4)


def test_what_is_saved_is_read_as_it_was_rounded(tmp_path):
    made, maps = adapters(), LinearMaps(2, 32)
    maps.set(1, torch.randn(32, 32), torch.randn(32))
    save(tmp_path / "both", Trained(made, maps))
    read = load(tmp_path / "both")
    assert read.adapters.settings == SMALL
    assert read.lora is None
    for name, tensor in made.state_dict().items():
        assert torch.equal(read.adapters.state_dict()[name], tensor)
    features = torch.randn(7, 32)
    assert torch.equal(read.linear.through(0, features), features)
    torch.testing.assert_close(read.linear.through(1, features), maps.through(1, features))


def test_two_trainings_of_one_restoration_are_refused(tmp_path):
    for name in ("one", "two"):
        save(tmp_path / name, Trained(adapters(), LinearMaps(2, 32)))
    with pytest.raises(ValueError, match="both trained for 'denoising'; keep one"):
        load_all(tmp_path)


def test_a_folder_without_a_training_says_how_to_make_one(tmp_path):
    with pytest.raises(ValueError, match="frostbench train lm4lv"):
        load_all(tmp_path)


def test_checkpoints_of_the_published_code_load_with_their_lora(tmp_path):
    made = adapters(AdapterSettings(32, 64, 10))
    content = {name: tensor.bfloat16() for name, tensor in made.state_dict().items()}
    layer = "base_model.model.model.layers.0.self_attn.q_proj.lora_A"
    content[f"llama_model.{layer}.default.weight"] = torch.ones(2, 64)
    torch.save(content, tmp_path / "pytorch_model.pt")
    read, lora = load_published(tmp_path / "pytorch_model.pt", AdapterSettings(32, 64, 10))
    assert torch.equal(read.adapter.weight, made.adapter.weight.bfloat16().float())
    assert list(lora) == [f"{layer}.weight"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("adapter.weight"), "1 missing .adapter.weight"),
        (lambda state: state.update(other=torch.ones(1)), "1 unexpected .other"),
        (lambda state: state.update({"llama_model.norm": torch.ones(1)}), "no part of a LoRA"),
    ],
)
def test_checkpoints_with_other_names_are_refused(tmp_path, change, said):
    state = adapters(AdapterSettings(32, 64, 10)).state_dict()
    change(state)
    torch.save(dict(state), tmp_path / "pytorch_model.pt")
    with pytest.raises(ValueError, match=said):
        load_published(tmp_path / "pytorch_model.pt", AdapterSettings(32, 64, 10))
