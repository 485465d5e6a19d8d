import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from frostbench.plugins.contract.cards import Card
from frostbench.plugins.contract.engine import UnanswerableError
from frostbench.plugins.contract.predictions import (
    Boxes,
    ImagePrediction,
    Masks,
    Reasoned,
    TextPrediction,
)
from frostbench.plugins.contract.prompts import Ids
from frostbench.plugins.contract.requests import images_of, masks_asked
from frostbench.plugins.contract.tokens import Grid, VisualTokens
from frostbench.plugins.contract.validity import check_prediction
from frostbench.plugins.engine.answer import answer
from frostbench.plugins.host.containment import interruptible
from frostbench.plugins.host.limits import Limits
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.conformance import CHECKS, check, result_of
from frostbench.plugins.kit.new_plugin import write
from frostbench.plugins.kit.requests import requests
from frostbench.plugins.kit.trial import Trial


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = write("colours", tmp_path_factory.mktemp("plugins"))
    return Host([folder / "colours.py"], installed=False).methods["colours"].load()


class Loud(Exception):  # noqa: N818
    def __str__(self):
        return "a" * 5_000_000


def broken(good, **members):
    return type("Broken", (good,), members)


def failing(method) -> set[str]:
    trial = Trial(method)
    return {name for name in CHECKS if not result_of(trial, name).ok}


def detail(method, name):
    result = result_of(Trial(method), name)
    assert not result.ok
    return result.detail


def test_a_good_method_passes_every_check(good):
    results = check(good)
    assert [result.name for result in results] == list(CHECKS)
    assert [result for result in results if not result.ok] == []


def test_a_toy_that_cannot_be_built_fails_with_its_reason(good):
    def toy(cls):
        raise RuntimeError("no toy today")

    results = check(broken(good, toy=classmethod(toy)))
    tried = [result for result in results if "card" not in result.name]
    assert not any(result.ok for result in tried)
    assert all("RuntimeError: no toy today" in result.detail for result in tried)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"paper": ""}, "names no paper"),
        ({"capabilities": frozenset()}, "declares none of Classify"),
        ({"backbones": ("llm", "ear")}, r"backbones \['ear'\]; there are toys for llm, clip"),
    ],
)
def test_a_card_that_says_too_little_is_seen(good, change, sentence):
    method = broken(good, card=replace(good.card, **change))
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(detail(method, "the card says what the method is"))


def test_a_missing_card_is_seen(good):
    method = broken(good, card=None)
    assert "no Card but NoneType" in detail(method, "the card says what the method is")


def test_a_fingerprint_that_is_drawn_anew_is_seen(good):
    numbers = itertools.count(10**20)
    method = broken(good, fingerprint=property(lambda self: f"{next(numbers):x}"))
    assert "seed them" in detail(method, "the toy is always the same")


def shifted(tokens: VisualTokens, by: torch.Tensor) -> VisualTokens:
    return VisualTokens({"local": Grid((tokens.grid("local") + by) % 16)})


def test_tokens_that_depend_on_the_batch_are_seen(good):
    def tokenize(self, images, sizes):
        return shifted(good.tokenize(self, images, sizes), torch.tensor(len(images)))

    method = broken(good, tokenize=tokenize)
    assert "alone differs" in detail(method, "tokens do not depend on the batch")


def test_tokens_that_depend_on_the_padding_are_seen(good):
    def tokenize(self, images, sizes):
        tall = torch.full_like(sizes, 1_000).clamp(max=images.shape[-1])
        whole = torch.minimum(tall, torch.tensor(images.shape[-2:]))
        return good.tokenize(self, images, whole)

    method = broken(good, tokenize=tokenize)
    assert "tokens do not depend on the batch" in failing(method)


def test_tokens_that_change_from_call_to_call_are_seen(good):
    calls = itertools.count()

    def tokenize(self, images, sizes):
        return shifted(good.tokenize(self, images, sizes), torch.tensor(next(calls)))

    method = broken(good, tokenize=tokenize)
    assert "a second call" in detail(method, "tokenize repeats itself and changes nothing")


