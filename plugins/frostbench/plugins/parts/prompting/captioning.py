"""Prompts for captions and for answers to questions, with in-context examples.

No code of the papers asks for them. What is known of V2L-Tokenizer's prompts (Zhu et al., CVPR
2024, https://arxiv.org/abs/2403.07874, section 4.2) is kept as the style "summary".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from frostbench.plugins.contract.completions import Completion, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Waves
from frostbench.plugins.contract.prompts import Generate, Piece, Prompt, Shot, Text
from frostbench.plugins.contract.requests import Answer, Caption
from frostbench.plugins.parts.prompting.classification import INPUT, OUTPUT

Style: TypeAlias = Literal["frame", "summary"]
ShowImage: TypeAlias = Callable[[Image], tuple[Piece, ...]]


@dataclass(frozen=True)
class CaptionSettings:
    """How a caption is asked for.

    Attributes:
        style: "frame" is the frame of the published classification prompt; "summary" is
            "Input: {tokens}, output: {caption}", cut at the first full stop, as the paper's text
            has it (unverified: no code is published).
        opening: A first line of the prompt; nothing is published.
        max_new_tokens: Tokens generated at most.
    """

    style: Style = "frame"
    opening: str = ""
    max_new_tokens: int = 32


@dataclass(frozen=True)
class AnswerSettings:
    """How a question is put.

    Attributes:
        style: "frame" puts the question after the image, inside the frame of the published
            classification prompt; "summary" is "Condition: {tokens}. Question: {question}. Answer:
            {answer}", as the paper's text has it (unverified: no code is published).
        opening: A first line of the prompt; nothing is published.
        max_new_tokens: Tokens generated at most.
    """

    style: Style = "frame"
    opening: str = ""
    max_new_tokens: int = 16


def caption(request: Caption, shown: ShowImage, settings: CaptionSettings) -> Waves:
    """One wave of one prompt; the outcome is the caption.

    `shown` gives an image's pieces.
    """
    summary = settings.style == "summary"

    def asked(image: Image) -> tuple[Piece, ...]:
        if summary:
            return (Text("Input: "), *shown(image), Text(", output: "))
        return (INPUT, *shown(image), OUTPUT)

    def said(text: str) -> tuple[Piece, ...]:
        return (Text(f"{text.rstrip('.')}.\n"),) if summary else (Text(text),)

    prompt = Prompt(
        opening=_opening(settings.opening),
        shots=tuple(Shot(asked(one.image), said(one.text)) for one in request.examples),
        query=asked(request.image),
        ask=Generate(settings.max_new_tokens, stop=_stops(summary)),
    )
    (completion,) = yield [prompt]
    return _text(completion, "caption")


def answer(request: Answer, shown: ShowImage, settings: AnswerSettings) -> Waves:
    """One wave of one prompt; the outcome is the answer.

    `shown` gives an image's pieces.
    """
    summary = settings.style == "summary"

    def asked(image: Image, question: str) -> tuple[Piece, ...]:
        if summary:
            between = Text(f". Question: {question.rstrip('.')}. Answer: ")
            return (Text("Condition: "), *shown(image), between)
        return (INPUT, *shown(image), Text(f" > {question}\nOutput: "))

    def said(text: str) -> tuple[Piece, ...]:
        return (Text(f"{text}.\n"),) if summary else (Text(text),)

    prompt = Prompt(
        opening=_opening(settings.opening),
        shots=tuple(
            Shot(asked(one.image, one.question), said(one.text)) for one in request.examples
        ),
        query=asked(request.image, request.question),
        ask=Generate(settings.max_new_tokens, stop=_stops(summary)),
    )
    (completion,) = yield [prompt]
    return _text(completion, "answer")


def _opening(text: str) -> tuple[Piece, ...]:
    return (Text(f"{text}\n"),) if text else ()


def _stops(summary: bool) -> tuple[str, ...]:
    return (".", "\n") if summary else ("\n", "###")


def _text(completion: Completion, what: str) -> str:
    if not isinstance(completion, Generated):
        raise TypeError(f"a {what} is answered by a text, not by {completion!r}.")
    return completion.text.strip()
