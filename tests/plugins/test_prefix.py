from collections.abc import Sequence
from dataclasses import replace

import pytest
import timm
import torch

from frostbench.plugins.backbones.timm_encoder import TimmEncoder
from frostbench.plugins.contract.cards import CONTINUOUS, Card
from frostbench.plugins.contract.datasets import CaptionedImage
from frostbench.plugins.contract.images import Image, as_batch
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Text, Vectors
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.contract.requests import Answer, Caption, Classify
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.requests import images, requests
from frostbench.plugins.parts.prefix import PrefixMap, PrefixMethod, PrefixSettings
from frostbench.plugins.parts.prefix.features import features
from frostbench.plugins.parts.prefix.training import PrefixTraining, train_on
from frostbench.plugins.parts.prompting import AnswerSettings, CaptionSettings, TextPrompting
from frostbench.plugins.parts.prompting.classification import ClassificationSettings
from frostbench.plugins.parts.training import folder as stored

WORDING = TextPrompting(
    ClassificationSettings(style="sentence"),
    CaptionSettings(style="prefix"),
    AnswerSettings(style="prefix"),
)


class Prefixed(PrefixMethod):
    card = Card(
        name="prefixed",
        paper="a test's own",
        capabilities=frozenset({"Caption", "Answer", "Classify"}),
        backbones=("llm", "clip"),
        reasons=CONTINUOUS,
        discrete=False,
    )
    defaults = PrefixSettings(pooling="pooled", vectors=3, hidden=(8,), prompting=WORDING)

    @classmethod
    def toy(cls):
        from frostbench.plugins.kit import toys

        return cls.between(toys.backbones())


def asked(request):
    """Its one prompt: each piece's text, or how many vectors it is."""
    method = Prefixed.toy()
    shown = [request.image, *(example.image for example in request.examples)]
    tokens = dict(zip(shown, method.tokenize(*as_batch(shown)).split(), strict=True))
    (prompt,) = next(method.prompt(request, tokens))
    return [p.text if isinstance(p, Text) else len(p.vectors) for p in prompt.pieces]


def of_type(kind):
    return requests()[kind.__name__][0]


SAYS = "A picture of"
MANY, WHICH = "Question: How many? Answer:", "Question: Which colour? Answer:"
WHAT = " Question: What is this? Answer: This is a"


@pytest.mark.parametrize(
    ("request_", "pieces"),
    [
        (of_type(Caption), [3, SAYS, " a red ball\n", 3, SAYS, " a dog and a cat\n", 3, SAYS]),
        (of_type(Answer), [3, MANY, " two\n", 3, WHICH, " red\n", 3, MANY]),
        (
            of_type(Classify),
            [
                "Answer with cat or dog.",
                3,
                " This is a",
                " cat.",
                3,
                " This is a",
                " dog.",
                3,
                WHAT,
            ],
        ),
    ],
    ids=["caption", "answer", "classify"],
)
def test_an_image_is_vectors_before_the_published_words(request_, pieces):
    assert asked(request_) == pieces


@pytest.mark.parametrize("pooling", ["cells", "pooled"])
@pytest.mark.parametrize("kind", ["open_clip", "timm"])
def test_features_come_from_both_kinds_of_encoders_before_and_after_pooling(kind, pooling):
    encoder = toys.clip()
    if kind == "timm":
        with toys.seeded():
            model = timm.create_model("test_vit", pretrained=False, num_classes=0)
        encoder = TimmEncoder(model, "toy", 160, timm.data.resolve_model_data_config(model))
    shown = images()[:3]  # of three sizes
    seen = features(encoder, pooling, *as_batch(shown))
    for own, image in zip(seen, shown, strict=True):
        pixels = image.pixels[None]
        if pooling == "pooled":
            encode = encoder.encode_image if kind == "open_clip" else encoder.encode_pooled
            torch.testing.assert_close(own, encode(pixels))
        elif kind == "open_clip":
            torch.testing.assert_close(own, encoder.encode_cells(pixels)[0])
        else:
            assert encoder.class_tokens == 1
            torch.testing.assert_close(own, encoder.encode(pixels)[0, 1:])


