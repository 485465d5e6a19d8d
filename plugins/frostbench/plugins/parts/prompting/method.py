"""The base class of methods with discrete codes, in a grid or a pyramid of grids."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.contract.method import Tokens, Waves
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction, TextPrediction
from frostbench.plugins.contract.prompts import Adapter
from frostbench.plugins.contract.requests import (
    Interpret,
    NoContext,
    OracleContext,
    Reconstruct,
    Request,
    Restore,
)
from frostbench.plugins.contract.tokens import (
    Continuous,
    Grid,
    Pyramid,
    Texts,
    VisualTokens,
    join,
    tensors_of,
)
from frostbench.plugins.host.recent import Recent
from frostbench.plugins.parts.prompting.masked import MaskedSettings, masked_restoration
from frostbench.plugins.parts.prompting.restoration import Layers, WindowSettings, restoration
from frostbench.plugins.parts.prompting.shown import ShownMethod, TextPrompting
from frostbench.plugins.parts.prompting.token_map import TokenMap
from frostbench.plugins.parts.tokenizing.resizing import resized

RENDERED_BYTES = 1 << 25  # how many rendered images a method keeps


@dataclass(frozen=True)
class DiscretePrompting(TextPrompting):
    """Settings of the prompts; a method's own settings are a subclass with what it adds.

    Attributes:
        restoration: Settings of the restoration prompts.
        masked: Settings of the prompt that restores hidden codes without examples.
    """

    restoration: WindowSettings = field(default_factory=WindowSettings)
    masked: MaskedSettings = field(default_factory=MaskedSettings)


class DiscreteMethod(ShownMethod):
    """An image is a grid of codes, or a pyramid of grids; ids of a language model stand for codes.

    A subclass gives `tokenize`, `shown` and `render`, and gets Classify, Caption, Answer,
    Reconstruct and Restore; with `words` it gets Interpret.

    Attributes:
        grid_part: The name of the grid or pyramid among the visual tokens.
        token_map: Which of its ids stand for the codes.
        prompting: Settings of the prompts.
        adapters: LoRA adapters by the corruption that they were trained to undo without examples;
            the frozen model itself answers where there is none.
    """

    grid_part: ClassVar[str] = "local"
    token_map: TokenMap
    prompting: DiscretePrompting
    adapters: Mapping[str, Adapter] = MappingProxyType({})

    @property
    def codes(self) -> Mapping[str, int]:
        """The codes of the grid or pyramid; each has an id of its own."""
        # A method that is never asked to restore may do without a token map.
        known = getattr(self, "token_map", None)
        return {} if known is None else {self.grid_part: len(known.ids)}

    @abstractmethod
    def render(self, tokens: VisualTokens) -> Float[Tensor, "b 3 h w"]:
        """Images at the method's own size; values outside [0, 1] are clamped afterwards."""

    def spoken(self, tokens: VisualTokens) -> Sequence[str]:
        """The words that describe one image, the most fitting first (Interpret).

        All words of the grid or pyramid, unless a subclass knows better ones.
        """
        return [
            word
            for part, rows in self.words(tokens).items()
            if part.partition("/")[0] == self.grid_part
            for row in rows
            for word in row
        ]

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """The prompts of `classification`, `captioning` and `restoration`."""
        match request:
            case Interpret():
                # Each line holds one word, so a word must not hold a line break.
                words = self.spoken(tokens[request.image])
                return "\n".join(" ".join(word.split()) for word in words)
            case Reconstruct():
                return tokens[request.image]
            case Restore():
                return (yield from self._restore(request, tokens))
            case _:
                return (yield from super().prompt(request, tokens))

    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """Texts as they are; codes become images, new ones in one pass of the decoder."""
        decoded = iter(self._images([one for one in outcomes if isinstance(one, VisualTokens)]))
        predictions: list[Prediction] = []
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, VisualTokens):
                predictions.append(ImagePrediction(resized(next(decoded), *request.image.size)))
            else:
                predictions.append(TextPrediction(outcome))
        return predictions

    def _images(self, drawn: Sequence[VisualTokens]) -> list[Float[Tensor, "3 h w"]]:
        """The images of tokens. A ceiling is the same in every protocol, and is rendered once."""
        keys = [_key(tokens) for tokens in drawn]
        known = {key: self._rendered.get(key) for key in keys}
        new = {key: own for key, own in zip(keys, drawn, strict=True) if known[key] is None}
        if new:
            made = self.render(join(list(new.values()))).clamp(0, 1).cpu()
            for key, image in zip(new, made, strict=True):
                known[key] = self._rendered.keep(key, image.clone(), image.nbytes)
        # Copies, since the receiver may change an image.
        return [image.clone() for key in keys if (image := known[key]) is not None]

    @cached_property
    def _rendered(self) -> Recent[object, Tensor]:
        return Recent(RENDERED_BYTES)

    def _restore(self, request: Restore, tokens: Tokens) -> Waves:
        own = tokens[request.image]
        if isinstance(request.context, NoContext) and request.hidden is not None:
            filled = yield from masked_restoration(
                request,
                self._layers(own),
                self.token_map,
                self.prompting.masked,
                adapter=self.adapters.get(request.corruption),
                eos_id=self.language.eos_id,
            )
            return self._with_layers(own, filled)
        layers = yield from restoration(
            request,
            lambda image: self._layers(tokens[image]),
            self.token_map,
            self.prompting.restoration,
            beside=_beside(own, self.grid_part),
            eos_id=self.language.eos_id,
        )
        # The published protocol decodes with the clean image's other tokens (V2L's global words);
        # the held-out protocol has only those of the corrupted image.
        context = request.context
        source = context.clean if isinstance(context, OracleContext) else request.image
        return self._with_layers(tokens[source], layers)

    def _layers(self, tokens: VisualTokens) -> Layers:
        """The grids of one image."""
        return tuple(grids[0] for grids in tensors_of(tokens.parts[self.grid_part]))

    def _with_layers(self, tokens: VisualTokens, layers: Layers) -> VisualTokens:
        """One image's tokens with other grids."""
        grids = tuple(grid[None] for grid in layers)
        pyramid = isinstance(tokens.parts[self.grid_part], Pyramid)
        part = Pyramid(grids) if pyramid else Grid(grids[0])
        return VisualTokens({**tokens.parts, self.grid_part: part})


def _key(tokens: VisualTokens) -> object:
    """Equal for equal tokens."""
    return tuple(
        (name, part.dtype, part.shape, part.flatten().view(torch.uint8).numpy().tobytes())
        for name, part in tokens.tensors().items()
    )


def _beside(tokens: VisualTokens, grid: str) -> int:
    """How many discrete tokens an image has beside its grid."""
    others = [part for name, part in tokens.parts.items() if name != grid]
    discrete = [part for part in others if not isinstance(part, Continuous | Texts)]
    return sum(tensor[0].numel() for part in discrete for tensor in tensors_of(part))


def as_unit(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Images from [-1, 1], as networks give them, to [0, 1]."""
    return torch.add(images * 0.5, 0.5)
