"""MILS: a language model proposes captions, a CLIP scores them, and the best are fed back.

Ashutosh et al., "LLMs can see and hear without any training", 2025,
https://arxiv.org/abs/2501.18096. Nothing is trained: the generator never sees the image, and the
scorer never writes. Written from the paper alone; the authors' code was not consulted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench import plugins as bench
from frostbench.plugins import Image, Prompt, Request, Score, Text, Texts, VisualTokens
from frostbench.plugins.contract.method import Tokens, Waves
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.prompting.classification import INPUT, OUTPUT
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint

FROSTBENCH_CONTRACT = "1.3"  # the version that this is written for
WORDS = Path(__file__).with_name("words.txt")
OPENING = Text("Write a caption that fits the image better than these texts.\n")
ENCODED = 256  # texts of the bank that are encoded together


@dataclass(frozen=True)
class MilsSettings:
    """Settings of the loop; the paper's are larger, and made for larger models.

    Attributes:
        bank: A file of texts to begin with, one a line; without one, everyday words. The paper's
            generator writes 30,000 (unverified, as are the numbers below: known from summaries).
        kept: Texts that are fed back, the best first. 50 in the paper.
        samples: Texts that the generator writes at each step. 50 in the paper.
        steps: How often it writes. 10 in the paper.
        temperature: Temperature of the generator, above 0.
        max_new_tokens: Tokens of a caption at most.
    """

    bank: str = str(WORDS)
    kept: int = 3
    samples: int = 16
    steps: int = 3
    temperature: float = 0.7
    max_new_tokens: int = 24


class Mils(bench.Method):
    """Section 3: GENERATOR and SCORER in turn, from the texts that fit the image best."""

    card = bench.Card(
        name="mils",
        paper="https://arxiv.org/abs/2501.18096",
        summary="captions that a language model proposes and a CLIP chooses, in turn",
        capabilities=frozenset({"Caption"}),
        backbones=("llm", "clip"),
    )

    def __init__(self, clip: Any, bank: Sequence[str], settings: MilsSettings) -> None:
        self.clip, self.bank, self.settings = clip, tuple(bank), settings
        parts = [self.bank[at : at + ENCODED] for at in range(0, len(self.bank), ENCODED)]
        self.embedded = torch.cat([clip.encode_text(part, normalise=True) for part in parts])

    @classmethod
    def build(cls, setup: bench.Setup) -> "Mils":
        """Take the pack's CLIP and the texts to begin with."""
        settings = read_settings(MilsSettings, setup.settings, "method.mils")
        lines = Path(settings.bank).read_text(encoding="utf-8").splitlines()
        bank = [line.strip() for line in lines if line.strip()]
        if not 1 <= settings.kept <= len(bank):
            raise ValueError(f"kept={settings.kept} of the {len(bank)} texts in {settings.bank}.")
        return cls(setup.backbones.get("clip"), bank, settings)

    @classmethod
    def toy(cls) -> "Mils":
        """The method itself with the toy CLIP: it has no weights."""
        from frostbench.plugins.kit import toys

        bank = ("a cat", "a dog", "an owl", "a red house")
        return cls(
            toys.backbones().get("clip"), bank, MilsSettings(samples=2, steps=2, max_new_tokens=3)
        )

    @property
    def fingerprint(self) -> str:
        """Of the texts to begin with."""
        return fingerprint(method="mils", bank=repr(self.bank), kept=self.settings.kept)

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """The texts of the bank that fit best by CLIP."""
        kept = []
        for image, (height, width) in zip(images, sizes.tolist(), strict=True):
            seen = self.clip.encode_image(image[None, :, :height, :width], normalise=True)[0]
            order = (self.embedded @ seen).argsort(descending=True, stable=True).tolist()
            kept.append(tuple(self.bank[i] for i in order[: self.settings.kept]))
        return VisualTokens({"texts": Texts(tuple(kept))})

    def prompt(self, request: Request, tokens: Tokens) -> Waves:
        """The loop; the outcome is the best of all that the generator wrote."""
        assert isinstance(request, bench.Caption), "the card names no other type"
        own, first = self.settings, tokens[request.image].texts("texts")[0]
        texts, scores, best = first, dict[str, float](), list[str]()
        for step in range(own.steps + 1):
            if new := tuple(text for text in dict.fromkeys(texts) if text not in scores):
                (scored,) = yield [Prompt((), Score(new, request.image), backbone="clip")]
                scores.update(zip(new, scored.scores, strict=True))
            best = sorted(scores, key=scores.__getitem__, reverse=True)
            if step < own.steps:
                (said,) = yield [self.generation(request, tokens, best[: own.kept], step)]
                texts = tuple(text.strip() for text in said.texts if text.strip())
        return next((text for text in best if text not in first), best[0])

    def generation(
        self, request: bench.Caption, tokens: Tokens, best: Sequence[str], step: int
    ) -> Prompt:
        """The generator's prompt: a caption from the best texts so far, after other examples."""
        own = self.settings

        def shown(texts: Sequence[str]) -> tuple[Text, Text, Text]:
            return INPUT, Text(", ".join(texts), visual=True), OUTPUT

        def example(image: Image, caption: str) -> bench.Shot:
            return bench.Shot(shown(tokens[image].texts("texts")[0]), (Text(caption),))

        ask = bench.Generate(
            own.max_new_tokens,
            stop=("\n", "###"),
            samples=own.samples,
            temperature=own.temperature,
            seed=bench.seed_of(request.seed, step),
        )
        shots = tuple(example(one.image, one.text) for one in request.examples)
        return Prompt(shown(best), ask, shots, opening=(OPENING,))

    def decode(
        self, requests: Sequence[Request], outcomes: Sequence[str]
    ) -> list[bench.Prediction]:
        """The captions as they are."""
        return [bench.TextPrediction(caption) for caption in outcomes]


@bench.hookimpl
def frostbench_methods() -> Iterable[type[Mils]]:
    """Offer the method."""
    return [Mils]