def test_writing_to_the_batch_is_seen(good):
    def tokenize(self, images, sizes):
        tokens = good.tokenize(self, images, sizes)
        images.mul_(0.5)
        return tokens

    method = broken(good, tokenize=tokenize)
    name = "tokenize repeats itself and changes nothing"
    assert not result_of(Trial(method), name).ok


def near(change):
    def words(self, tokens):
        return {"local": [[f"{word}" for word in row] for row in tokens.grid("local")[0].tolist()]}

    def neighbours(self, images, sizes, count):
        tokens = self.tokenize(images, sizes).split()
        return [change(self.words(one), count) for one in tokens]

    return {"words": words, "neighbours": neighbours}


def numbers(rows):
    return [[[int(word) for word in cell] for cell in row] for row in rows]


def cells(words, count):
    return {"local": [[[word] * count for word in row] for row in words["local"]]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda words, count: {"global": words["local"]}, "no part that has words"),
        (lambda words, count: {"local": cells(words, count)["local"][1:]}, "not in the rows"),
        (lambda words, count: cells(words, count + 1), "not 1 to 3 for each"),
        (lambda words, count: cells(words, 0), "not 1 to 3 for each"),
        (lambda words, count: {"local": cells(words, 1)["local"][::-1]}, "do not begin with"),
        (lambda words, count: {"local": numbers(cells(words, 1)["local"])}, "not all texts"),
    ],
)
def test_neighbours_that_do_not_belong_to_the_words_are_seen(good, change, sentence):
    assert sentence in detail(broken(good, **near(change)), "neighbours begin with the words")


@pytest.mark.parametrize("change", [cells, lambda words, count: {}])
def test_neighbours_that_begin_with_the_words_or_are_none_pass(good, change):
    assert result_of(Trial(broken(good, **near(change))), "neighbours begin with the words").ok


def test_words_of_a_layer_belong_to_their_part(good):
    def words(self, tokens):
        return {"local/1": [["one"]], "local/2": [["two", "three"]]}

    assert result_of(Trial(broken(good, words=words)), "words are rows of texts").ok


def test_prompts_drawn_from_elsewhere_than_the_seed_are_seen(good):
    calls = itertools.count()

    def shown(self, tokens):
        return (Ids((next(calls) % 300,)),)

    method = broken(good, shown=shown)
    assert "draw from request.seed alone" in detail(method, "prompting repeats itself")


def test_a_backbone_that_the_card_does_not_name_is_seen(good):
    method = broken(good, card=replace(good.card, backbones=("clip",)))
    assert "asks backbone 'llm'" in detail(method, "prompt yields lists of prompts")


def test_waves_that_are_no_lists_are_seen(good):
    def prompt(self, request, tokens):
        yield ()

    method = broken(good, prompt=prompt)
    assert "yielded a tuple, not a list" in detail(method, "prompt yields lists of prompts")


def test_a_method_that_raises_is_a_result_with_request_and_reason(good):
    def prompt(self, request, tokens):
        yield []
        raise KeyError("lost")

    method = broken(good, prompt=prompt)
    said = detail(method, "decode gives what was asked for")
    assert "'classify' (Classify) failed: KeyError: 'lost'" in said


def decoding(good, change):
    def decode(self, several, outcomes):
        return change(good.decode(self, several, outcomes))

    return broken(good, decode=decode)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda made: made[:-1], "and returned"),
        (
            lambda made: [TextPrediction("x") for _ in made],
            "where ImagePrediction was asked for",
        ),
        (lambda made: [imaged(p, lambda x: x[:, 1:]) for p in made], "was asked for"),
        (lambda made: [imaged(p, lambda x: x * torch.nan) for p in made], "has NaN or infinity"),
        (lambda made: [imaged(p, lambda x: x + 1) for p in made], r"not [0, 1]"),
    ],
)
def test_predictions_that_nobody_asked_for_are_seen(good, change, sentence):
    method = decoding(good, change)
    assert sentence in detail(method, "decode gives what was asked for")


