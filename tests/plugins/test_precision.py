import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from frostbench.plugins.backbones import precision, weights
from frostbench.plugins.backbones.precision import compact, expanded


@given(rows=st.integers(1, 40), seed=st.integers(0, 99), size=st.sampled_from([1e-3, 1.0, 1e3]))
def test_a_byte_a_number_loses_at_most_half_a_level_of_its_row(rows, seed, size):
    draw = torch.Generator().manual_seed(seed)
    tensor = size * torch.randn(rows, 16, 8, 8, generator=draw)
    kept = expanded(compact({"w": tensor}, "byte"))["w"]
    level = tensor.flatten(1).abs().amax(1) / 127
    error = (kept - tensor).flatten(1).abs().amax(1)
    assert bool((error <= 0.501 * level).all())


@pytest.mark.parametrize("precision", ["half", "byte"])
def test_what_was_rounded_once_is_rounded_to_itself(precision):
    state = {"w": torch.randn(7, 200), "b": torch.randn(200), "small": torch.randn(3, 3)}
    state["ids"] = torch.arange(5)
    once = expanded(compact(state, precision))
    twice = expanded(compact(once, precision))
    assert set(once) == set(state)
    for name, tensor in once.items():
        assert torch.allclose(twice[name], tensor, rtol=1e-6, atol=0)


def test_rows_of_zeros_stay_zeros():
    assert not expanded(compact({"w": torch.zeros(8, 256)}, "byte"))["w"].any()


def test_a_parameter_that_is_called_scale_is_no_row_of_scales():
    state = {"norm": torch.ones(40, 40), "norm.scale": torch.ones(40, 40)}
    assert set(expanded(compact(state, "half"))) == set(state)


def test_values_that_are_not_finite_are_not_stored():
    with pytest.raises(ValueError, match="w holds values that half"):
        compact({"w": torch.full((40, 40), torch.nan)}, "byte")


def test_numbers_that_are_bytes_already_are_not_stored_as_if_they_had_been_rounded():
    with pytest.raises(ValueError, match="w is in 8 bits already"):
        compact({"w": torch.zeros(2, 2, dtype=torch.int8)}, "byte")


@pytest.mark.parametrize(("scale", "found"), [(None, "none"), (torch.ones(3), r"one of .*3")])
def test_bytes_without_a_scale_for_each_row_are_refused_in_one_sentence(tmp_path, scale, found):
    tensors = compact({"w": torch.randn(40, 40)}, "byte")
    del tensors["w.scale"]
    file = tmp_path / "w.safetensors"
    weights.write(file, tensors if scale is None else {**tensors, "w.scale": scale})
    with pytest.raises(ValueError, match=rf"safetensors is damaged: w .*40 rows; .*{found}") as no:
        precision.read(file)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize("kept", ["half", "byte"])
def test_a_rounded_module_is_what_its_file_holds_and_the_file_says_whether_in_bytes(tmp_path, kept):
    module = nn.Sequential(nn.Conv2d(3, 40, 4), nn.BatchNorm2d(40), nn.Linear(3, 3))
    precision.rounded(module, kept)
    file = tmp_path / "w.safetensors"
    precision.write(file, module.state_dict(), kept)
    again = precision.read(file)
    assert set(again) == set(module.state_dict())
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(again[name], tensor, rtol=1e-6, atol=0)
    assert precision.in_bytes(file) == (kept == "byte")
