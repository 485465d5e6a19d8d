import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from frostbench.bench.statistics.pooling import bleu
from frostbench.eval_suites.metrics.bleu import bleu_4, bleu_counts
from frostbench.eval_suites.metrics.caption_words import caption_words
from frostbench.eval_suites.metrics.cider import cider_d_corpus
from frostbench.eval_suites.metrics.rouge import rouge_l
from frostbench.eval_suites.metrics.vqa import (
    normalised,
    vqa,
    vqa_accuracy,
    vqa_always,
    vqa_exact,
    vqa_legacy,
)
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.predictions import ImagePrediction, TextPrediction

WORDS = ("a", "red", "kite", "over", "the", "blue", "sea", "dog", "sits", "on", "sand")

# Figures below are those of pycocoevalcap 1.2 and of the Java tokenizer that it ships with.
REFERENCES = {
    "kite": ("A red kite over a beach.", "Someone flies a red kite by the sea."),
    "dogs": (
        "Two dogs' toys lie on the well-worn grass.",
        "The dogs aren't here, but their toys are!",
    ),
    "bus": ("A bus stops at 5:30 p.m. on Main St.",),
    "cake": (
        "A woman cuts a white cake (it's her birthday).",
        "A woman with a knife and a cake",
        "A cake is cut in a kitchen.",
    ),
}
CANDIDATES = {
    "kite": "a red kite flies over the sea",
    "dogs": "two dogs lie on the grass.",
    "bus": "A bus stops.",
    "cake": "a woman cuts a cake with a knife in a white kitchen, a kitchen",
}
CIDER = {
    "kite": 3.2480691577053267,
    "dogs": 2.0278672800414106,
    "bus": 2.1338432060131343,
    "cake": 1.642705430446346,
}
BLEU = 0.26011244006687684
CAPTIONS = {
    "A man's dog isn't here; it can't go.": "a man 's dog is n't here it ca n't go",
    "Two dogs' toys (red & blue) lie on the table...": (
        "two dogs toys -lrb- red & blue -rrb- lie on the table"
    ),
    '"Hello," she said -- 5:00 p.m. in the U.S.': "hello she said 5:00 p.m. in the u.s.",
    "Dr. Jones's t-shirt, black/white, costs $5.50 (20% off)!!": (
        "dr. jones 's t-shirt black/white costs $ 5.50 -lrb- 20 % off -rrb- !!"
    ),
    "They're gonna wait, y'all: don't cry": "they 're gon na wait y' all do n't cry",
    "3,000 people at 10:30am — ‘quoted’ and “double” it’s": (
        "3,000 people at 10:30 am quoted and double it 's"
    ),
    "rock 'n' roll at five o'clock, ma'am": "rock 'n' roll at five o'clock ma'am",
    "an e-mail <unk> :) no. 5 bus. No.": "an e-mail <unk> :-rrb- no. 5 bus no",
    "'Twas a plan b. that couldn't've worked?": "'t was a plan b. that could n't 've worked",
    "café naïve … a 2-3 year-old's [toy]": "café naïve a 2-3 year-old 's -lsb- toy -rsb-",
    # That tokenizer reads one text: the caption below each of these began with "A".
    "people a.": "people a",
    "vitamin c. and d.": "vitamin c. and d",
    "plan b. Then a dog (b. The cat)": "plan b then a dog -lrb- b the cat -rrb-",
    "b. They're by the u.s. The e.g. A": "b. they 're by the u.s. the e.g. a",
    "J. Smith at 5 p.m.": "j. smith at 5 p.m.",
    "the letter é.": "the letter é",
    "dogs 😀😀 run, ok👍🏽!": "dogs run ok",
    "😀": "",
    "a 👨\u200d👩\u200d👧 family with flag🇺🇸s": "a family with flag s",
    "1️⃣ ❤️ a ♥ ☺️ ★": "1 ❤ a ♥ ☺ ★",
    "red\u200bdog and dog\u00adcat": "red dog and dogcat",
}


def cider(candidates, references):
    """CIDEr-D by name, the corpus being the references of all names."""
    metric = cider_d_corpus(list(references.values()))
    return {
        name: metric(TextPrediction(text), references[name]) for name, text in candidates.items()
    }


def pooled_bleu(candidates, references):
    counts = [bleu_4(TextPrediction(text), references[name]) for name, text in candidates.items()]
    return float(bleu(np.sum(counts, axis=0)))


def sentence(source, longest=12):
    return " ".join(source.choice(WORDS) for _ in range(source.randint(1, longest)))


def corpus(seed):
    source = random.Random(seed)
    references = {
        str(i): tuple(sentence(source) for _ in range(source.randint(1, 5)))
        for i in range(source.randint(2, 12))
    }
    candidates = {
        name: source.choice(texts) if source.random() < 0.3 else sentence(source)
        for name, texts in references.items()
    }
    return candidates, references


@pytest.mark.parametrize("caption", CAPTIONS)
def test_words_of_a_caption_are_those_of_the_official_tokenizer(caption):
    assert " ".join(caption_words(caption)) == CAPTIONS[caption]


