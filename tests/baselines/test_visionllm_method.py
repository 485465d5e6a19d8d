import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.baselines.visionllm.inference import InferenceSettings
from frostbench.baselines.visionllm.instructions import Instructions
from frostbench.baselines.visionllm.method import VisionLLMMethod
from frostbench.baselines.visionllm.model import BOX, GuidedTokens, VisionLLM
from frostbench.baselines.visionllm.offsets import placed
from frostbench.baselines.visionllm.outcomes import Candidates, boxes_in, instances_in, read
from frostbench.baselines.visionllm.reading import read_tuples, text_batch
from frostbench.baselines.visionllm.text import language_reader
from frostbench.baselines.visionllm.toy import TOY, TOY_WORDING
from frostbench.baselines.visionllm.weights import save
from frostbench.baselines.visionllm.wording import ClassWord
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter
from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Fill, Generate, Text
from frostbench.plugins.contract.requests import Answer, Caption, LabelledImage, Segment
from frostbench.plugins.contract.validity import check_prediction
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.kit import toys

NAMES = ("owl", "cat", "red ball", "dog", "tree", "bee", "sun")


def picture(seed=0, height=40, width=56):
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.rand(3, height, width, generator=draw), f"picture {seed}")


IMAGE = picture()


@pytest.fixture(scope="module")
def method():
    return VisionLLMMethod.toy()


@pytest.fixture(scope="module")
def engine():
    return toys.engine()


def with_settings(method, **changed):
    return method._like(replace(method._settings, **changed))


def tokens_of(method, image):
    return {image: method.tokenize(image.pixels[None], torch.tensor([image.size]))}


def answered(method, engine, *requests):
    waves = [method.prompt(request, tokens_of(method, request.image)) for request in requests]
    outcomes = drive(waves, engine)
    assert [outcome.error for outcome in outcomes] == [None] * len(requests)
    predictions = method.decode(requests, [outcome.value for outcome in outcomes])
    for request, prediction in zip(requests, predictions, strict=True):
        check_prediction(prediction, request)
    return predictions


def first_wave(method, request):
    return next(method.prompt(request, tokens_of(method, request.image)))


def text_of(prompt):
    return "".join(part.text for part in prompt.pieces if isinstance(part, Text))


def same_boxes(one, other):
    assert one.classes == other.classes
    assert torch.allclose(one.scores, other.scores, atol=1e-5)
    assert torch.allclose(one.boxes, other.boxes, atol=1e-3)


def test_one_wave_asks_for_a_class_and_points_at_each_image_token(method):
    (box,) = first_wave(method, Detect("d", IMAGE, NAMES[:3]))
    (contour,) = first_wave(method, SegmentInstances("s", IMAGE, NAMES[:3]))
    assert isinstance(box.ask, Fill)
    assert box.ask.groups.shape == (4, 5, 32)
    assert contour.ask.groups.shape == (4, 1 + 2 * 5, 32)
    assert all(name in text_of(box) for name in NAMES[:3])
    assert "5 points" in text_of(contour)


def test_everything_that_is_asked_for_is_found_in_one_batch_as_alone(method, engine):
    requests = [
        Detect("d", IMAGE, NAMES[:3], seed=1),
        Detect("e", picture(1), NAMES[:2], seed=2),
        Locate("l", IMAGE, ("the owl", "a cat"), seed=3),
    ]
    together = answered(method, engine, *requests)
    for request, boxes in zip(requests, together, strict=True):
        same_boxes(answered(method, engine, request)[0], boxes)
    assert len(together[0].boxes) == 4
    assert together[2].classes == ("the owl", "a cat")


@settings(max_examples=5)
@given(order=st.permutations(NAMES[:4]), seed=st.integers(0, 3))
def test_the_order_in_which_classes_are_asked_for_changes_nothing(order, seed):
    method, engine = VisionLLMMethod.toy(), toys.engine()
    asked = Detect("d", IMAGE, tuple(order), seed)
    sorted_ = Detect("d", IMAGE, tuple(sorted(order)), seed)
    same_boxes(*answered(method, engine, asked, sorted_))


def dictionaries(seeds, **how):
    make = Instructions(TOY_WORDING, InferenceSettings(**how), 80, 8)
    return {make.of_classes(Detect("d", IMAGE, NAMES, seed))[0].names for seed in seeds}


