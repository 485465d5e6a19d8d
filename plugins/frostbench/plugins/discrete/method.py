"""The class that methods with a grid of discrete codes start from."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.cards import Card
from frostbench.plugins.discrete.classification import (
    ClassificationSettings,
    classification,
)
from frostbench.plugins.discrete.language import Language
from frostbench.plugins.discrete.lending import Lending
from frostbench.plugins.discrete.resizing import resized
from frostbench.plugins.discrete.restoration import RestorationSettings, restoration
from frostbench.plugins.images import Image
from frostbench.plugins.method import Method, Tokens, Waves
from frostbench.plugins.predictions import ImagePrediction, Prediction, TextPrediction
from frostbench.plugins.prompts import Segment
from frostbench.plugins.requests import (
    Classify,
    OracleContext,
    Reconstruct,
    Request,
    Restore,
)
from frostbench.plugins.tokens import Continuous, Grid, VisualTokens, join, tensors_of


@dataclass(frozen=True)
class DiscretePrompting:
    """Settings of the prompts; a method's own settings are a subclass with what it adds.

    Attributes:
        classification: Settings of the classification prompt.
        restoration: Settings of the restoration prompts.
    """

    classification: ClassificationSettings = field(default_factory=ClassificationSettings)
    restoration: RestorationSettings = field(default_factory=RestorationSettings)


class DiscreteMethod(Method):
    """A picture is a grid of codes, and ids of a language model are lent to the codes.

    A subclass gives `tokenize`, `shown` and `render`, and gets Classify, Reconstruct and Restore.

    Attributes:
        grid_part: The name of the grid among the visual tokens.
        language: The language model's tokens.
        lending: Which of its ids stand for the codes.
        prompting: Settings of the prompts.
    """

    grid_part: ClassVar[str] = "local"
    language: Language
    lending: Lending
    prompting: DiscretePrompting

    @abstractmethod
    def shown(self, tokens: VisualTokens) -> tuple[Segment, ...]:
        """The segments that stand for one picture where it is to be understood."""

    @abstractmethod
    def render(self, tokens: VisualTokens) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [0, 1], at the method's own size; what lies outside is clamped afterwards."""

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """The published prompts; see `classification` and `restoration`."""
        match request:
            case Classify():
                return (
                    yield from classification(
                        request,
                        lambda image: self.shown(tokens[image]),
                        self.prompting.classification,
                        self.language,
                    )
                )
            case Reconstruct():
                return tokens[request.image]
            case Restore():
                return (yield from self._restore(request, tokens))
            case _:
                raise refusal(self.card, request)

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """Texts as they are; codes as pictures, all in one pass of the decoder."""
        drawn = [outcome for outcome in outcomes if isinstance(outcome, VisualTokens)]
        pictures = iter(self.render(join(drawn)).clamp(0, 1).cpu() if drawn else ())
        predictions: list[Prediction] = []
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, VisualTokens):
                predictions.append(ImagePrediction(resized(next(pictures), *request.image.size)))
            else:
                predictions.append(TextPrediction(outcome))
        return predictions

    def _restore(self, request: Restore, tokens: Tokens) -> Waves:
        def codes(image: Image) -> Int[Tensor, "rows columns"]:
            return tokens[image].grid(self.grid_part)[0]

        grid = yield from restoration(
            request,
            codes,
            self.lending,
            self.prompting.restoration,
            beside=_beside(tokens[request.image], self.grid_part),
            eos_id=self.language.eos_id,
        )
        # The published protocol decodes beside the clean picture's other tokens (V2L's global
        # words); the held-out one has only those of the corrupted picture.
        context = request.context
        source = context.clean if isinstance(context, OracleContext) else request.image
        parts = dict(tokens[source].parts)
        parts[self.grid_part] = Grid(grid[None])
        return VisualTokens(parts)


def refusal(card: Card, request: Request) -> TypeError:
    """What to raise for a request of a type that the card does not name."""
    name = type(request).__name__
    answered = ", ".join(sorted(card.capabilities)) or "nothing"
    return TypeError(
        f"method {card.name!r} answers {answered}, and got {_article(name)} {name} request: "
        f"{card.reason(name)}."
    )


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"


def _beside(tokens: VisualTokens, grid: str) -> int:
    """How many discrete tokens a picture has beside its grid."""
    others = [part for name, part in tokens.parts.items() if name != grid]
    discrete = [part for part in others if not isinstance(part, Continuous)]
    return sum(tensor[0].numel() for part in discrete for tensor in tensors_of(part))


def as_unit(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Pictures from [-1, 1], as networks give them, to [0, 1]."""
    return torch.add(images * 0.5, 0.5)