def imaged(prediction, change):
    if not isinstance(prediction, ImagePrediction):
        return prediction
    return ImagePrediction(change(prediction.pixels))


def test_predictions_that_depend_on_company_are_seen(good):
    def darker(made: Sequence[object]):
        return [imaged(one, lambda x: x / len(made)) for one in made]

    method = decoding(good, darker)
    said = detail(method, "decode does not depend on company")
    assert "alone gives another prediction" in said


def test_an_attribute_that_hides_a_verb_is_named(good):
    def toy(cls):
        made = good.toy.__func__(cls)
        made.words = torch.zeros(3)
        return made

    method = broken(good, toy=classmethod(toy))
    assert "its attribute words hides" in detail(method, "the toy is always the same")


def test_a_request_that_the_card_does_not_name_never_reaches_the_method(good):
    def prompt(self, request, tokens):
        raise AssertionError("it was asked")
        yield

    card = Card("shy", "none", capabilities=frozenset({"Classify"}), reasons={"Detect": "no box"})
    method = broken(good, card=card, prompt=prompt).toy()
    (request,) = requests()["Detect"]
    with pytest.raises(UnanswerableError, match="'shy' answers Classify, and got a Detect request"):
        answer(method, [request], toys.engine())


def test_writing_to_a_request_is_seen(good):
    def decode(self, several, outcomes):
        several[0].image.pixels.mul_(0.5)
        return good.decode(self, several, outcomes)

    method = broken(good, decode=decode)
    assert "was changed" in detail(method, "requests are left as they were")


def test_writing_to_a_frozen_backbone_is_seen(good):
    def decode(self, several, outcomes):
        weight = next(toys.backbones().get("llm").model.parameters())
        weight.data.add_(1e-3)
        return good.decode(self, several, outcomes)

    try:
        said = detail(broken(good, decode=decode), "backbones are left as they were")
        assert "writes to llm" in said
    finally:
        toys.backbones.cache_clear()


def test_words_for_parts_that_do_not_exist_are_seen(good):
    method = broken(good, words=lambda self, tokens: {"global": [["cat"]]})
    assert "'global' is none of local" in detail(method, "words are rows of texts")


def test_requests_of_every_type_carry_their_name_and_differ():
    known = requests()
    for kind, several in known.items():
        assert {type(one).__name__ for one in several} == {kind}
        assert all(images_of(one) for one in several)
    ids = [one.id for several in known.values() for one in several]
    assert len(ids) == len(set(ids))


def flaw(request, prediction):
    try:
        check_prediction(prediction, request)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def test_masks_and_boxes_are_held_to_the_request():
    known = requests()
    (ground,), (detect,) = known["Ground"], known["Detect"]
    height, width = ground.image.size
    masks = torch.zeros(2, height, width, dtype=torch.bool)
    assert flaw(ground, Masks(masks)) is None
    assert "masks have shape" in str(flaw(ground, Masks(masks[:1])))
    for kind in ("Segment", "Refine"):
        for request in known[kind]:
            asked = torch.zeros(masks_asked(request), *request.image.size, dtype=torch.bool)
            assert flaw(request, Masks(asked)) is None
            assert "masks have shape" in str(flaw(request, Masks(torch.cat([asked, asked]))))

    reason, _, _, _, _ = known["Reason"]
    height, width = reason.image.size
    assert flaw(reason, Reasoned("red")) is None
    assert flaw(reason, Reasoned("red", (0.0, 0.0, float(width), float(height)))) is None
    assert "is no box" in str(flaw(reason, Reasoned("red", (0.0, 0.0, width + 1.0, float(height)))))
    assert "is no box" in str(flaw(reason, Reasoned("red", (3.0, 3.0, 3.0, 5.0))))
    assert "where Reasoned was asked for" in str(flaw(reason, TextPrediction("red")))

    def boxes(box, classes=("ball",), score=0.5):
        return Boxes(torch.tensor([box]), classes, torch.tensor([score]))

    assert flaw(detect, boxes([0.0, 0.0, width, height])) is None
    assert "is not within" in str(flaw(detect, boxes([0.0, 0.0, width + 1.0, height])))
    assert "not asked for" in str(flaw(detect, boxes([0.0, 0.0, 1.0, 1.0], ("cat",))))
    assert "outside of [0, 1]" in str(flaw(detect, boxes([0.0, 0.0, 1.0, 1.0], score=1.5)))
    assert "differ in number" in str(flaw(detect, boxes([0.0, 0.0, 1.0, 1.0], ("ball",) * 2)))