def test_dictionaries_are_drawn_from_the_seed_unless_they_are_not_shuffled():
    drawn = dictionaries(range(20))
    assert len(drawn) > 15
    assert all(sorted(names) == sorted(NAMES) for names in drawn)
    assert dictionaries(range(20), shuffled=False) == {NAMES}


@given(count=st.integers(1, 30), most=st.integers(1, 12), seed=st.integers(0, 9))
def test_many_classes_are_asked_for_in_several_prompts_each_once(count, most, seed):
    names = tuple(f"class {i}" for i in range(count))
    make = Instructions(TOY_WORDING, InferenceSettings(), most, 8)
    prompts = make.of_classes(Detect("d", IMAGE, names, seed))
    assert len(prompts) == -(-count // most)
    assert sorted(name for one in prompts for name in one.names) == sorted(names)
    for one in prompts:
        words = [part.index for part in one.parts if isinstance(part, ClassWord)]
        assert words == list(range(len(one.names)))
    assert len({one.parts[0] for one in prompts}) == 1  # one wording for all


def test_prompts_that_are_split_say_what_each_says_alone(method, engine):
    whole = with_settings(method, shuffled=False, classes_per_prompt=2, wording="first")
    wave = first_wave(whole, Detect("d", IMAGE, NAMES[:4]))
    assert len(wave) == 2
    (joined,) = answered(whole, engine, Detect("d", IMAGE, NAMES[:4]))
    parts = answered(whole, engine, Detect("a", IMAGE, NAMES[:2]), Detect("b", IMAGE, NAMES[2:4]))
    given = sorted(zip(joined.classes, joined.scores.tolist(), strict=True))
    alone = sorted(
        pair for part in parts for pair in zip(part.classes, part.scores.tolist(), strict=True)
    )
    assert [name for name, _ in given] == [name for name, _ in alone]
    assert [score for _, score in given] == pytest.approx([s for _, s in alone], abs=1e-4)
    assert joined.scores.tolist() == sorted(joined.scores.tolist(), reverse=True)


def test_a_prompt_that_holds_all_classes_is_not_changed_by_the_most_it_may_hold(method, engine):
    request = Detect("d", IMAGE, NAMES[:3], seed=4)
    tight = with_settings(method, classes_per_prompt=3)
    same_boxes(answered(tight, engine, request)[0], answered(method, engine, request)[0])


def drawn_tuples(no_object, seed, count=3):
    torch.manual_seed(seed)
    model = VisionLLM(replace(TOY, llm_width=16)).eval()
    states, m = torch.randn(6, 5, 16), 6
    boxes = torch.rand(1, 1, m, 4)
    seen = GuidedTokens(
        torch.randn(1, m, 16), boxes[0, ..., :2], torch.randn(1, m), boxes, boxes[..., 0]
    )
    names = NAMES[:count]
    return read(model, states, seen, names, BOX, no_object), model, states, seen


@pytest.mark.parametrize("seed", range(3))
def test_a_score_is_the_probability_of_the_chosen_class_word(seed):
    found, model, states, seen = drawn_tuples("ranked", seed)
    probabilities = torch.cat(
        (model.words.classes(states[:, 0])[:, :3], model.words.none(states[:, 0])), 1
    ).softmax(-1)
    best = probabilities[:, :3].max(1)
    assert torch.allclose(found.scores, best.values)
    assert found.names == tuple(NAMES[i] for i in best.indices)
    assert torch.equal(found.objectness, seen.objectness[0])
    dropped, *_ = drawn_tuples("dropped", seed)
    kept = best.values >= probabilities[:, 3]
    assert torch.equal(dropped.scores, found.scores[kept])
    every, *_ = drawn_tuples("none", seed)
    assert every.names == found.names
    assert torch.allclose(every.scores, best.values / (1 - probabilities[:, 3]))


def candidates(scores, objectness):
    count = len(scores)
    points = torch.arange(count, dtype=torch.float32)[:, None, None].expand(count, 2, 2)
    names = tuple(map(str, range(count)))
    return Candidates(names, points, torch.tensor(scores), torch.tensor(objectness))


LEVELS = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@given(
    rows=st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=150),
    threshold=LEVELS,
    most=st.integers(1, 120),
)
def test_the_best_come_first_and_ties_go_to_what_is_likelier_a_thing(rows, threshold, most):
    found = candidates(*map(list, zip(*rows, strict=True)))
    ranked = found.ranked(threshold, most)
    keys = list(zip(ranked.scores.tolist(), ranked.objectness.tolist(), strict=True))
    assert keys == sorted((row for row in rows if row[0] >= threshold), reverse=True)[:most]
    for name, points in zip(ranked.names, ranked.points, strict=True):
        assert points[0, 0] == int(name)


