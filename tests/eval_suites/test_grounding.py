import inspect
import json
from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from boards import all_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from placed_boxes import PlacedBoxes

from frostbench.bench.cli import main
from frostbench.bench.cli.assemble import open_controls
from frostbench.bench.leaderboard.outlines import outline
from frostbench.bench.runner.rows import rows_of
from frostbench.bench.store.masks import masks_of
from frostbench.bench.store.reader import open_run
from frostbench.eval_suites.controls.oracle import true_boxes
from frostbench.eval_suites.controls.words import shuffled
from frostbench.eval_suites.grounding.hallucination import ObjectHallucination
from frostbench.eval_suites.grounding.scenes import PolledScenes, ReferringScenes
from frostbench.eval_suites.grounding.segmentation import (
    NarrativeGrounding,
    ReferringSegmentation,
    centre_box,
)
from frostbench.eval_suites.grounding.settings import (
    HallucinationSettings,
    NarrativeSettings,
    ReferringSettings,
    ThoughtSettings,
    referring_card,
)
from frostbench.eval_suites.grounding.thought import VisualChainOfThought
from frostbench.packs.mini.scenes.datasets import GlyphScenes
from frostbench.plugins.contract.asked import phrases_of
from frostbench.plugins.contract.boxes import box_of
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import (
    Ground,
    NoThought,
    OracleThought,
    QuestionThought,
    Refine,
    Segment,
    spans_in,
)
from frostbench.plugins.contract.task import Instance, TrueMasks
from frostbench.plugins.host.packs import embedded_pack
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit.pytest import conformance_tests

TASKS = {
    "referring_segmentation": (ReferringSegmentation, ReferringSettings()),
    "narrative_grounding": (NarrativeGrounding, NarrativeSettings()),
    "object_hallucination": (ObjectHallucination, HallucinationSettings(pool=30)),
    "visual_chain_of_thought": (VisualChainOfThought, ThoughtSettings()),
}

test_a_method_of_boxes_keeps_the_contract = conformance_tests(PlacedBoxes)


@pytest.fixture(scope="module")
def scenes():
    return GlyphScenes(embedded_pack("mini") / "data")


@pytest.fixture(scope="module")
def asked(scenes):
    """A dozen instances of each protocol, by task."""
    return {
        name: list(kind(chosen).instances(scenes, 12, 3)) for name, (kind, chosen) in TASKS.items()
    }


def of(instances, protocol):
    return [one for one in instances if one.protocol == protocol]


@pytest.mark.parametrize("name", TASKS)
def test_a_longer_run_contains_a_shorter_and_ids_differ_within_a_protocol(scenes, asked, name):
    kind, chosen = TASKS[name]
    shorter = list(kind(chosen).instances(scenes, 5, 3))
    for protocol in kind(chosen).card.protocols or (None,):
        longer = of(asked[name], protocol)
        assert len(longer) == 12
        assert len({one.request.id for one in longer}) == 12
        for one, two in zip(of(shorter, protocol), longer, strict=False):
            assert (one.request.id, one.request.image) == (two.request.id, two.request.image)


def test_every_sentence_is_a_request_and_officially_all_first_ones_are_one(scenes, asked):
    picture = next(ReferringScenes(scenes, 4).referred(3))
    requests = [one.request for one in of(asked["referring_segmentation"], "standard")]
    mine = [one for one in requests if one.image == picture.image]
    sentences = [sentence for referent in picture.referents for sentence in referent.sentences]
    assert [one.phrases for one in mine] == [(sentence,) for sentence in sentences]
    first = of(asked["referring_segmentation"], "official")[0]
    assert first.request.phrases == tuple(r.sentences[0].lower() for r in picture.referents)
    masks = torch.stack([referent.mask for referent in picture.referents])
    assert torch.equal(first.target.masks, masks)


def test_a_sentence_means_one_thing_alone(scenes):
    for picture in islice(ReferringScenes(scenes, 4).referred(5), 25):
        said = [sentence for one in picture.referents for sentence in one.sentences]
        assert len(set(said)) == len(said)
        assert 2 <= len(picture.referents) <= 4
        assert all(bool(one.mask.any()) for one in picture.referents)


def test_phrases_of_a_narrative_are_its_glyphs(asked):
    for one in asked["narrative_grounding"]:
        assert len(one.request.phrases) == len(one.target.masks) == len(one.target.kinds)
        assert all(text.startswith(("a ", "an ")) for text in one.request.texts)


@pytest.mark.parametrize("protocol", ["random", "popular", "adversarial"])
def test_yes_and_no_are_as_frequent_and_right(scenes, protocol):
    chosen = HallucinationSettings(pool=12)
    questions = list(PolledScenes(scenes, chosen).questions(protocol, 1))
    assert [one.yes for one in questions[:12]] == [True, False] * 6
    assert len({one.cluster for one in questions[:12]}) == 12
    assert Counter(one.yes for one in questions) == {True: 36, False: 36}
    pool = PolledScenes(scenes, chosen)._pool(1)
    for index, names in enumerate(pool):
        mine = [one for one in questions if one.cluster == f"{index:05d}"]
        yes, no = [one for one in mine if one.yes], [one for one in mine if not one.yes]
        assert len(yes) == len(no) == 3
        for name, one in zip(names, yes, strict=True):
            assert one.text in (f"is there a {name}?", f"is there an {name}?")
        families = {scenes.family(name) for name in names}
        for one in no:
            asked = next(n for n in scenes.names if one.text.endswith((f" a {n}?", f" an {n}?")))
            assert scenes.family(asked) not in families


