import pytest
import torch
from language_models import FAMILIES, language_model
from torch import nn

from frostbench.plugins.engine.forward import Logits, States
from frostbench.plugins.engine.reader import CachedReader
from frostbench.plugins.engine.tail import FEWEST_TOKENS, Tail
from frostbench.plugins.engine.traits import probe


def drawn(rows, length, shared=0):
    draw = torch.Generator().manual_seed(rows)
    ids = torch.randint(2, 299, (rows, length), generator=draw)
    ids[:, :shared] = ids[0, :shared].clone()
    return list(ids)


@torch.inference_mode()
def answers(lm, tail, forward, rows):
    """What stands behind rows, and behind one token more, read with or without a tail."""
    how = {} if tail is None else {"alone": tail.alone}
    reader = CachedReader(lm, forward, continues=True, shared_prefix=8, **how)
    reading = reader.read(rows)
    return reading.last, reader.extend(reading, torch.arange(2, 2 + len(rows))[:, None])


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("forward", [Logits, States])
def test_no_bit_of_an_answer_depends_on_what_is_left_out(family, forward):
    lm = language_model(family)
    traits = probe(lm)
    if not traits.continues:
        pytest.skip("it is read without a cache, and whole")
    tail = Tail(lm)
    rows = [drawn(20, 40), drawn(20, 40, shared=9), drawn(8, 70)]
    if traits.pads:
        rows.append([row[i % 3 :] for i, row in enumerate(drawn(20, 40))])
    for some in rows:
        cut, whole = (answers(lm, one, forward, some) for one in (tail, None))
        assert all(map(torch.equal, cut, whole))


def test_of_a_hybrid_and_a_llama_feed_forwards_and_queries_are_cut_and_keys_are_not():
    for family in ("llama", "lfm2"):
        lm = language_model(family)
        names = {part: name.split(".")[-1] for name, part in lm.model.named_modules()}
        cut = {names[part] for part in Tail(lm).parts}
        assert cut & {"mlp", "feed_forward"}, family
        assert not cut & {"k_proj", "v_proj", "in_proj", "self_attn", "conv"}, family


def test_a_large_batch_is_cut_and_a_small_one_is_not():
    lm = language_model("llama")
    tail = Tail(lm)
    feed_forward = lm.model.get_decoder().layers[-1].mlp
    lengths = []
    hook = feed_forward.down_proj.register_forward_pre_hook(
        lambda _, given: lengths.append(given[0].shape[1])
    )
    assert feed_forward in tail.parts
    lengths.clear()
    try:
        # Sixteen rows keep a product on its path: a token each of twenty prompts, two of eight.
        for rows, length in ((20, FEWEST_TOKENS // 20 + 1), (8, FEWEST_TOKENS // 8 + 1), (2, 9)):
            answers(lm, tail, Logits, drawn(rows, length))
    finally:
        hook.remove()
    assert lengths == [1, 1, 2, 1, 9, 1]


class LooksBack(nn.Module):
    """A feed-forward that also reads the token before."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x + nn.functional.pad(x, (0, 0, 1, 0))[:, :-1])


def test_a_part_that_reads_other_tokens_is_not_cut():
    lm = language_model("llama")
    layer = lm.model.get_decoder().layers[-1]
    own = layer.mlp
    layer.mlp = LooksBack(own)
    try:
        parts = Tail(lm).parts
        assert layer.mlp not in parts
        assert own in parts
    finally:
        layer.mlp = own
