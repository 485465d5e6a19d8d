import pytest
import torch

from frostbench.baselines.flmm.method import FLMM, FLMMSettings, embedding_of
from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.baselines.flmm.weights import save
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.completions import Generated
from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Attend, Generate, ImagePiece, Prompt
from frostbench.plugins.contract.requests import (
    Answer,
    Caption,
    Classify,
    Ground,
    NamedThought,
    NoThought,
    OracleThought,
    QuestionThought,
    Reason,
    Refine,
    Segment,
)
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.grounding.boxes import located


def picture(seed=0, height=16, width=16):
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.rand(3, height, width, generator=draw), f"picture {seed}")


@pytest.fixture(scope="module")
def method():
    return FLMM.toy()


@pytest.fixture(scope="module")
def engine():
    return toys.engine()


def tokens_of(method, image):
    return {image: method.tokenize(image.pixels[None], torch.tensor([image.size]))}


def outcome_of(method, engine, request):
    (outcome,) = drive([method.prompt(request, tokens_of(method, request.image))], engine)
    return outcome


def answered(method, engine, request):
    outcome = outcome_of(method, engine, request)
    assert outcome.error is None, outcome.error
    (prediction,) = method.decode([request], [outcome.value])
    return prediction


def first_wave(method, request):
    return next(method.prompt(request, tokens_of(method, request.image)))


def test_visual_tokens_are_the_frozen_sams_embeddings(method):
    image = picture(1, 12, 16)
    tokens = method.tokenize(image.pixels[None], torch.tensor([image.size]))
    assert torch.equal(embedding_of(tokens), toys.backbones().get("sam").embed(image))


@pytest.mark.parametrize("size", [(16, 16), (9, 30)])
def test_phrases_get_masks_of_the_images_size_together_as_alone(method, engine, size):
    image = picture(2, *size)
    both = answered(method, engine, Ground("both", image, "a dog and a cat", ((0, 5), (10, 15))))
    one = answered(method, engine, Ground("one", image, "a dog and a cat", ((10, 15),)))
    assert both.masks.shape == (2, *size)
    if size[0] == size[1]:  # else the padding is as low as the lowest logit of the request
        assert torch.equal(both.masks[1:], one.masks)


def test_a_phrase_is_located_by_the_box_of_its_mask(method, engine):
    image, phrases = picture(2, 16, 16), ("a dog", "the cat", "a dog")
    masks = answered(method, engine, Segment("s", image, phrases)).masks
    found = answered(method, engine, Locate("l", image, phrases))
    assert found.classes == phrases
    middle = (8.0, 8.0, 8.0, 8.0)
    wanted = [box_of(mask) if mask.any() else middle for mask in masks]
    assert [tuple(box) for box in found.boxes.tolist()] == wanted


def test_the_score_of_a_box_is_the_mean_probability_of_its_mask():
    logits = torch.full((2, 4, 6), -3.0)
    logits[0, 1:3, 2:5] = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, -1.0]])
    logits[1, 3, 5] = -0.5  # an empty mask: its box is empty too, in the middle
    found = located(logits, ("one", "none"))
    assert found.boxes.tolist() == [[2.0, 1.0, 5.0, 3.0], [3.0, 2.0, 3.0, 2.0]]
    wanted = [torch.arange(1.0, 6.0).sigmoid().mean(), torch.tensor(-0.5).sigmoid()]
    assert torch.allclose(found.scores, torch.stack(wanted))


def test_everything_of_a_class_is_not_looked_for(method, engine):
    for kind in (Detect, SegmentInstances):
        outcome = outcome_of(method, engine, kind("x", picture(2), ("dog",)))
        assert "not everything of a class" in outcome.error


def test_a_image_of_one_pixel_gets_a_mask_or_a_sentence(method, engine):
    image = picture(2, 1, 1)
    assert answered(method, engine, Refine("r", image, ((0.0, 0.0, 1.0, 1.0),))).masks.numel() == 1
    outcome = outcome_of(method, engine, Segment("s", image, ("a dog",)))
    if outcome.error is None:
        assert outcome.value.seen.rows.shape[0] == 1
    else:
        assert "\n" not in outcome.error


