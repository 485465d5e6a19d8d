"""What the kit asks of methods that sample, score, and make sentences of images."""

import pytest
import torch

from frostbench.plugins import (
    Card,
    Generate,
    Method,
    Prompt,
    Score,
    Text,
    TextPrediction,
    Texts,
    VisualTokens,
    seed_of,
)
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.conformance import CHECKS, result_of
from frostbench.plugins.kit.trial import Trial

TAGS = ("a dark image", "a bright image", "something else")


class Sampled(Method):
    """Tags of an image, and the best of some sampled captions."""

    card = Card(
        "sampled", "none: a test", capabilities=frozenset({"Caption"}), backbones=("llm", "clip")
    )
    fingerprint = "ab" * 32

    @classmethod
    def build(cls, setup):
        return cls()

    @classmethod
    def toy(cls):
        return cls()

    def tokenize(self, images, sizes):
        clip = toys.backbones().get("clip")
        words = clip.encode_text(TAGS, normalise=True)
        rows = []
        for image, (height, width) in zip(images, sizes.tolist(), strict=True):
            seen = clip.encode_image(image[None, :, :height, :width], normalise=True)[0]
            order = torch.argsort(words @ seen, descending=True).tolist()
            rows.append(tuple(TAGS[i] for i in order[:2]))
        return VisualTokens({"tags": Texts(tuple(rows))})

    def seed(self, request):
        return seed_of(request.seed, 0)

    def backbone(self):
        return "clip"

    def prompt(self, request, tokens):
        if type(request).__name__ != "Caption":
            raise TypeError(f"{type(request).__name__} requests are not answered.")
        tags = tokens[request.image].texts("tags")[0]
        ask = Generate(4, samples=3, temperature=1.0, seed=self.seed(request))
        (said,) = yield [Prompt((Text("; ".join(tags), visual=True),), ask)]
        score = Score(said.texts, request.image)
        (scored,) = yield [Prompt((), score, backbone=self.backbone())]
        return said.texts[max(range(3), key=scored.scores.__getitem__)]

    def decode(self, requests, outcomes):
        return [TextPrediction(said) for said in outcomes]


def broken(**members):
    return type("Broken", (Sampled,), members)


def detail(method, name):
    result = result_of(Trial(method), name)
    assert not result.ok
    return result.detail


def test_a_method_that_samples_and_scores_keeps_the_contract():
    trial = Trial(Sampled)
    assert [found for name in CHECKS if not (found := result_of(trial, name)).ok] == []
    (words,) = {tuple(trial.method.words(one)) for one in trial.tokens.values()}
    assert words == ("tags",)
    tags = trial.method.words(trial.tokens[trial.images[0]])["tags"]
    assert [len(row) for row in tags] == [1, 1]


@pytest.mark.parametrize(
    ("members", "name", "sentence"),
    [
        (
            {"seed": lambda self, request: 7},
            "samples are drawn from the requests seed",
            "samples with seed 7 whatever the request's seed is",
        ),
        (
            {"seed": lambda self, request: torch.seed() % 1000},
            "prompting repeats itself",
            "asks something else the second time",
        ),
        (
            {"backbone": lambda self: "llm"},
            "outcomes do not depend on company",
            "Score asks a CLIP",
        ),
        (
            {"tokenize": lambda self, images, sizes: VisualTokens({"tags": Texts((("a",),))})},
            "tokenize gives one row an image",
            "images and returned 1 in 'tags'",
        ),
    ],
)
def test_a_broken_promise_is_seen(members, name, sentence):
    assert sentence in detail(broken(**members), name)