@given(points=st.lists(st.floats(-1, 2, width=32), min_size=4, max_size=4))
def test_boxes_are_turned_the_right_way_round_and_cut_off_at_the_edges(points):
    given = torch.tensor(points).view(1, 2, 2)
    found = Candidates(("owl",), given, torch.ones(1), torch.zeros(1))
    boxes = boxes_in(found, (40, 80))
    (left, top, right, bottom) = boxes.boxes[0].tolist()
    xs, ys = ([min(max(p, 0), 1) for p in points[axis::2]] for axis in (0, 1))
    assert [left, right] == pytest.approx([80 * min(xs), 80 * max(xs)])
    assert [top, bottom] == pytest.approx([40 * min(ys), 40 * max(ys)])
    check_prediction(boxes, Detect("d", Image(torch.zeros(3, 40, 80)), ("owl",)))


def test_a_contour_without_a_pixel_is_no_instance():
    square = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]])
    points = torch.stack([square[:1].expand(4, 2), square, 2 + square])
    found = Candidates(("owl", "cat", "dog"), points, torch.tensor([0.9, 0.5, 0.4]), torch.ones(3))
    instances = instances_in(found, (8, 16))
    assert (instances.classes, instances.scores.tolist()) == (("cat",), [0.5])
    wanted = torch.zeros(8, 16, dtype=torch.bool)
    wanted[2:6, 4:12] = True
    assert torch.equal(instances.masks[0], wanted)


def test_a_phrase_gets_the_box_of_its_best_token_whatever_stands_beside_it(method, engine):
    both, one = answered(
        method,
        engine,
        Locate("both", IMAGE, ("a cat", "the red ball"), seed=5),
        Locate("one", IMAGE, ("the red ball",), seed=5),
    )
    assert torch.allclose(both.boxes[1], one.boxes[0], atol=1e-3)
    (prompt, _) = first_wave(method, Locate("both", IMAGE, ("a cat", "the red ball"), seed=5))
    assert "a cat" in text_of(prompt)
    assert "the red ball" not in text_of(prompt)


def test_texts_are_written_after_the_image_and_examples_are_not_shown(method, engine):
    shown = (LabelledImage(picture(3), "two", "How many?"),)
    answer = Answer("a", IMAGE, "Which colour?", shown, seed=1)
    (prompt,) = first_wave(method, answer)
    assert isinstance(prompt.ask, Generate)
    assert "Which colour?" in text_of(prompt)
    assert "How many?" not in text_of(prompt)
    texts = answered(method, engine, answer, Caption("c", IMAGE, seed=2))
    assert all(text.text == text.text.strip() for text in texts)


def test_without_its_language_model_boxes_are_the_tokenizers_and_classes_are_drawn(method, engine):
    bare = method.control("no_llm")
    request = Detect("d", IMAGE, NAMES[:4], seed=1)
    with pytest.raises(StopIteration):
        first_wave(bare, request)  # nothing is asked
    (boxes,) = answered(bare, engine, request)
    prompt = method._instructions.of_classes(request)[0]
    seen = method._guided(request, prompt, tokens_of(method, IMAGE)).seen
    order = seen.objectness[0].argsort(descending=True)
    assert torch.allclose(boxes.scores, seen.objectness[0][order].sigmoid())
    x, y, w, h = (seen.boxes[-1, 0, order] * torch.tensor([56, 40, 56, 40])).unbind(1)
    corners = torch.stack((x - w / 2, y - h / 2, x + w / 2, y + h / 2), 1)
    limits = torch.tensor([56.0, 40.0, 56.0, 40.0])
    assert torch.allclose(boxes.boxes, corners.clamp(min=0).minimum(limits), atol=1e-4)
    drawn = {answered(bare, engine, replace(request, seed=s))[0].classes for s in range(6)}
    assert len(drawn) > 1
    (instances,) = answered(bare, engine, SegmentInstances("s", IMAGE, NAMES[:2]))
    assert len(instances.masks) == 4