def test_the_multimodal_models_answers_are_the_same_with_and_without_the_method(method, engine):
    image = picture(3, 20, 32)
    asked = [Answer(q, image, q) for q in ("one of", "learning", "Which colour?")]
    looking = [Segment(q.id, image, (q.question,)) for q in asked]
    requests = [r for pair in zip(asked, looking, strict=True) for r in pair]
    waves = [method.prompt(r, tokens_of(method, image)) for r in requests]
    attached = [outcome.value for outcome in drive(waves, engine)][::2]
    wording = method._wording
    prompts = [
        Prompt(wording.asking(image, q.question), Generate(6), backbone="lmm") for q in asked
    ]
    bare = [said.text.strip() for said in toys.engine().run(prompts)]
    assert attached == bare
    assert any(bare)
    control = method.control("bare_lmm")
    assert [outcome_of(control, engine, q).value for q in asked] == bare


def test_attaching_heads_changes_no_weight_and_no_logit(method, engine):
    lmm = toys.backbones().get("lmm")
    before = checksum(lmm.model)
    ids = torch.tensor([lmm.encode("an owl and a cat")])
    with torch.no_grad():
        logits = lmm.model(input_ids=ids).logits
        answered(method, engine, Segment("s", picture(4), ("a dog", "the cat")))
        assert torch.equal(lmm.model(input_ids=ids).logits, logits)
    assert checksum(lmm.model) == before


def test_a_conversation_grounds_the_phrases_of_the_models_own_tokens(method, engine):
    image, lmm = picture(5), toys.backbones().get("lmm")
    talk = method.converse(image, "What is there?", tokens_of(method, image))
    (asked,) = next(talk)
    assert isinstance(asked.ask, Generate)
    ids = lmm.encode(" a red dog at the top and the cat.")
    (looked,) = talk.send([Generated(tuple(ids), lmm.decode(ids))])
    assert isinstance(looked.ask, Attend)
    assert sum((part.ids for part in looked.query[len(asked.query) :]), ()) == tuple(ids)
    with pytest.raises(StopIteration) as stopped:
        talk.send(engine.run([looked]))
    said = stopped.value.value
    assert [said.text[start:end] for start, end in said.phrases] == ["a red dog", "the cat"]
    assert said.masks.shape == (2, 16, 16)


def test_a_conversation_that_names_nothing_has_no_masks(method):
    image = picture(5)
    talk = method.converse(image, "Is there a dog?", tokens_of(method, image))
    next(talk)
    with pytest.raises(StopIteration) as stopped:
        talk.send([Generated((5, 6), "yes")])
    assert stopped.value.value.text == "yes"
    assert stopped.value.value.masks.shape == (0, 16, 16)


def test_a_chain_of_thought_names_looks_and_answers_from_image_and_region(method, engine):
    image, lmm = picture(6, 24, 32), toys.backbones().get("lmm")
    request = Reason("r", image, "Which colour?", NamedThought())
    waves = method.prompt(request, tokens_of(method, image))
    (named,) = next(waves)
    assert named.query[-1].text.endswith(" The object most relevant to the question is")
    assert named.ask.stop == (".",)
    ids = lmm.encode(" a dog")
    (looked,) = waves.send([Generated(tuple(ids), " a dog")])
    assert len(looked.ask.queries) == len(ids)
    (again,) = waves.send(engine.run([looked]))
    whole, region = (part.image for part in again.query if isinstance(part, ImagePiece))
    assert whole == image
    with pytest.raises(StopIteration) as stopped:
        waves.send(engine.run([again]))
    left, top, right, bottom = map(int, stopped.value.value.box)
    assert torch.equal(region.pixels, image.pixels[:, top:bottom, left:right])