def test_another_kind_of_encoder_is_refused():
    with pytest.raises(ValueError, match=r"MAE gives no features .* open_clip or timm"):
        features(toys.mae(), "cells", *as_batch(images()[:1]))


def test_a_map_of_another_model_is_refused():
    language, encoder = toys.llm(), toys.clip()
    with pytest.raises(ValueError, match=r"vectors of 7 numbers, .* have 32"):
        Prefixed(PrefixMap(PrefixSettings(llm_width=7)), language, encoder)
    method = Prefixed(PrefixMap(PrefixSettings(width=5, llm_width=32)), language, encoder)
    with pytest.raises(ValueError, match=r"features of 5 numbers, and those of toy .* have 32"):
        method.tokenize(*as_batch(images()[:1]))
    with pytest.raises(ValueError, match="1 or more"):
        PrefixSettings(vectors=0)


def test_a_folder_keeps_the_wording_and_a_run_may_set_it(tmp_path):
    sizes = replace(Prefixed.defaults, width=16, llm_width=32)
    stored.save(tmp_path, sizes, PrefixMap(sizes).state_dict(), "full")
    told = {"caption": {"lead": "Here is"}, "answer.asks": "Q: "}
    setup = Setup(toys.backbones(), weights=tmp_path, settings=told)
    method = Prefixed.build(setup)
    assert method.prompting.caption == CaptionSettings(style="prefix", lead="Here is")
    assert method.prompting.answer == AnswerSettings(style="prefix", asks="Q: ")
    assert method.prompting.classification == WORDING.classification
    with pytest.raises(ValueError, match=r"method.prefixed"):
        Prefixed.build(replace(setup, settings={"captions": {}}))


class Told(Sequence):
    """Patches of one colour, each with its name: a `CaptionSet`."""

    names = ("cat", "dog")

    def captioned(self):
        return self

    def references(self):
        return [self[number].captions for number in range(len(self))]

    def __len__(self):
        return 12

    def __getitem__(self, number):
        name = self.names[number % 2]
        pixels = torch.full((3, 16, 16), 0.1 + 0.8 * (number % 2)) + number / 500
        return CaptionedImage(str(number), Image(pixels), (name,), str(number))


@pytest.mark.parametrize("shots", [0, 1])
def test_a_map_learns_what_is_said_of_images_and_is_stored_as_it_was_trained(tmp_path, shots):
    settings = PrefixTraining(
        map=replace(Prefixed.defaults, hidden=(), vectors=2),
        shots=shots,
        each=8,
        steps=30,
        rate=0.03,
        held_out=4,
        log_every=10,
    )
    workshop = Workshop(tmp_path, tmp_path / "scratch", offered={"captions": lambda _: Told()})
    report = train_on(workshop, "prefixed", settings, toys.backbones())
    first, last = report.history[0][1]["caption"], report.history[-1][1]["caption"]
    assert last < first
    # Neighbours are of the other name.
    assert report.figures["caption loss"] < report.figures["caption loss, other image"]
    # What was measured is what a method reads, of features as the encoder gives them.
    assert report.figures["caption loss"] == pytest.approx(last, abs=0.3)
    method = Prefixed.build(Setup(toys.backbones(), weights=tmp_path / "prefixed"))
    assert method.defaults.pooling == "pooled"
    assert not any(p.requires_grad for p in toys.backbones().get("llm").model.parameters())


def test_captions_that_are_none_or_too_few_are_refused(tmp_path):
    few = PrefixTraining(held_out=12)
    for offered, said in (([], "no CaptionSet but a list"), (Told(), "12 captions are too few")):
        workshop = Workshop(tmp_path, tmp_path, offered={"captions": lambda _, o=offered: o})
        with pytest.raises(ValueError, match=said):
            train_on(workshop, "prefixed", few, toys.backbones())


def test_an_image_is_shown_as_vectors_alone():
    method = Prefixed.toy()
    (piece,) = method.shown(method.tokenize(*as_batch(images()[:1])))
    assert isinstance(piece, Vectors)
