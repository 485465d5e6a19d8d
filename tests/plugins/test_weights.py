import hashlib

import pytest
import torch
from torch import nn

from frostbench.plugins.backbones import weights


def test_what_is_written_is_read_again(tmp_path):
    shared = torch.randn(3, 4)
    tensors = {"a": shared, "b": shared.T, "c": torch.arange(3, dtype=torch.float16)}
    weights.write(tmp_path / "new" / "w.safetensors", tensors)
    again = weights.read(tmp_path / "new" / "w.safetensors")
    assert set(again) == {"a", "b", "c"}
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["w.safetensors"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.write(path, {"a": torch.ones(2)})
    with pytest.raises((TypeError, AttributeError)):
        weights.write(path, {"a": "no tensor"})
    assert weights.read(path)["a"].tolist() == [1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_named(tmp_path):
    for function in (weights.read, weights.digest):
        with pytest.raises(ValueError, match=r"no weight file at .*gone\.safetensors"):
            function(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 60, 200])
def test_a_file_cut_short_is_named_with_its_size(tmp_path, kept):
    path = tmp_path / "w.safetensors"
    weights.write(path, {"a": torch.randn(100)})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"w\.safetensors \({kept} bytes\) is cut short"):
        weights.read(path)


def test_the_digest_is_sha256_of_the_bytes(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"frost" * 1_000_000)
    assert weights.digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_filling_converts_to_the_modules_own_type():
    module = nn.Linear(2, 1)
    weights.fill(module, {"weight": torch.ones(1, 2).half(), "bias": torch.zeros(1).half()}, "x")
    assert module.weight.dtype == torch.float32
    assert module.weight.tolist() == [[1, 1]]


def test_what_does_not_fit_is_listed_and_nothing_is_changed():
    module = nn.Linear(2, 1)
    before = module.weight.clone()
    with pytest.raises(ValueError, match="of model x do not fit Linear") as caught:
        weights.fill(module, {"weight": torch.ones(2, 2), "scale": torch.ones(1)}, "model x")
    message = str(caught.value)
    assert "1 missing (bias)" in message
    assert "1 unexpected (scale)" in message
    assert "weight is (2, 2) instead of (1, 2)" in message
    assert torch.equal(module.weight, before)


def test_a_long_list_of_names_is_cut_and_counted():
    with pytest.raises(ValueError, match=r"20 unexpected .* and 12 more"):
        weights.fill(nn.Identity(), {f"n{i}": torch.zeros(1) for i in range(20)}, "x")