def test_thoughts_differ_in_what_is_looked_at(method, engine):
    image = picture(7, 24, 24)
    (question,) = first_wave(method, Reason("q", image, "Which?", QuestionThought()))
    assert question.query[-1].text == "Which?"
    assert isinstance(question.ask, Attend)
    box = (2.0, 3.0, 12.0, 9.0)
    (oracle,) = first_wave(method, Reason("o", image, "Which?", OracleThought(box)))
    shown = [part.image for part in oracle.query if isinstance(part, ImagePiece)]
    assert [one.size for one in shown] == [(24, 24), (6, 10)]
    (direct,) = first_wave(method, Reason("d", image, "Which?", NoThought()))
    assert [part.image for part in direct.query if isinstance(part, ImagePiece)] == [image]
    assert answered(method, engine, Reason("d", image, "Which?", NoThought())).box is None
    (bare,) = first_wave(method.control("bare_lmm"), Reason("b", image, "Which?"))
    assert bare == direct


def test_a_thought_that_names_nothing_looks_at_everything_again(method):
    image = picture(8, 10, 14)
    waves = method.prompt(Reason("r", image, "Which?"), tokens_of(method, image))
    next(waves)
    (again,) = waves.send([Generated((), "")])
    shown = [part.image for part in again.query if isinstance(part, ImagePiece)]
    assert shown == [image, image]


def test_boxes_alone_are_refined_by_the_frozen_sam(method, engine):
    image = picture(9)
    boxes = ((2.0, 3.0, 12.0, 9.0), (0.0, 0.0, 16.0, 16.0))
    masks = answered(method, engine, Refine("r", image, boxes)).masks
    sam = toys.backbones().get("sam")
    assert torch.equal(masks, sam.masks_from_boxes(image, torch.tensor(boxes)))


def test_what_the_bare_model_cannot_do_is_refused(method, engine):
    bare = method.control("bare_lmm")
    error = outcome_of(bare, engine, Segment("s", picture(), ("a dog",))).error
    assert "answers no Segment requests: it has no mask head" in error
    with pytest.raises(LookupError, match="makes no control named 'other'"):
        method.control("other")


def test_a_pack_of_another_multimodal_model_or_sam_is_refused(method, tmp_path):
    backbones = toys.backbones()
    sam, lmm = backbones.get("sam"), backbones.get("lmm")
    narrow = HeadSettings(UNetSettings(channels=8, widths=(4, 8), side=8), 2, width=7)
    with pytest.raises(ValueError, match="heads read states of width 7, and the multimodal"):
        FLMM(Heads(narrow, sam.model), lmm, sam, FLMMSettings())
    few = HeadSettings(UNetSettings(channels=4, widths=(4, 8), side=8), 2, lmm.width)
    outcome = outcome_of(method, toys.engine(), Segment("s", picture(), ("a dog",)))
    wrong = FLMM(Heads(few, sam.model), lmm, sam, method._settings)
    with pytest.raises(ValueError, match="heads read 4 maps of attention and 2 layers"):
        wrong.decode([Segment("s", picture(), ("a dog",))], [outcome.value])
    with pytest.raises(ValueError, match="the pack has no weights for method 'flmm'"):
        FLMM.build(Setup(backbones))


def test_a_method_built_from_its_folder_finds_the_same_masks(method, engine, tmp_path):
    save(tmp_path, method._heads)
    settings = {
        "wording": {"behind": " ", "describe": "Describe.", "blanks": "word", "lead": " "},
        "region.least": "3",
    }
    built = FLMM.build(Setup(toys.backbones(), tmp_path, settings))
    request = Segment("s", picture(10), ("a dog", "the cat"))
    ours, theirs = (answered(one, engine, request).masks for one in (method, built))
    assert (ours == theirs).float().mean() > 0.9  # a byte a number
    assert built.fingerprint == method.fingerprint


def test_other_requests_name_their_reason(method, engine):
    image = picture(11)
    error = outcome_of(method, engine, Classify("c", image, (), ("cat", "dog"))).error
    assert "answers no Classify requests" in error
    assert isinstance(outcome_of(method, engine, Caption("c", image)).value, str)
