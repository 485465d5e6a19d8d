"""What a method is: a card and the three verbs tokenize, prompt and decode."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.contract.cards import Card
from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.images import Image, as_batch
from frostbench.plugins.contract.predictions import Prediction
from frostbench.plugins.contract.prompts import Wave
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.tokens import Texts, VisualTokens


@runtime_checkable
class Backbones(Protocol):
    """The pack's frozen models by role, loaded on first use and shared by all methods."""

    def get(self, role: str) -> Any:
        """The loaded backbone of a role ("llm", "clip", "perceptual").

        Raises:
            LookupError: the pack has no such role; the message lists those it has.
        """
        ...


@dataclass(frozen=True)
class Setup:
    """What a method is built from.

    `weights` is the folder of the method's own weights: the user's `method.NAME.weights`, or else
    the pack's, or None; `settings` are the other values of the user's configuration under
    `method.NAME`, so that no setting can be called weights; `device` is where the method's own
    parts run. `adapters` are the folders of its LoRA adapters in the pack, by the corruption that
    each undoes.
    """

    backbones: Backbones
    weights: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    device: str = "cpu"
    adapters: Mapping[str, Path] = field(default_factory=dict)

    def folder(self, method: str) -> Path:
        """The folder of the weights that a method cannot do without.

        Raises:
            ValueError: the pack has none for the method called `method`.
        """
        if self.weights is None:
            raise ValueError(
                f"the pack has no weights for method {method!r}; give their folder with "
                f"method.{method}.weights=FOLDER, name it in the pack's pack.json, or make them "
                f"with `frostbench train {method}`."
            )
        return self.weights


@runtime_checkable
class ReadsWhole(Protocol):
    """A method that also reads the images which the asked ones were resized and cropped from.

    V2L-Tokenizer's published evaluation shows CLIP the image file, and its encoder a crop of 128
    pixels. Data sets keep the whole image only where the user asks for it.
    """

    def tokenize_whole(
        self,
        images: Float[Tensor, "b 3 h w"],
        sizes: Int[Tensor, "b 2"],
        wholes: Sequence[Float[Tensor, "3 _rows _columns"]],
    ) -> VisualTokens:
        """As `Method.tokenize`, with the whole of each image; equal where that is the image."""
        ...


Tokens: TypeAlias = Mapping[Image, VisualTokens]
"""The visual tokens of a request's images, each a batch of one, looked up by the image."""

Waves: TypeAlias = Generator[Wave, list[Completion], Any]
"""Yields waves of prompts, is sent their completions in the same order, returns an outcome."""


def visual_tokens(method: "Method", images: Sequence[Image], device: str = "cpu") -> Any:
    """What one call of the method's tokenizer gives for images; `check_tokens` judges it."""
    pixels, sizes = as_batch(images)
    if isinstance(method, ReadsWhole) and any(image.whole is not None for image in images):
        wholes = [image.pixels if image.whole is None else image.whole for image in images]
        return method.tokenize_whole(pixels.to(device), sizes, [one.to(device) for one in wholes])
    return method.tokenize(pixels.to(device), sizes)


class Method(ABC):
    """Small trained parts around frozen backbones, used through three verbs.

    A method never calls a backbone inside `prompt`: it yields prompts, and the engine answers
    those of many requests and many methods together. All three verbs are pure: the same input
    gives the same output, in whatever batch and order it comes.
    """

    card: ClassVar[Card]

    @classmethod
    @abstractmethod
    def build(cls, setup: Setup) -> "Method":
        """Make the method from a pack.

        Raises:
            ValueError: weights or settings do not fit; the message says which and what to do.
        """

    @classmethod
    def lacks(cls, setup: Setup) -> Mapping[str, str]:
        """Which of `card.controls` these weights cannot make, with the reasons.

        Called before a run, when nothing is loaded: it may look at files, and not at backbones.
        Their table rows are left out, and the run says why.
        """
        return {}

    @classmethod
    @abstractmethod
    def toy(cls) -> "Method":
        """A tiny instance with random weights that works in milliseconds, for the kit's tests.

        It works with the toy backbones of `frostbench.plugins.kit.toys`.
        """

    @property
    def fingerprint(self) -> str:
        """A hex digest of what the visual tokens depend on besides what the bench finds by itself.

        Tokens are stored under the image, all that the bench finds the method to be made of (the
        sources of its module and of its imports, the files below `Setup.weights` and those named in
        settings, all settings, the backbones of its card), and this digest. Two instances that
        could give different tokens for another reason (a download, a file that the code finds
        elsewhere) need different fingerprints. Without such a reason the default, from the card's
        name and version, is right.
        """
        named = f"{self.card.name} {self.card.version}"
        return hashlib.sha256(named.encode()).hexdigest()

    @abstractmethod
    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """Turn images in [0, 1] into visual tokens.

        `sizes` are the heights and widths of the images; where they are smaller than the
        batch, the rest at the bottom and at the right is padding. A method that makes no tokens,
        and shows a backbone the images themselves, returns `VisualTokens.none(len(images))`.
        """

    @abstractmethod
    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """Yield waves of prompts for one request; return the outcome that `decode` reads.

        A generator: what it raises is raised when it is advanced, and fails this request alone. It
        is given requests of the types that the card names, and no others.
        """

    @abstractmethod
    def decode(self, requests: Sequence[Request], outcomes: Sequence[Any]) -> list[Prediction]:
        """Turn outcomes into predictions, one a request, images at the request's size."""

    @property
    def codes(self) -> Mapping[str, int]:
        """How many codes each discrete part has, by its name, as far as that is fixed.

        Ids lie in [0, codes); what `tokenize` returns beyond that is refused.
        """
        return {}

    def words(self, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
        """The tokens of one image as words, by part, in rows; empty where they are no words.

        For people: the gallery and `frostbench look` show it. `Texts` read as they are, each in a
        row of its own, unless the method knows better.
        """
        return {
            name: [[text] for text in part.texts[0]]
            for name, part in tokens.parts.items()
            if isinstance(part, Texts)
        }

    def neighbours(
        self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"], count: int
    ) -> list[Mapping[str, Sequence[Sequence[Sequence[str]]]]]:
        """For each image, the `count` words nearest to each token, the nearest first.

        By part, in the rows of `words`. For people: `frostbench look` shows it. Empty where tokens
        are no words, or are not chosen by nearness.
        """
        return [{} for _ in images]

    def control(self, name: str) -> "Method":
        """The method that answers in the table row of one of `card.controls`.

        It reads the visual tokens of this method.

        Raises:
            LookupError: the method makes no such control.
        """
        raise LookupError(f"method {self.card.name!r} makes no control named {name!r}.")

    @property
    def notes(self) -> Sequence[str]:
        """Sentences that a reader of this instance's numbers must know; the run stores them."""
        return ()

    @property
    def shortened_by(self) -> Sequence[str]:
        """Names of its own settings that shorten its prompts, for the error where one is too long.

        Without "method.NAME.".
        """
        return ()


def refusal(card: Card, request: Request) -> TypeError:
    """The error for a request of a type that the card does not name."""
    name = type(request).__name__
    answered = ", ".join(sorted(card.capabilities)) or "nothing"
    article = "an" if name[0] in "AEIOU" else "a"
    return TypeError(
        f"method {card.name!r} answers {answered}, and got {article} {name} request: "
        f"{card.reason(name)}."
    )
