from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from language_models import language_model

from frostbench.plugins.contract.completions import Cost, Failed, Generated, Scored
from frostbench.plugins.contract.engine import Length
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Adapter, Attend, Generate, Prompt, Score, Text
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.kit import toys

CAT, OWL = "a cat on the left.", "an owl at the top."


def image(seed, size=16):
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.rand(3, size, size, generator=draw), f"image {seed}")


def asking(texts, shown, **how):
    return Prompt((), Score(tuple(texts), shown), backbone="clip", **how)


class Counting:
    """The toy CLIP, which remembers what it was given; with `room` it has no memory for more."""

    def __init__(self, room=99, poison=""):
        self._clip = toys.clip()
        self.device = self._clip.device
        self.texts, self.images, self.room, self.poison = [], [], room, poison

    def encode_text(self, texts, normalise=False):
        if len(texts) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if self.poison in texts and self.poison:
            raise RuntimeError("the kernel fell over")
        self.texts.append(list(texts))
        return self._clip.encode_text(texts, normalise)

    def encode_image(self, images, normalise=False):
        self.images.append(len(images))
        return self._clip.encode_image(images, normalise)


@dataclass
class Some:
    roles: dict = field(default_factory=dict)

    def get(self, role):
        if role not in self.roles:
            raise LookupError(f"no backbone named {role!r}; there are {', '.join(self.roles)}.")
        return self.roles[role]


def engine(clip=None, **settings):
    return FrozenEngine(
        Some({"clip": clip or Counting(), "llm": language_model("llama")}), settings
    )


def test_a_score_is_the_cosine_of_the_models_own_embeddings():
    shown, texts = image(0), (CAT, OWL, "")
    (scored,) = engine().run([asking(texts, shown)])
    clip = toys.clip()
    wanted = clip.encode_text(texts, True) @ clip.encode_image(shown.pixels[None], True)[0]
    assert scored.scores == pytest.approx(wanted.tolist(), abs=1e-5)
    assert all(-1 <= score <= 1 for score in scored.scores)


def test_a_score_is_the_same_alone_and_beside_others_in_any_order_and_sizes_of_batches():
    asked = [
        asking([f"text {i % 7}" for i in range(n, n + 5)], image(n % 3, 16 + 8 * (n % 2)))
        for n in range(6)
    ]
    together = engine().run(asked)
    backwards = engine(max_batch=2).run(asked[::-1])[::-1]
    for prompt, one, other in zip(asked, together, backwards, strict=True):
        (alone,) = engine().run([prompt])
        assert one.scores == pytest.approx(alone.scores, abs=1e-6)
        assert other.scores == pytest.approx(alone.scores, abs=1e-6)


def test_texts_and_images_of_all_prompts_are_encoded_once_and_together():
    clip = Counting()
    made = engine(clip)
    first, second = image(0), image(1)
    asked = [asking((CAT, OWL, CAT), first), asking((OWL,), second), asking((CAT,), second)]
    once = made.run(asked)
    assert (clip.texts, clip.images) == ([[CAT, OWL]], [2])
    again = made.run([*asked[::-1], asking(("new", CAT), image(0))])
    assert (clip.texts, clip.images) == ([[CAT, OWL], ["new"]], [2])
    assert once[0].scores[0] == once[0].scores[2]
    assert [one.scores for one in again[2::-1]] == [one.scores for one in once]


def test_what_was_encoded_before_costs_what_it_cost_then():
    made = engine()
    (first,) = made.run([asking((CAT, OWL, CAT), image(0))])
    (later,) = made.run([asking((CAT, OWL), image(0))])
    assert later.cost == first.cost
    assert first.cost.seconds > 0
    assert first.cost.peak_bytes
    assert (first.cost.prompt_tokens, first.cost.generated_tokens) == (0, 0)
    (half,) = made.run([asking((OWL,), image(0))])
    assert 0 < half.cost.seconds < first.cost.seconds


def test_joules_are_shared_by_what_was_encoded(monkeypatch):
    made = engine()
    monkeypatch.setattr(made._scorer("clip")._meter, "stop", lambda: (5, 8.0))
    scored = made.run([asking((CAT, OWL), image(0)), asking((CAT,), image(0))])
    assert [one.cost.joules for one in scored] == [16.0, 12.0]
    assert [one.cost.peak_bytes for one in scored] == [5, 5]


def test_without_an_image_all_texts_fit_equally_and_nothing_is_run():
    clip = Counting()
    assert engine(clip).run([asking((CAT, OWL), None)]) == [Scored((0.0, 0.0), Cost())]
    assert clip.texts == []


def test_what_does_not_fit_into_memory_is_encoded_in_smaller_batches():
    clip = Counting(room=3)
    texts = [f"text {i}" for i in range(20)]
    (scored,) = engine(clip).run([asking(texts, image(0))])
    (wanted,) = engine().run([asking(texts, image(0))])
    assert scored.scores == pytest.approx(wanted.scores, abs=1e-6)
    assert max(map(len, clip.texts)) <= 3


def test_a_text_that_breaks_the_model_fails_those_who_ask_for_it_alone():
    made = engine(Counting(poison="bad"))
    good, bad = made.run([asking((CAT, OWL), image(0)), asking((CAT, "bad"), image(0))])
    assert isinstance(good, Scored)
    assert bad.reason.startswith(
        "backbone 'clip' failed on the text 'bad': RuntimeError: the kernel fell over"
    )


def test_embeddings_that_are_no_numbers_fail_in_a_sentence():
    clip = Counting()
    clip.encode_image = lambda images, normalise: torch.full((len(images), 16), float("nan"))
    (failed,) = engine(clip).run([asking((CAT,), image(0))])
    assert "an embedding of an image that is not finite numbers" in failed.reason


REFUSED = {
    "Score names no texts": asking((), image(0)),
    "its own texts with its own image": replace(asking((CAT,), image(0)), query=(Text("a"),)),
    "the adapter 'mine' is for a language model": asking(
        (CAT,), image(0), adapter=Adapter("mine", Path("nowhere"))
    ),
    "is a CausalLM, which has no towers for images and texts; Score asks a CLIP": Prompt(
        (), Score((CAT,), image(0))
    ),
    "no backbone named 'eye'; there are clip, llm": replace(
        asking((CAT,), image(0)), backbone="eye"
    ),
    "which answers no prompts but Score": Prompt((Text("a"),), Generate(2), backbone="clip"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_scored_is_refused_in_a_sentence_and_disturbs_no_other(why):
    good = asking((CAT,), image(0))
    made = engine()
    failed, scored, said = made.run([REFUSED[why], good, Prompt((Text("a"),), Generate(2))])
    assert isinstance(failed, Failed)
    assert why in failed.reason
    assert isinstance(scored, Scored)
    assert isinstance(said, Generated)


def test_a_score_takes_no_room_in_a_context_and_other_asks_of_a_clip_cannot_be_measured():
    made = engine()
    assert made.measure(asking((CAT,), image(0))) == Length(0, 0, None)
    with pytest.raises(TypeError, match="no prompts but Score"):
        made.measure(Prompt((Text("a"),), Attend((0,), (0,)), backbone="clip"))
    with pytest.raises(TypeError, match="no towers"):
        made.measure(Prompt((), Score((CAT,), image(0))))