BROUGHT = "controls are made and keep the same promises"


def bringing(good, make):
    def control(self, name):
        return make(self) if name == "no_llm" else good.control(self, name)

    return broken(good, card=replace(good.card, controls=("no_llm",)), control=control)


def test_a_control_that_answers_as_a_method_does_passes(good):
    assert failing(bringing(good, lambda method: method)) == set()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda method: "a string", "returned a str, not a Method"),
        (lambda method: method.control("another"), "LookupError: method 'colours' makes no"),
    ],
)
def test_a_control_that_is_not_made_is_seen(good, make, sentence):
    assert sentence in detail(bringing(good, make), BROUGHT)


def test_a_control_that_breaks_a_promise_is_seen(good):
    calls = itertools.count()

    def shown(self, tokens):
        return (Ids((next(calls) % 300,)),)

    said = detail(bringing(good, lambda method: broken(good, shown=shown).toy()), BROUGHT)
    assert "the control 'no_llm'" in said
    assert "draw from request.seed alone" in said


def test_a_control_of_any_name_is_no_control(good):
    method = broken(good, control=lambda self, name: self)
    assert "of a name that no card has" in detail(method, BROUGHT)


def test_a_task_that_the_card_declines_is_not_asked_and_must_be_refused(good):
    declining = replace(good.card, reasons={"denoising": "not trained for it"})

    def prompt(self, request, tokens):
        if getattr(request, "corruption", "") == "denoising":
            raise TypeError("not trained for it")
        return (yield from good.prompt(self, request, tokens))

    assert failing(broken(good, card=declining, prompt=prompt)) == set()
    name = "declined tasks are refused"
    assert "'denoise' is answered, though declined" in detail(broken(good, card=declining), name)


def test_ids_that_stand_for_no_code_fail(good):
    def tokenize(shift):
        def changed(self, images, sizes):
            tokens = good.tokenize(self, images, sizes)
            return VisualTokens(
                {name: Grid(part.ids + shift) for name, part in tokens.parts.items()}
            )

        return changed

    name = "tokenize gives one row an image"
    assert "tokenize returned id -" in detail(broken(good, tokenize=tokenize(-1000)), name)
    large = broken(good, tokenize=tokenize(1000))
    assert "ids count codes from 0, and part" in detail(large, name)


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), KeyboardInterrupt(), Loud()])
def test_whatever_a_method_raises_is_a_result(good, error):
    def tokenize(self, images, sizes):
        raise error

    with interruptible():
        result = result_of(
            Trial(broken(good, tokenize=tokenize)), "tokenize gives one row an image"
        )
    assert not result.ok
    assert result.detail.startswith(f"{type(error).__name__}: ")
    assert len(result.detail) < 1100


@pytest.mark.parametrize(
    ("most", "limit"),
    [
        (Limits(most_waves=5), "it yields more than 5 waves (most_waves)"),
        (Limits(most_seconds=0.2), "TimeLimitError: not done after"),
    ],
)
def test_a_method_that_never_ends_fails_once_and_is_not_tried_again(good, most, limit):
    def prompt(self, request, tokens):
        while True:
            if "Time" in limit:
                time.sleep(0.01)
            else:
                yield []
        yield []

    trial = Trial(broken(good, prompt=prompt), most)
    first = "prompt yields lists of prompts"
    assert limit in result_of(trial, first).detail
    for name in CHECKS:
        result = result_of(trial, name)
        assert result.detail == f"not tried, since the method takes too long ({first})"
