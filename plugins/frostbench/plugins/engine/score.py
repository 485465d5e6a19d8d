"""Scores of texts for an image: cosines of their embeddings, each computed once a run."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.devices import Meter, is_out_of_memory, release_memory
from frostbench.plugins.contract.completions import Completion, Cost, Failed, Scored
from frostbench.plugins.contract.engine import UnanswerableError
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Prompt, Score
from frostbench.plugins.engine.settings import EngineSettings
from frostbench.plugins.host.errors import describe
from frostbench.plugins.host.recent import Recent

KEPT_BYTES = 1 << 26
"""Of kept embeddings; beyond that, the least recently used ones go."""
MOST_ROWS = 64  # texts, or images of one size, that are encoded together


@runtime_checkable
class TwoTowers(Protocol):
    """A frozen model with a tower for images and one for texts, such as a CLIP."""

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        ...

    def encode_image(
        self, images: Float[Tensor, "b 3 _h _w"], normalise: bool = False
    ) -> Float[Tensor, "b d"]:
        """Embeddings of images in [0, 1]."""
        ...

    def encode_text(self, texts: Sequence[str], normalise: bool = False) -> Float[Tensor, "b d"]:
        """Embeddings of texts."""
        ...


@dataclass(frozen=True, eq=False)
class _Embedding:
    """The embedding of a text or an image, of length 1, and what it cost."""

    vector: Float[Tensor, " d"]
    cost: Cost


_Key: TypeAlias = tuple[str, str]  # "text" or "image", and the text or the image's digest


class ScoreEngine:
    """Answers the `Score` prompts of one model with two towers."""

    def __init__(self, model: TwoTowers, role: str, settings: EngineSettings) -> None:
        self._model = model
        self._role = role
        self._rows = min(MOST_ROWS, settings.max_batch)
        self._meter = Meter(model.device)
        self._kept: Recent[_Key, _Embedding] = Recent(KEPT_BYTES)

    @torch.inference_mode()
    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order.

        Texts and images of all prompts are encoded together, those that are new.
        """
        asked: list[Score | Failed] = []
        for prompt in prompts:
            try:
                asked.append(_checked(prompt))
            except UnanswerableError as reason:
                asked.append(Failed(str(reason)))
        known = self._embeddings([one for one in asked if isinstance(one, Score)])
        return [one if isinstance(one, Failed) else _scored(one, known) for one in asked]

    def _embeddings(self, asked: Sequence[Score]) -> dict[_Key, "_Embedding | Failed"]:
        """The embeddings of everything that is asked, or why there is none."""
        # Without an image nothing is compared.
        shown = [one for one in asked if one.image is not None]
        texts = {("text", text): text for one in shown for text in one.texts}
        images = {("image", one.image.digest): one.image for one in shown if one.image is not None}
        known: dict[_Key, _Embedding | Failed] = {}
        for key in (*texts, *images):
            kept = self._kept.get(key)
            if kept is not None:
                known[key] = kept
        new = [key for key in texts if key not in known]
        known |= self._encoded(new, lambda some: self._texts([texts[key] for key in some]))
        by_size: dict[tuple[int, int], list[_Key]] = {}
        for key, image in images.items():
            if key not in known:
                by_size.setdefault(image.size, []).append(key)
        for several in by_size.values():
            known |= self._encoded(
                several, lambda some: self._images([images[key] for key in some])
            )
        return known

    def _texts(self, texts: Sequence[str]) -> Tensor:
        return self._model.encode_text(list(texts), normalise=True)

    def _images(self, images: Sequence[Image]) -> Tensor:
        pixels = torch.stack([image.pixels for image in images])
        return self._model.encode_image(pixels, normalise=True)

    def _encoded(
        self, keys: Sequence[_Key], encode: Callable[[Sequence[_Key]], Tensor]
    ) -> dict[_Key, "_Embedding | Failed"]:
        """New embeddings in batches, which are halved where memory does not suffice."""
        known: dict[_Key, _Embedding | Failed] = {}
        queue = [keys[at : at + self._rows] for at in range(0, len(keys), self._rows)]
        while queue:
            some = queue.pop(0)
            try:
                known.update(zip(some, self._measured(some, encode), strict=True))
                continue
            except Exception as error:  # a model's failure is its prompts' answer
                failure = error
            if len(some) == 1:
                known[some[0]] = Failed(self._reason(some[0], failure))
                continue
            half = max(1, len(some) // 2)
            if is_out_of_memory(failure):
                self._rows = min(self._rows, half)
                del failure  # its traceback holds the tensors that did not fit
                release_memory(self._model.device)
            else:
                half = 1
            queue[:0] = [some[at : at + half] for at in range(0, len(some), half)]
        return known

    def _measured(
        self, keys: Sequence[_Key], encode: Callable[[Sequence[_Key]], Tensor]
    ) -> Iterable["_Embedding | Failed"]:
        self._meter.start()
        begun = time.perf_counter()
        vectors = encode(keys).float().cpu()
        peak, joules = self._meter.stop()
        whole = Cost(time.perf_counter() - begun, peak_bytes=peak, joules=joules)
        each = whole.part(1 / len(keys))
        made: list[_Embedding | Failed] = []
        for key, vector in zip(keys, vectors, strict=True):
            if not bool(torch.isfinite(vector).all()):
                said = f"backbone {self._role!r} gave an embedding of {_named(key)} that is not "
                made.append(Failed(f"{said}finite numbers."))
                continue
            embedding = _Embedding(vector.clone(), each)
            made.append(self._kept.keep(key, embedding, vector.nbytes + 2 * len(key[1])))
        return made

    def _reason(self, key: _Key, error: Exception) -> str:
        if is_out_of_memory(error):
            return (
                f"{_named(key)} does not fit in the memory of {self._model.device} beside backbone "
                f"{self._role!r}; use a smaller dtype or a larger device ({describe(error)})."
            )
        return f"backbone {self._role!r} failed on {_named(key)}: {describe(error)}."


def _checked(prompt: Prompt) -> Score:
    """What a prompt asks, if it can be answered.

    Raises:
        UnanswerableError: it cannot.
    """
    ask = prompt.ask
    assert isinstance(ask, Score)
    if prompt.pieces:
        raise UnanswerableError(
            "Score compares its own texts with its own image; the prompt's pieces would not be "
            "read, so leave them out."
        )
    if prompt.adapter is not None:
        raise UnanswerableError(
            f"Score asks a model with two towers, and the adapter {prompt.adapter.name!r} is for a "
            "language model."
        )
    if not isinstance(ask.texts, tuple) or not all(isinstance(text, str) for text in ask.texts):
        raise UnanswerableError("Score takes a tuple of texts, and was given something else.")
    if not ask.texts:
        raise UnanswerableError("Score names no texts; give it one or more.")
    if ask.image is not None and not isinstance(ask.image, Image):
        kind = type(ask.image).__name__
        raise UnanswerableError(f"Score compares texts with an Image, and was given a {kind}.")
    return ask


def _scored(ask: Score, known: dict[_Key, "_Embedding | Failed"]) -> Completion:
    if ask.image is None:
        return Scored((0.0,) * len(ask.texts))
    found: dict[_Key, _Embedding] = {}
    for key in (("image", ask.image.digest), *(("text", text) for text in ask.texts)):
        part = known[key]
        if isinstance(part, Failed):
            return part
        found[key] = part
    # Row by row and in double precision, so that no text is shifted by those beside it.
    image = found["image", ask.image.digest].vector.double()
    vectors = torch.stack([found["text", text].vector for text in ask.texts]).double()
    cosines = (vectors * image).sum(-1).clamp(-1, 1).tolist()
    return Scored(tuple(cosines), sum((part.cost for part in found.values()), Cost()))


def _named(key: _Key) -> str:
    return "an image" if key[0] == "image" else f"the text {key[1][:60]!r}"
