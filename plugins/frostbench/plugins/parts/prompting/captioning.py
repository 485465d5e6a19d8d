"""Prompts for captions and for answers to questions, with in-context examples.

No published code on discrete tokens has such prompts. What is known of V2L-Tokenizer's (Zhu et
al., CVPR 2024, https://arxiv.org/abs/2403.07874, section 4.2) is kept as the style "summary".
Methods that put an image's vectors before the text (LiMBeR, https://arxiv.org/abs/2209.15162;
Frozen, https://arxiv.org/abs/2106.13884) are asked in the style "prefix".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from frostbench.plugins.contract.completions import Completion, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Waves
from frostbench.plugins.contract.prompts import Generate, Piece, Prompt, Shot, Text
from frostbench.plugins.contract.requests import Answer, Caption
from frostbench.plugins.parts.prompting.classification import INPUT, OUTPUT

Style: TypeAlias = Literal["frame", "summary", "prefix"]
_STOPS: Mapping[Style, tuple[str, ...]] = {
    "frame": ("\n", "###"),
    "summary": (".", "\n"),
    "prefix": (".", "\n"),
}
ShowImage: TypeAlias = Callable[[Image], tuple[Piece, ...]]


@dataclass(frozen=True)
class CaptionSettings:
    """How a caption is asked for.

    Attributes:
        style: "frame" is the frame of the published classification prompt; "summary" is
            "Input: {tokens}, output: {caption}", cut at the first full stop, as the paper's text
            has it (unverified: no code is published); "prefix" is the image and then `lead`, after
            which the caption goes on in the same line, cut at the first full stop as ClipCap does.
        opening: A first line of the prompt; nothing is published.
        max_new_tokens: Tokens generated at most.
        lead: How a caption begins in the style "prefix"; LiMBeR's words.
    """

    style: Style = "frame"
    opening: str = ""
    max_new_tokens: int = 32
    lead: str = "A picture of"


@dataclass(frozen=True)
class AnswerSettings:
    """How a question is asked.

    Attributes:
        style: "frame" puts the question after the image, inside the frame of the published
            classification prompt; "summary" is "Condition: {tokens}. Question: {question}. Answer:
            {answer}", as the paper's text has it (unverified: no code is published); "prefix" is
            the image and then the question between `asks` and `answers`, cut likewise.
        opening: A first line of the prompt; nothing is published.
        max_new_tokens: Tokens generated at most.
        asks: Text before a question in the style "prefix"; Frozen's words.
        answers: Text between a question and its answer there.
    """

    style: Style = "frame"
    opening: str = ""
    max_new_tokens: int = 16
    asks: str = "Question: "
    answers: str = " Answer:"


def caption(request: Caption, shown: ShowImage, settings: CaptionSettings) -> Waves:
    """One wave of one prompt; the outcome is the caption.

    `shown` gives an image's pieces.
    """
    style, lead = settings.style, settings.lead

    def asked(image: Image) -> tuple[Piece, ...]:
        match style:
            case "frame":
                return (INPUT, *shown(image), OUTPUT)
            case "summary":
                return (Text("Input: "), *shown(image), Text(", output: "))
            case "prefix":
                return (*shown(image), *((Text(lead),) if lead else ()))
            case _:
                assert_never(style)

    def said(text: str) -> tuple[Piece, ...]:
        bare = text.rstrip(".") if style == "summary" else text
        return (Text(_in_line(bare, style, after=lead)),)

    prompt = Prompt(
        opening=_opening(settings.opening),
        shots=tuple(Shot(asked(one.image), said(one.text)) for one in request.examples),
        query=asked(request.image),
        ask=Generate(settings.max_new_tokens, stop=_STOPS[style]),
    )
    (completion,) = yield [prompt]
    return _text(completion, "caption")


def answer(request: Answer, shown: ShowImage, settings: AnswerSettings) -> Waves:
    """One wave of one prompt; the outcome is the answer.

    `shown` gives an image's pieces.
    """
    style = settings.style

    def asked(image: Image, question: str) -> tuple[Piece, ...]:
        match style:
            case "frame":
                return (INPUT, *shown(image), Text(f" > {question}\nOutput: "))
            case "summary":
                between = Text(f". Question: {question.rstrip('.')}. Answer: ")
                return (Text("Condition: "), *shown(image), between)
            case "prefix":
                return (*shown(image), Text(f"{settings.asks}{question}{settings.answers}"))
            case _:
                assert_never(style)

    def said(text: str) -> tuple[Piece, ...]:
        return (Text(_in_line(text, style, after=settings.answers)),)

    prompt = Prompt(
        opening=_opening(settings.opening),
        shots=tuple(
            Shot(asked(one.image, one.question), said(one.text)) for one in request.examples
        ),
        query=asked(request.image, request.question),
        ask=Generate(settings.max_new_tokens, stop=_STOPS[style]),
    )
    (completion,) = yield [prompt]
    return _text(completion, "answer")


def _opening(text: str) -> tuple[Piece, ...]:
    return (Text(f"{text}\n"),) if text else ()


def _in_line(text: str, style: Style, after: str) -> str:
    """A text as an example's answer; in the style "prefix" it stands in one line with `after`."""
    match style:
        case "frame":
            return text
        case "summary":
            return f"{text}.\n"
        case "prefix":
            return f"{' ' if after else ''}{text}\n"
        case _:
            assert_never(style)


def _text(completion: Completion, what: str) -> str:
    if not isinstance(completion, Generated):
        raise TypeError(f"a {what} is answered by a text, not by {completion!r}.")
    return completion.text.strip()
