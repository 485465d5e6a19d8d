import pytest
import torch

from frostbench.bench.store.tokens import Kept, TokenStore
from frostbench.plugins import Continuous, Grid, Pyramid, Ranked, Texts, VisualTokens

FINGERPRINT = "ab" * 32


def batch(count: int) -> VisualTokens:
    return VisualTokens(
        {
            "words": Ranked(torch.arange(count * 3).reshape(count, 3)),
            "local": Grid(torch.arange(count * 4).reshape(count, 2, 2)),
            "coarse": Pyramid((torch.ones(count, 1, 1).long(), torch.zeros(count, 2, 2).long())),
            "captions": Texts((("a cat on a mat", "кот"), (), ("",))[:count]),
            "features": Continuous(torch.randn(count, 2, 5).to(torch.bfloat16)),
        }
    )


def kept(count: int) -> list[Kept]:
    return [Kept(one, 0.5) for one in batch(count).split()]


def same(first: VisualTokens, second: VisualTokens) -> bool:
    a, b = first.tensors(), second.tensors()
    return list(a) == list(b) and all(
        torch.equal(a[key], b[key]) and a[key].dtype == b[key].dtype for key in a
    )


def test_tokens_of_every_kind_come_back_in_another_process_exactly_and_in_order(tmp_path):
    written = kept(3)
    TokenStore(tmp_path, FINGERPRINT, pytest.fail).put(["a", "b", "c"], written)
    store = TokenStore(tmp_path, FINGERPRINT, pytest.fail)
    for image, one in zip("abc", written, strict=True):
        assert image in store
        back = store.get(image)
        assert back is not None
        assert same(back.tokens, one.tokens)
        assert back.seconds == 0.5
    assert store.get("d") is None


def test_tokens_of_another_fingerprint_are_not_found(tmp_path):
    TokenStore(tmp_path, FINGERPRINT, pytest.fail).put(["a"], kept(1))
    assert "a" not in TokenStore(tmp_path, "cd" * 32, pytest.fail)


@pytest.mark.parametrize("damage", ["short", "flipped", "header", "empty"])
def test_damaged_tokens_are_said_and_forgotten(tmp_path, damage):
    TokenStore(tmp_path, FINGERPRINT, pytest.fail).put(["a", "b"], kept(2))
    (path,) = tmp_path.rglob("*.safetensors")
    content = bytearray(path.read_bytes())
    match damage:
        case "short":
            content = content[:-5]
        case "flipped":
            content[-1] ^= 0xFF
        case "header":
            content[9] ^= 0xFF
        case "empty":
            content = bytearray()
    path.write_bytes(bytes(content))
    said: list[str] = []
    store = TokenStore(tmp_path, FINGERPRINT, said.append)
    assert store.get("b") is None
    assert store.get("a") is None
    assert len(said) == 1
    assert "damaged" in said[0]
    assert "computed again" in said[0]
    assert not path.exists()
    store.put(["a", "b"], kept(2))
    assert store.get("b") is not None


def test_a_fingerprint_that_is_no_digest_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'\.\./x' is no hex digest"):
        TokenStore(tmp_path, "../x", pytest.fail)
