"""The base class of methods that show images as pieces of a language model's prompt."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method, Tokens, Waves, refusal
from frostbench.plugins.contract.predictions import Prediction, TextPrediction
from frostbench.plugins.contract.prompts import Piece, Text
from frostbench.plugins.contract.requests import Answer, Caption, Classify, Request
from frostbench.plugins.contract.tokens import VisualTokens
from frostbench.plugins.parts.prompting.captioning import (
    AnswerSettings,
    CaptionSettings,
    answer,
    caption,
)
from frostbench.plugins.parts.prompting.classification import ClassificationSettings, classification
from frostbench.plugins.parts.prompting.language import Language


@dataclass(frozen=True)
class TextPrompting:
    """Settings of the prompts that are answered by a text.

    Attributes:
        classification: Settings of the classification prompt.
        caption: Settings of the captioning prompt.
        answer: Settings of the prompt that asks a question.
    """

    classification: ClassificationSettings = field(default_factory=ClassificationSettings)
    caption: CaptionSettings = field(default_factory=CaptionSettings)
    answer: AnswerSettings = field(default_factory=AnswerSettings)


class ShownMethod(Method):
    """An image is shown to a language model as pieces of a prompt: Classify, Caption, Answer.

    A subclass gives `tokenize` and `shown`.

    Attributes:
        language: The language model's tokens.
        prompting: Settings of the prompts.
    """

    language: Language
    prompting: TextPrompting

    @abstractmethod
    def shown(self, tokens: VisualTokens) -> tuple[Piece, ...]:
        """The pieces that stand for one image in these prompts."""

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """The prompts of `classification` and `captioning`."""

        def shown(image: Image) -> tuple[Piece, ...]:
            return tuple(map(_visual, self.shown(tokens[image])))

        match request:
            case Classify():
                settings = self.prompting.classification
                return (yield from classification(request, shown, settings, self.language))
            case Caption():
                return (yield from caption(request, shown, self.prompting.caption))
            case Answer():
                return (yield from answer(request, shown, self.prompting.answer))
            case _:
                raise refusal(self.card, request)

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """Texts as they are."""
        return [TextPrediction(outcome) for outcome in outcomes]


def _visual(piece: Piece) -> Piece:
    return replace(piece, visual=True) if isinstance(piece, Text) else piece