def test_controls_leave_out_no_object_and_chance(method, engine):
    request = Detect("d", IMAGE, NAMES[:3], seed=6)
    (boxes,) = answered(method, engine, request)
    (every,) = answered(method.control("every_query"), engine, request)
    assert sorted(every.classes) == sorted(boxes.classes)
    assert float(every.scores.min()) > 1 / 3 - 1e-6
    assert (every.scores.sort().values > boxes.scores.sort().values).all()
    fixed = method.control("fixed_prompt")
    for seed in range(4):
        (prompt,) = first_wave(fixed, replace(request, seed=seed))
        text = text_of(prompt)
        assert text.startswith("find ")
        assert [text.index(name) for name in NAMES[:3]] == sorted(map(text.index, NAMES[:3]))


def test_what_is_not_answered_says_why(method):
    request = Segment("s", IMAGE, ("a cat",))
    with pytest.raises(TypeError, match="was not taught to outline what a phrase says"):
        first_wave(method, request)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"classes_per_prompt": 0}, "classes_per_prompt is at least 1, not 0."),
        ({"most": 0}, "most is at least 1, not 0."),
        ({"points": 2}, "a contour has 3 points or more; method.visionllm.points is 2."),
        ({"threshold": 1.5}, "a score lies from 0 to 1; method.visionllm.threshold is 1.5."),
        ({"classes_per_prompt": 5}, "is 5, and these weights have 4 class words"),
        ({"points": 9}, "is 9, and these weights know contours of at most 8 points."),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_sentence(method, bad, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        with_settings(method, **bad)


def test_networks_of_other_sizes_are_refused(method):
    language = toys.backbones().get("llm")
    for sizes, said in (
        (replace(TOY, llm_width=48), "embeddings of width 48, and language model toy reads 32"),
        (
            replace(TOY, llm_width=32, text=replace(TOY.text, words=100)),
            "the text encoder knows 100 words, and language model toy has 320",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            VisionLLMMethod(VisionLLM(sizes), TOY_WORDING, language, method._settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, method):
    """A folder of weights with an adapter, and the adapted language model that was stored."""
    torch.manual_seed(0)
    adapted = new_adapter(toys.backbones().get("llm"), LoraSettings())
    with torch.no_grad():
        for name, part in adapted.named_parameters():
            if "lora_" in name:
                part.copy_(torch.randn(part.shape).half())
    folder = tmp_path_factory.mktemp("visionllm")
    save(folder, method._model, TOY_WORDING, adapted)
    return folder, adapted


def test_a_method_that_is_built_answers_under_its_adapter(trained, engine):
    folder, _ = trained
    built = VisionLLMMethod.build(Setup(toys.backbones(), folder, {"points": 6}))
    request = Detect("d", IMAGE, NAMES[:3])
    (prompt,) = first_wave(built, request)
    assert prompt.adapter.folder == folder / "lora"
    language = toys.backbones().get("llm")
    bare = VisionLLMMethod(built._model, TOY_WORDING, language, built._settings)
    under, without = answered(built, engine, request)[0], answered(bare, engine, request)[0]
    assert not torch.allclose(under.scores, without.scores, atol=1e-3)
    assert "probability of the chosen class word" in " ".join(built.notes)


def test_what_is_read_is_what_training_reads(trained, engine):
    folder, adapted = trained
    built = VisionLLMMethod.build(Setup(toys.backbones(), folder, {"points": 6}))
    model, language = built._model, toys.backbones().get("llm")
    requests = (Detect("d", IMAGE, NAMES[:3], 1), SegmentInstances("s", IMAGE, NAMES[:2], 2))
    for request in requests:
        (prompt,) = built._instructions.of_classes(request)
        tokens = tokens_of(built, IMAGE)
        text = text_batch(language_reader(language), model, [prompt.parts])
        with torch.no_grad():
            seen = model.see(model.maps(IMAGE.pixels[None]), text.ids, text.mask)
            count = [len(prompt.names)]
            wanted = read_tuples(
                language, adapted, model, seen, [prompt.parts], prompt.layout, count
            )
        (outcome,) = drive([built.prompt(request, tokens)], engine)
        found = outcome.value
        best = wanted.classes[0].softmax(-1)[:, :-1].max(-1)
        assert found.names == tuple(prompt.names[i] for i in best.indices)
        assert torch.allclose(found.scores, best.values, atol=1e-4)
        points = placed(model.offsets(wanted.places[0]), wanted.centres[0])
        assert torch.allclose(found.points, points, atol=1e-4)