def test_caption_metrics_give_the_official_figures_of_fixed_captions():
    assert cider(CANDIDATES, REFERENCES) == pytest.approx(CIDER, abs=1e-12)
    assert pooled_bleu(CANDIDATES, REFERENCES) == pytest.approx(BLEU, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_caption_metrics_agree_with_pycocoevalcap(seed):
    candidates, references = corpus(seed)
    truth = {name: list(texts) for name, texts in references.items()}
    ours = {name: [text] for name, text in candidates.items()}
    _, scores = Cider().compute_score(truth, ours)
    assert cider(candidates, references) == pytest.approx(
        dict(zip(truth, scores, strict=True)), abs=1e-12
    )
    values, _ = Bleu(4).compute_score(truth, ours, verbose=0)
    assert pooled_bleu(candidates, references) == pytest.approx(values[3], abs=1e-12)
    _, values = Rouge().compute_score(truth, ours)
    given = [rouge_l(TextPrediction(candidates[name]), references[name]) for name in truth]
    assert given == pytest.approx(list(values), abs=1e-12)


def test_captions_equal_to_their_only_references_have_full_marks():
    references = {"kite": ("red kite over beach",), "dog": ("small dogs eat green apples",)}
    candidates = {name: texts[0] for name, texts in references.items()}
    assert cider(candidates, references) == pytest.approx({"kite": 10, "dog": 10})
    assert pooled_bleu(candidates, references) == pytest.approx(1)


@given(seed=st.integers(0, 10_000), order=st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_order_of_samples_and_of_references_changes_no_caption_metric(seed, order):
    candidates, references = corpus(seed)
    names = list(references)
    order.shuffle(names)
    turned = {name: tuple(reversed(references[name])) for name in names}
    assert cider(candidates, turned) == pytest.approx(cider(candidates, references), abs=1e-12)
    counted = pooled_bleu({name: candidates[name] for name in names}, turned)
    assert counted == pytest.approx(pooled_bleu(candidates, references), abs=1e-12)


def test_an_empty_caption_scores_0_and_adds_its_reference_length():
    assert cider({"kite": ""}, REFERENCES) == {"kite": 0.0}
    assert bleu_counts((), [("a", "kite"), ("kite",)]) == (0.0,) * 9 + (1.0,)


def test_cider_d_without_a_corpus_of_images_is_refused():
    for few in ([], ["A red kite."]):
        with pytest.raises(ValueError, match=f"corpus has {len(few)}"):
            cider_d_corpus(few)
    with pytest.raises(ValueError, match="target is a Image"):
        cider_d_corpus(["A kite.", Image(torch.zeros(3, 8, 8))])


@pytest.mark.parametrize("matches", range(11))
def test_vqa_accuracy_of_ten_answers_has_its_closed_form(matches):
    answers = ("yes",) * matches + ("no",) * (10 - matches)
    expected = min(1.0, 0.3 * matches)
    assert vqa_accuracy(matches) == pytest.approx(expected)
    assert vqa(TextPrediction("yes"), answers) == pytest.approx(expected)


def test_vqa_accuracy_leaves_out_each_of_ten_people_in_turn():
    source = random.Random(0)
    for _ in range(50):
        answers = tuple(source.choice(("2", "3", "4")) for _ in range(10))
        left = [sum(a == "2" for a in answers[:i] + answers[i + 1 :]) for i in range(10)]
        expected = math.fsum(min(1, count / 3) for count in left) / 10
        if len(set(answers)) > 1:
            assert vqa(TextPrediction("two"), answers) == pytest.approx(expected)


def test_unanimous_answers_skip_normalisation_and_others_do_not():
    said = TextPrediction("The dog.")
    assert vqa(said, ("dog",) * 10) == 0
    assert vqa(said, ("dog",) * 9 + ("puppy",)) == 1
    assert vqa(TextPrediction(" dog\n"), ("dog",) * 10) == 1
    assert vqa_always(said, ("dog",) * 10) == 1


def test_older_copies_lower_the_prediction_and_not_the_answers():
    answers = ("Yes!",) * 9 + ("no",)
    assert vqa(TextPrediction("yes"), answers) == 1
    assert vqa_legacy(TextPrediction("yes"), answers) == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The red/blue car, parked.", "red blue car parked"),
        ("$1,000", "$1000"),
        ("3.5 or .5. ok.", "3.5 or .5 ok"),
        ("none of the above", "0 of above"),
        ("dont know, wouldntve", "don't know wouldntve"),
        ("couldn'tve", "couldn't've"),
        ("somebody'd", "somebodyd"),
        ("a,b , c", "ab c"),
        ("two - three", "2 3"),
        (" U.S.A.\n", "usa"),
        ("it's five o'clock", "it's 5 o'clock"),
        ("well-known", "well known"),
        ("A T-shirt?", "t shirt"),
        ("." * 40, "." * 8),
    ],
)
def test_answers_are_normalised_as_by_the_official_evaluation(answer, expected):
    assert normalised(answer) == expected


def test_fewer_than_ten_answers_are_alternatives_and_one_alone_stands_for_ten():
    few = ("A red kite", "kite")
    assert vqa(TextPrediction("the kite"), few) == 1
    assert vqa(TextPrediction("the dog"), few) == 0
    assert vqa(TextPrediction("kite"), "kite") == 1
    assert vqa(TextPrediction("the kite"), "kite") == 0


def test_exact_match_compares_normalised_texts_with_any_accepted_one():
    assert vqa_exact(TextPrediction("The Two."), ("2", "three")) == 1
    assert vqa_exact(TextPrediction("two dogs"), ("2", "three")) == 0


def test_what_is_no_text_is_refused_by_every_text_metric():
    image = ImagePrediction(torch.zeros(3, 8, 8))
    singles = [vqa, vqa_exact, cider_d_corpus(["a", "b"])]
    for score in (*singles, bleu_4):
        with pytest.raises(ValueError, match="prediction is a ImagePrediction"):
            score(image, "text")
        with pytest.raises(ValueError, match="target is a Image"):
            score(TextPrediction("text"), Image(torch.zeros(3, 8, 8)))
        with pytest.raises(ValueError, match="accepts no text"):
            score(TextPrediction("text"), ())
