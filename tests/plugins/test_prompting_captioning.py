import pytest
import torch

from frostbench.plugins.contract.completions import Chosen, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Generate, Ids, Prompt, Shot, Text
from frostbench.plugins.contract.requests import Answer, Caption, LabelledImage
from frostbench.plugins.parts.prompting.captioning import (
    AnswerSettings,
    CaptionSettings,
    answer,
    caption,
)

A, B = (Image(torch.full((3, 4, 4), i / 10)) for i in range(2))
WORDS = {A: (Ids((1, 2)),), B: (Ids((3, 4)),)}
DESCRIBED = (LabelledImage(B, "a dog on the left."),)
ASKED = (LabelledImage(B, "two", "how many?"),)


def run(waves, said="  a cat.  "):
    (prompt,) = next(waves)
    try:
        waves.send([Generated((), said)])
    except StopIteration as stop:
        return prompt, stop.value
    raise AssertionError("a second wave")


def test_a_caption_is_asked_for_in_the_frame_of_the_classification():
    prompt, outcome = run(caption(Caption("c", A, DESCRIBED), WORDS.get, CaptionSettings()))
    before, after = Text("###\nInput: < "), Text(" >\nOutput: ")
    assert prompt == Prompt(
        query=(before, *WORDS[A], after),
        ask=Generate(32, stop=("\n", "###")),
        shots=(Shot((before, *WORDS[B], after), (Text("a dog on the left."),)),),
    )
    assert outcome == "a cat."


def test_a_question_stands_behind_its_image():
    prompt, _ = run(answer(Answer("a", A, "which?", ASKED), WORDS.get, AnswerSettings()))
    assert prompt.query[-1] == Text(" > which?\nOutput: ")
    assert prompt.shots[0].shown[-1] == Text(" > how many?\nOutput: ")
    assert prompt.shots[0].answer == (Text("two"),)


def test_the_papers_words_end_a_caption_at_the_first_full_stop():
    settings = CaptionSettings("summary", opening="Describe.")
    prompt, _ = run(caption(Caption("c", A, DESCRIBED), WORDS.get, settings))
    assert prompt.opening == (Text("Describe.\n"),)
    assert prompt.query == (Text("Input: "), *WORDS[A], Text(", output: "))
    assert prompt.shots[0].answer == (Text("a dog on the left.\n"),)
    assert prompt.ask == Generate(32, stop=(".", "\n"))


def test_the_papers_words_for_a_question():
    prompt, _ = run(
        answer(Answer("a", A, "Which one?", ASKED), WORDS.get, AnswerSettings("summary"))
    )
    assert prompt.query == (
        Text("Condition: "),
        *WORDS[A],
        Text(". Question: Which one?. Answer: "),
    )


def test_a_image_without_examples_is_asked_all_the_same():
    prompt, _ = run(caption(Caption("c", A), WORDS.get, CaptionSettings()))
    assert prompt.shots == ()


def test_another_completion_is_refused():
    waves = caption(Caption("c", A), WORDS.get, CaptionSettings())
    next(waves)
    with pytest.raises(TypeError, match="a caption is answered by a text"):
        waves.send([Chosen(0, (0.0,))])