def test_protocols_ask_for_the_same_present_classes_and_for_other_absent_ones(scenes):
    source = PolledScenes(scenes, HallucinationSettings(pool=60))
    asked = {name: list(source.questions(name, 2)) for name in ("random", "popular", "adversarial")}
    yes = {name: [one.text for one in found if one.yes] for name, found in asked.items()}
    no = {name: [one.text for one in found if not one.yes] for name, found in asked.items()}
    assert yes["random"] == yes["popular"] == yes["adversarial"]
    shown = Counter(yes["random"])
    # Popular absent classes are shown elsewhere more often than uniform ones.
    often = {name: np.mean([shown[text] for text in texts]) for name, texts in no.items()}
    assert often["popular"] > 2 * often["random"]
    assert len({*no["popular"]}) < len({*no["adversarial"]}) < len({*no["random"]})


def test_a_detail_is_small_and_its_box_is_true(asked):
    for one in asked["visual_chain_of_thought"]:
        left, top, right, bottom = one.target.box
        assert one.request.image.size == (128, 128)
        assert 5 < right - left < 40
        assert 5 < bottom - top < 40
        assert one.target.texts
    thoughts = {one.protocol: one.request.thought for one in asked["visual_chain_of_thought"]}
    assert isinstance(thoughts["direct"], NoThought)
    assert isinstance(thoughts["question_as_phrase"], QuestionThought)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ReferringSettings(protocols=("both",)), "protocols are among standard, official"),
        (lambda: ReferringSettings(glyphs=1), "2 to 4 glyphs"),
        (lambda: NarrativeSettings(groups=()), "groups are among all, things"),
        (lambda: HallucinationSettings(together=2.0), r"a chance in \[0, 1\]"),
        (lambda: ThoughtSettings(sizes=(0.3, 0.2)), "`sizes` are"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


# Controls


def test_controls_of_an_image_of_one_pixel_are_its_pixel():
    request = Segment("one", Image(torch.zeros(3, 1, 1)), ("a dot", "a point"))
    instance = Instance(request, TrueMasks(torch.ones(2, 1, 1, dtype=torch.bool)), None, "one")
    made = ReferringSegmentation(ReferringSettings()).controls([instance])
    for (prediction,) in made.values():
        assert prediction.masks.tolist() == [[[True]], [[True]]]


@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_the_centre_box_is_never_empty_and_lies_in_the_middle(height, width):
    mask = centre_box(height, width)
    assert bool(mask.any())
    assert torch.equal(mask, mask.flip(0).flip(1))


def test_the_oracle_asks_the_refiner_for_the_true_boxes(asked):
    for name in ("referring_segmentation", "narrative_grounding"):
        for one in asked[name]:
            request = true_boxes(one)
            assert isinstance(request, Refine)
            for mask, (left, top, right, bottom) in zip(
                one.target.masks, request.boxes, strict=True
            ):
                inside = mask[int(top) : int(bottom), int(left) : int(right)]
                assert inside.sum() == mask.sum()
                edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
                assert all(bool(edge.any()) for edge in edges)


def test_the_oracle_of_a_thought_looks_at_the_true_box(asked):
    for one in asked["visual_chain_of_thought"]:
        assert true_boxes(one).thought == OracleThought(one.target.box)


def test_the_oracle_of_an_empty_mask_or_of_words_is_said(asked):
    with pytest.raises(ValueError, match="the mask is empty"):
        box_of(torch.zeros(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="is a Answer request with a str"):
        true_boxes(asked["object_hallucination"][0])


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_shuffled_words_are_never_a_requests_own_and_stand_where_its_phrases_stood(seed):
    image = Image(torch.zeros(3, 4, 4))
    text = "An owl sits behind a cat, and a bee."
    request = Ground("g", image, text, spans_in(text, ("An owl", "a cat", "a bee")))
    pool = ("An owl", "a cat", "a very long lorry", "it")
    made = shuffled(request, pool, seed)
    assert {*made.texts} <= {"a very long lorry", "it"}
    one, two, three = made.texts
    assert made.narrative == f"{one} sits behind {two}, and {three}."
    assert made == shuffled(request, pool[::-1], seed)
    segment = shuffled(Segment("s", image, ("a cat", "a cat")), pool, seed)
    assert len(phrases_of(segment)) == 2
    assert "a cat" not in segment.phrases


def test_words_without_others_to_exchange_with_are_said():
    request = Segment("s", Image(torch.zeros(3, 4, 4)), ("a cat",))
    with pytest.raises(ValueError, match="no other phrase"):
        shuffled(request, ("a cat",), 0)


def test_a_method_without_a_refiner_has_no_oracle_and_the_run_says_so():
    card = replace(
        PlacedBoxes.card,
        capabilities=frozenset({"Segment"}),
        reasons={"Refine": "it has no refiner"},
    )
    found = rows_of(referring_card(ReferringSettings()), [card], open_controls(Host()))
    assert [row.control for row in found.rows] == [None, "shuffled_words"]
    (left,) = found.controls_left_out
    assert (left.control, left.reason) == ("oracle_box", "it has no refiner")


# A run, from the command line to the gallery


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grounding")
    words = [
        f"plugins={inspect.getfile(PlacedBoxes)}",
        "methods=placed_boxes",
        "suites=grounding",
        "limit=4",
        "quiet=true",
        f"cache={folder / 'cache'}",
        f"out={folder / 'run'}",
    ]
    assert main(["run", *words]) == 0
    return folder / "run"


def test_nothing_fails_and_masks_are_cocos_run_lengths(run):
    stored = open_run(run)
    records = stored.records()
    assert {record.status for record in records} == {"scored"}
    masks = [r for r in records if r.task == "referring_segmentation"]
    assert {(r.method, r.control) for r in masks} == {
        ("placed_boxes", None),
        ("placed_boxes", "shuffled_words"),
        ("placed_boxes", "oracle_box"),
        (None, "whole_image"),
        (None, "centre_box"),
    }
    for record in masks:
        encoded = json.loads(stored.blob(record.prediction.blob).read_bytes())
        assert all(set(one) == {"size", "counts"} for one in encoded)
        whole = masks_of(encoded)
        if record.control == "whole_image":
            assert bool(whole.all())
    oracle = {r.sample: r.counts for r in masks if r.control == "oracle_box"}
    alone = {r.sample: r.counts for r in masks if r.row == ("placed_boxes", None)}
    hits = [oracle[s]["ciou[pixels]"][0] > alone[s]["ciou[pixels]"][0] for s in oracle]
    assert np.mean(hits) > 0.5


def test_a_finished_run_is_scored_again_without_a_model_and_verified(run, capsys):
    before = {r.key: (r.scores, r.counts) for r in open_run(run).records()}
    assert main(["score", str(run)]) == 0
    assert {r.key: (r.scores, r.counts) for r in open_run(run).records()} == before
    capsys.readouterr()
    words = [f"plugins={file}" for file in open_run(run).manifest.config["plugins"]]
    assert main(["verify", str(run), *words]) == 0, capsys.readouterr().out


def test_the_gallery_draws_masks_over_images_with_phrases_in_their_colours(run, tmp_path):
    assert main(["leaderboard", str(run), f"out={tmp_path}"]) == 0
    page = all_pages(tmp_path)
    first = next(r for r in open_run(run).records() if r.task == "narrative_grounding" and r.asked)
    for number, (start, end) in enumerate(first.phrases):
        colour = f'<mark style="--m:var(--m{number})">{first.asked[start:end]}</mark>'
        assert colour in page
    assert page.count('<path class="seen tint"') > 20
    assert '<path class="true"' in page  # the box of a thought
    assert "is there a" in page


def test_what_is_left_of_the_bare_model_is_counted_answer_by_answer(run, tmp_path):
    assert main(["leaderboard", str(run), f"out={tmp_path}"]) == 0
    rows = json.loads((tmp_path / "leaderboard.json").read_text())["preserved"]
    assert [row["protocol"] for row in rows] == ["random", "popular", "adversarial"]
    records = {r.key: r for r in open_run(run).records() if r.task == "object_hallucination"}
    for row in rows:
        mine = [
            r
            for r in records.values()
            if r.row == ("placed_boxes", None) and r.protocol == row["protocol"]
        ]
        assert row["of"] == len(mine) == 4
        assert row["same"] == sum(r.prediction.text == "yes" for r in mine)
    assert "What is left of the multimodal model" in all_pages(tmp_path)
    assert "What is left of the multimodal model" in (tmp_path / "leaderboard.md").read_text()


@settings(max_examples=60)
@given(mask=arrays(np.bool_, (6, 7)))
def test_an_outline_holds_the_masks_pixels_and_no_others(mask):
    """A ray from each pixel's centre to the left crosses the outline an odd number of times."""
    path = outline(mask)
    uprights = []
    for loop in filter(None, path.split("Z")):
        tokens = loop[1:].replace("H", " H").replace("V", " V").split()
        x, y = int(tokens[0]), int(tokens[1])
        corners = [(x, y)]
        for token in tokens[2:]:
            x, y = (int(token[1:]), y) if token[0] == "H" else (x, int(token[1:]))
            corners.append((x, y))
        for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
            assert x1 == x2 or y1 == y2
            if x1 == x2:
                uprights.append((x1, min(y1, y2), max(y1, y2)))
    for row, column in np.ndindex(mask.shape):
        crossed = sum(x <= column and low <= row < high for x, low, high in uprights)
        assert bool(crossed % 2) == bool(mask[row, column])
