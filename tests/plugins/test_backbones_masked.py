import socket

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones, precision
from frostbench.plugins.backbones.masked_lm import MaskedLM
from frostbench.plugins.kit import toys


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("mlm")
    toy = toys.mlm()
    toy.model.save_pretrained(place)
    toy.tokenizer.save_pretrained(place)
    return place


def entry(source, **more):
    return BackboneEntry("mlm", "masked_lm", str(source), **more)


def bert():
    tokenizer = toys.mlm().tokenizer
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8,
    )
    with toys.seeded():
        return MaskedLM(BertForMaskedLM(config), tokenizer, "a BERT")


def test_a_masked_language_model_comes_back_from_its_folder_frozen(folder):
    mlm = SharedBackbones([entry(folder)]).get("mlm")
    toy = toys.mlm()
    assert isinstance(mlm, MaskedLM)
    assert not mlm.model.training
    assert not any(p.requires_grad for p in mlm.model.parameters())
    assert (mlm.width, mlm.vocabulary_size) == (32, len(toy.tokenizer))
    assert mlm.tokenizer.convert_ids_to_tokens(mlm.mask_id) == "<mask>"
    assert mlm.special_ids == {0, 1, 2, mlm.mask_id}
    assert mlm.longest == 32
    assert torch.equal(mlm.word_embeddings, toy.word_embeddings)


@pytest.mark.parametrize("mlm", [toys.mlm(), bert()], ids=["roberta", "bert"])
def test_states_and_logits_are_those_that_the_model_gives_for_the_same_tokens(mlm):
    ids = torch.tensor([[5, 9, 7, 30], [8, 8, mlm.mask_id, 11]])
    with torch.no_grad():
        whole = mlm.model(ids, output_hidden_states=True)
        hidden = mlm.hidden(mlm.word_embeddings[ids], mlm.position_ids(ids))
        assert torch.allclose(hidden, whole.hidden_states[-1], atol=1e-5)
        assert torch.allclose(mlm.logits(hidden), whole.logits, atol=1e-4)


def test_a_roberta_counts_positions_after_the_id_of_pad_and_passes_over_pad():
    mlm = toys.mlm()
    assert mlm.tokenizer.pad_token_id == 0
    ids = torch.tensor([[5, 0, 6, 7], [5, 6, 7, 8]])
    assert mlm.position_ids(ids).tolist() == [[1, 0, 2, 3], [1, 2, 3, 4]]


def test_a_bert_counts_positions_from_zero():
    assert bert().position_ids(torch.tensor([[5, 0, 6]])).tolist() == [[0, 1, 2]]


def test_gradients_pass_through_and_leave_the_weights_alone():
    mlm = toys.mlm()
    ids = torch.tensor([[5, 9, 7]])
    embeddings = mlm.word_embeddings[ids].clone().requires_grad_()
    mlm.hidden(embeddings, mlm.position_ids(ids)).square().sum().backward()
    assert embeddings.grad is not None
    assert all(p.grad is None for p in mlm.model.parameters())


def test_more_tokens_than_positions_are_refused_with_both_numbers():
    mlm = toys.mlm()
    ids = torch.full((1, 33), 5)
    with pytest.raises(ValueError, match="33 tokens are more than the 32 that the masked"):
        mlm.hidden(mlm.word_embeddings[ids], mlm.position_ids(ids))


def test_a_byte_a_number_gives_the_rounded_weights_and_ties_them(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    file = tmp_path / "model.safetensors"
    kept = precision.read(file)
    precision.write(file, kept, "byte")
    assert precision.in_bytes(file)
    mlm = MaskedLM.load(entry(tmp_path)).model
    assert mlm.lm_head.decoder.weight is mlm.get_input_embeddings().weight
    state = mlm.state_dict()
    for name, tensor in precision.expanded(precision.compact(kept, "byte")).items():
        assert torch.equal(state[name], tensor)
    assert set(state) - set(kept) <= set(mlm.all_tied_weights_keys)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no masked language model at .*nowhere: a folder with"):
        MaskedLM.load(entry(tmp_path / "nowhere"))


def test_a_hub_id_that_is_not_on_this_machine_is_not_downloaded(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("the network was asked"))
    with pytest.raises(ValueError, match="no masked language model 'nobody/nothing' in the local"):
        MaskedLM.load(entry("nobody/nothing"))


def test_a_weight_file_cut_short_is_named(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors .*is cut short"):
        MaskedLM.load(entry(tmp_path))


def test_a_causal_language_model_is_refused(tmp_path):
    toy = toys.llm()
    toy.model.save_pretrained(tmp_path)
    toy.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no masked language model can be loaded from"):
        MaskedLM.load(entry(tmp_path))


def test_a_tokenizer_without_a_mask_token_is_refused():
    with pytest.raises(ValueError, match="the tokenizer of toy has no mask token"):
        MaskedLM(toys.mlm().model, toys.llm().tokenizer, "toy")


def test_a_family_whose_head_is_unknown_is_refused_with_its_name():
    class Strange(torch.nn.Module):
        pass

    with pytest.raises(ValueError, match="a Strange keeps the layers before its logits under none"):
        MaskedLM(Strange(), toys.mlm().tokenizer)
