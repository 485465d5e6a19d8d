from dataclasses import replace

import pytest
import torch
from training_world import NETWORK, TRAINING, Stripes

from frostbench.plugins.backbones.precision import compact, expanded
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.training.pool import Pool
from frostbench.v2l import recipe as v2l_recipe
from frostbench.v2l.codebook import load_words
from frostbench.v2l.model import V2LSettings, V2LTokenizer
from frostbench.v2l.recipe import (
    V2LRecipe,
    fit_projection,
    image_features,
    kept_codebooks,
    make_codebooks,
    train_on,
)
from frostbench.v2l.vocabulary import VocabularySettings
from frostbench.v2l.weights import load

WORDS = VocabularySettings(
    template="{}", prompts=("{}",), keep_spaces=True, nearest=3, more_than=0, merge_equal=True
)
RECIPE = V2LRecipe(
    model=V2LSettings(NETWORK, cross_attention_heads=1, cross_attention_residual=True),
    vocabulary=WORDS,
    training=TRAINING,
    voting_batches=4,
    pool_batches=3,
    validation_batches=2,
)


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "pack", tmp_path / "scratch", pictures=Stripes())


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    workshop = Workshop(tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b"), seed=1)
    voters = Pool(replace(workshop, pictures=Stripes()), "base", 2, 4)
    return make_codebooks(workshop, toys.llm(), toys.clip(), voters, WORDS)


def test_local_words_are_the_tokens_and_global_words_are_those_that_images_chose(books):
    tokenizer = toys.llm().tokenizer
    assert len(books.local_words) == len(books.local) == len(tokenizer)
    assert books.local_words[100] == tokenizer.decode([100])
    assert 0 < len(books.global_words) <= 4 * 2 * 3
    assert len(set(books.global_words)) == len(books.global_words)
    clip = toys.clip()
    assert torch.allclose(
        clip.encode_text([w.strip() for w in books.global_words], normalise=True),
        books.global_,
        atol=1e-5,
    )


def test_training_stores_a_tokenizer_with_its_words_that_scores_as_reported(workshop, books):
    report = train_on(workshop, RECIPE, toys.clip(), books, None)
    folder = workshop.pack / "v2l"
    model = load(folder)
    assert load_words(folder) == (books.local_words, books.global_words)
    assert model.settings.local_words == len(books.local)
    assert model.settings.global_tokens == min(21, len(books.global_))
    kept = expanded(compact({"table": books.local}, "byte"))["table"]
    assert torch.equal(model.tok_embeddings.weight, kept)
    pool = Pool(workshop, "validation", 2, 2)
    errors = []
    with torch.no_grad():
        for i in range(2):
            words = model.nearest_global(image_features(pool(i), toys.clip()))
            errors.append(model.decode(model.encode_local(pool(i)), words) - pool(i))
    assert float(torch.cat(errors).abs().mean()) == pytest.approx(report.figures["l1"], abs=1e-4)
    assert report.figures["global_words"] == len(books.global_words)


def test_codebooks_are_kept_and_not_mixed_with_those_of_other_settings(
    workshop, books, monkeypatch
):
    made = []

    def make(workshop, llm, clip, voters, settings):
        made.append(llm.identity)
        return books

    monkeypatch.setattr(v2l_recipe, "make_codebooks", make)
    toys.llm().model.save_pretrained(workshop.pack / "llm")
    toys.llm().tokenizer.save_pretrained(workshop.pack / "llm")
    voters = Pool(workshop, "base", 2, 4)
    for _ in range(2):
        again = kept_codebooks(workshop, toys.clip(), voters, WORDS)
        assert again.global_words == books.global_words
        assert torch.equal(again.local, books.local)
    assert len(made) == 1
    with pytest.raises(ValueError, match="made with other settings"):
        kept_codebooks(workshop, toys.clip(), voters, replace(WORDS, nearest=4))


def test_fitted_words_spread_as_features_do():
    torch.manual_seed(0)
    model = V2LTokenizer(
        V2LSettings(NETWORK, local_words=4000, global_words=2, global_tokens=1, embed_width=4)
    )
    model.tok_embeddings.weight.data = torch.randn(4000, 4) @ torch.randn(4, 4) + 3
    points = torch.randn(5000, 4) * torch.tensor([2.0, 1.0, 0.5, 0.1]) - 1
    fit_projection(model, points)
    words = model.codebook().detach()
    assert torch.allclose(words.mean(0), points.mean(0), atol=1e-3)
    assert torch.allclose(words.T.cov(), points.T.cov(), atol=0.01)


def test_words_without_a_projection_cannot_be_fitted():
    model = V2LTokenizer(
        V2LSettings(NETWORK, local_words=9, global_words=2, global_tokens=1, projection=False)
    )
    with pytest.raises(ValueError, match="set fit_steps to nothing"):
        fit_projection(model, torch.zeros(5, 768))
