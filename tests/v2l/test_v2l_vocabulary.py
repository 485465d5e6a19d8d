from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.kit import toys
from frostbench.v2l.vocabulary import (
    Expansion,
    VocabularySettings,
    candidates,
    elect,
    embed,
    expand,
    prompts_of,
    votes,
)

WORDS = ["<s>", "</s>", " a", " photo", " of", " red", "car", "dog", "!"]


class WordTokenizer:
    """One token a word; a blank belongs to the token that it begins, as in byte-level BPE."""

    bos_token_id = 0

    def __len__(self):
        return len(WORDS)

    def __call__(self, text):
        ids, rest = [], f" {text}"
        while rest:
            token = max((w for w in WORDS[2:] if rest.startswith(w)), key=len, default=None)
            ids += [] if token is None else [WORDS.index(token)]
            rest = rest[len(token or " ") :]
        return SimpleNamespace(input_ids=ids)

    def decode(self, ids, skip_special_tokens):
        return "".join("" if i < 2 and skip_special_tokens else WORDS[i] for i in ids)

    def convert_ids_to_tokens(self, token):
        return WORDS[token]


class Successor(nn.Module):
    """A causal model that always follows a token with the next one, and the last with the end."""

    device = torch.device("cpu")

    def forward(self, input_ids, attention_mask, use_cache):
        following = input_ids + 1
        following[following == len(WORDS)] = 1
        # One id more than the tokenizer knows, as padded models have; it must never be chosen.
        logits = functional.one_hot(following, len(WORDS) + 1).float()
        logits[..., -1] = 2
        return SimpleNamespace(logits=logits)


class CountingClip(Clip):
    """The toy CLIP, which counts the texts that it reads."""

    def __init__(self):
        toy = toys.clip()
        super().__init__(toy.model, toy.tokenizer, "counting")
        self.texts = 0

    def encode_text(self, texts, normalise=False):
        self.texts += len(texts)
        return super().encode_text(texts, normalise)


def test_each_token_is_continued_twice_and_blanks_are_lost_as_published():
    expansion = expand(Successor(), WordTokenizer(), VocabularySettings(), batch=4)
    assert expansion.first == ("", "", "a", "photo", "of", "red", "car", "dog", "!")
    assert expansion.second[5:] == ("car", "dog", "!", "")
    assert expansion.third[5:] == ("dog", "!", "", "")
    assert expansion.texts()[9 + 6] == "cardog"
    assert len(expansion.texts()) == 27


def test_blanks_can_be_kept():
    settings = VocabularySettings(keep_spaces=True)
    texts = expand(Successor(), WordTokenizer(), settings).texts()
    assert texts[9 + 5] == " redcar"
    assert texts[18 + 6] == "cardog!"


def test_the_batch_does_not_change_the_expansion():
    answers = {expand(Successor(), WordTokenizer(), VocabularySettings(), batch=n) for n in (1, 9)}
    assert len(answers) == 1


def test_texts_are_in_the_order_words_pairs_triples():
    expansion = Expansion(("a", "b"), ("c", "d"), ("e", "f"))
    assert expansion.texts() == ("a", "b", "ac", "bd", "ace", "bdf")


def test_embeddings_are_averaged_over_prompts_and_not_normalised_again():
    settings = VocabularySettings(prompts=("a {}", "{} there"))
    clip = toys.clip()
    table = embed(clip, ["x", " red"], settings)
    both = clip.encode_text(["a red", "red there"], normalise=True)
    assert torch.allclose(table[1], both.mean(0), atol=1e-6)
    assert (table.norm(dim=1) < 0.9999).all()
    unit = embed(clip, ["x"], replace(settings, renormalise=True))
    assert torch.allclose(unit.norm(dim=1), torch.ones(1))


def test_equal_texts_are_embedded_once():
    clip = CountingClip()
    table = embed(clip, ["e", "x", "e"], VocabularySettings(prompts=("{}",)), batch=2)
    assert clip.texts == 2
    assert torch.equal(table[0], table[2])


def test_the_published_prompts_are_the_80_of_imagenet():
    prompts = prompts_of(VocabularySettings())
    assert len(prompts) == 80
    assert "a photo of a {}." in prompts
    assert "itap of my {}." in prompts


def test_every_image_votes_for_its_nearest_texts_by_dot_product():
    table = torch.tensor([[1.0, 0.0], [0.9, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    features = [torch.tensor([[3.0, 0.1]]), torch.tensor([[2.0, 1.0], [0.1, 1.0]])]
    assert votes(features, table, 2).tolist() == [3, 2, 1, 0]


def test_more_votes_than_texts_are_refused():
    with pytest.raises(ValueError, match="votes for 3 texts, and there are 2"):
        votes([], torch.zeros(2, 2), 3)


def test_texts_with_enough_votes_are_elected_or_all_that_got_any():
    counts = torch.tensor([101, 100, 0, 250])
    assert elect(counts, VocabularySettings()) == [0, 3]
    assert elect(counts, VocabularySettings(more_than=0)) == [0, 1, 3]
    with pytest.raises(ValueError, match="the most were 250"):
        elect(counts, VocabularySettings(more_than=999))


def test_equal_texts_vote_as_one_where_they_are_merged():
    texts = ["dog", "", " Dog", "cat", "dog ", "  "]
    assert candidates(texts, VocabularySettings()) == [0, 1, 2, 3, 4, 5]
    assert candidates(texts, VocabularySettings(merge_equal=True)) == [0, 3]
