"""Trains a map on captions, through the frozen language model, with the prompts of `captioning`.

As Merullo et al. (LiMBeR, https://arxiv.org/abs/2209.15162), and before them Tsimpoukelli et al.
(Frozen) and Mokady et al. (ClipCap): the loss is the caption's, given the image's vectors.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.datasets import CaptionedImage, CaptionSet
from frostbench.plugins.contract.images import Image, as_batch
from frostbench.plugins.contract.method import Backbones
from frostbench.plugins.contract.prompts import Ids, ImagePiece, Piece, Text, Vectors
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.contract.requests import Caption, LabelledImage
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.host.recent import Recent
from frostbench.plugins.parts.prefix.features import features
from frostbench.plugins.parts.prefix.map import PrefixMap, PrefixSettings
from frostbench.plugins.parts.prefix.method import ENCODER
from frostbench.plugins.parts.prompting.captioning import CaptionSettings, caption
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training.loop import train
from frostbench.plugins.parts.training.schedules import linear_fall, rise, set_rate

KEPT_BYTES = 1 << 30  # of features
CHUNK = 16  # images whose features are made at once


@dataclass(frozen=True)
class PrefixTraining:
    """What is trained and how. The defaults train in minutes on the pack `mini`.

    LiMBeR took AdamW, 256 captions a step and 15,000 steps at 8e-4, falling, of CC3M.

    Attributes:
        map: What the map is made of; its widths are those of the backbones.
        data: The training data, by name: a `CaptionSet`.
        encoder: The kind of the encoder, and the folder of the pack that it is in.
        shots: Described examples before each caption, none as published. One of them is an image
            whose caption shares its rarest word, where there is any, so that a language model which
            copies from its context can learn to read vectors there (ours).
        each: Captions in a step.
        steps: Steps of AdamW.
        rate: The highest learning rate, for features of mean 0 and spread 1.
        warm_up: Share of the steps in which it rises; it falls to 0 in the others.
        clip: The largest norm of a gradient.
        measured: Images from which mean and spread of features are computed.
        held_out: Images at the end of the set that are measured on and not trained on.
    """

    map: PrefixSettings = field(default_factory=PrefixSettings)
    data: str = "captions"
    encoder: tuple[str, str] = ("open_clip", "clip")
    shots: int = 0
    each: int = 32
    steps: int = 1200
    rate: float = 1e-3
    warm_up: float = 0.03
    clip: float = 1.0
    measured: int = 512
    held_out: int = 100
    log_every: int = 50
    save_every: int = 100


def train_map(workshop: Workshop, name: str, settings: PrefixTraining) -> Report:
    """Train beside the pack's models, and store in `pack/NAME`.

    Raises:
        ValueError: a backbone or the captions are missing, or a setting is unknown.
    """
    settings = stored.override(settings, workshop.settings, f"recipe.{name}")
    kind, folder = settings.encoder
    entries = [
        BackboneEntry("llm", "causal_lm", str(workshop.pack / "llm")),
        BackboneEntry(ENCODER, kind, str(workshop.pack / folder)),
    ]
    return train_on(workshop, name, settings, SharedBackbones(entries, workshop.device))


def train_on(
    workshop: Workshop, name: str, settings: PrefixTraining, backbones: Backbones
) -> Report:
    """Train beside backbones that are there; see `train_map`.

    Raises:
        ValueError: the captions are missing, or fewer than are held out.
    """
    torch.manual_seed(workshop.seed)
    lm: CausalLM = backbones.get("llm")
    lessons = _Lessons(workshop, settings, backbones)
    sizes = replace(settings.map, width=lessons.width, llm_width=lm.width)
    map = PrefixMap(sizes).to(workshop.device)
    _at_scale(map, lessons, lm)
    optimiser = torch.optim.AdamW(map.parameters(), settings.rate, (0.9, 0.95), weight_decay=0.0)
    warm = max(1, round(settings.warm_up * settings.steps))

    def step(index: int) -> Mapping[str, float]:
        fall = linear_fall(index, warm, settings.steps)
        set_rate(optimiser, settings.rate * rise(index + 1, warm) * fall)
        loss = lessons.loss(map, lm, lessons.drawn(index))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(map.parameters(), settings.clip)
        optimiser.step()
        return {"caption": loss.item()}

    progress = train(
        workshop,
        name,
        {"map": map, "optimiser": optimiser},
        step,
        settings.steps,
        log_every=settings.log_every,
        save_every=settings.save_every,
    )
    lessons.fold(map)
    stored.save_model(workshop.pack / name, map)
    return progress.report(lessons.figures(map, lm), replace(settings, map=sizes))


class _Lessons:
    """Training captions, and the features of their images scaled to mean 0 and spread 1."""

    def __init__(self, workshop: Workshop, settings: PrefixTraining, backbones: Backbones) -> None:
        source = workshop.data.get(settings.data)
        if not isinstance(source, CaptionSet):
            raise ValueError(
                f"the training data {settings.data!r} are no CaptionSet but a "
                f"{type(source).__name__}; a map is trained on images with captions."
            )
        self._seed, self._settings = workshop.seed, settings
        self._wording = settings.map.prompting.caption
        self._images: Sequence[CaptionedImage] = source.captioned()
        self._encoder = backbones.get(ENCODER)
        self._device = workshop.device
        self._kept: Recent[int, Tensor] = Recent(KEPT_BYTES)
        self.count = len(self._images) - settings.held_out
        if self.count <= settings.shots:
            raise ValueError(
                f"{len(self._images)} captions are too few: {settings.held_out} are held out, and "
                f"each step shows {settings.shots} examples."
            )
        told = [set(captions[0].lower().split()) for captions in source.references()]
        counts = Counter(word for words in told[: self.count] for word in words)
        self._rarest = [
            # A word that no other image shares finds no example.
            min(words, key=lambda word: (counts[word] < 2, counts[word], word), default="")
            for words in told
        ]
        self._alike: dict[str, list[int]] = defaultdict(list)
        for number, words in enumerate(told[: self.count]):
            for word in words:
                self._alike[word].append(number)
        first = [self.raw(number) for number in range(min(self.count, settings.measured))]
        seen = torch.cat(first)
        self.mean, self.spread = seen.mean(0), seen.std(0) + 1e-3
        self.width = int(seen.shape[1])

    def raw(self, number: int) -> Float[Tensor, "n d"]:
        """The features of an image as the encoder gives them."""
        kept = self._kept.get(number)
        if kept is None:
            pixels, sizes = as_batch([self._images[number].image])
            pooling = self._settings.map.pooling
            kept = features(self._encoder, pooling, pixels.to(self._device), sizes)[0]
            self._kept.keep(number, kept, kept.nbytes)
        return kept

    def seen(self, number: int) -> Float[Tensor, "n d"]:
        """The features of an image at mean 0 and spread 1."""
        return (self.raw(number) - self.mean) / self.spread

    def said(self, number: int) -> str:
        """The first caption of an image."""
        return self._images[number].captions[0]

    def drawn(self, index: int) -> list[tuple[int, ...]]:
        """The images of a step, each after those of its examples."""
        draw = random.Random(seed_of(self._seed, "prefix", index))
        return [self._row(draw.randrange(self.count), draw) for _ in range(self._settings.each)]

    def _row(self, number: int, draw: random.Random) -> tuple[int, ...]:
        """An image after its examples, one of them with a like caption."""
        shown = [draw.randrange(self.count) for _ in range(self._settings.shots)]
        alike = [other for other in self._alike[self._rarest[number]] if other != number]
        if shown and alike:
            shown[draw.randrange(len(shown))] = draw.choice(alike)
        return (*shown, number)

    def loss(
        self,
        map: PrefixMap,
        lm: CausalLM,
        shown: Sequence[tuple[int, ...]],
        other: Sequence[int] | None = None,
    ) -> Float[Tensor, ""]:
        """The mean loss of the last images' captions; `other` images take their place, if given."""
        numbers = sorted({number for row in shown for number in row} | set(other or ()))
        features = torch.stack([self.seen(number) for number in numbers])
        vectors = dict(zip(numbers, map(features), strict=True))
        rows = []
        for place, row in enumerate(shown):
            seen = [*row[:-1], row[-1] if other is None else other[place]]
            told = [self.said(number) for number in row]
            rows.append(_row(lm, self._wording, [vectors[number] for number in seen], told))
        return _loss(lm, rows)

    @torch.no_grad()
    def figures(self, map: PrefixMap, lm: CausalLM) -> dict[str, float]:
        """The loss of held-out captions, given their own images and given the next one's image."""
        held = range(self.count, len(self._images))
        if not held:
            return {}
        draw = random.Random(0)
        shown = [self._row(number, draw) for number in held]
        others = [*held[1:], held[0]]
        sums = {"caption loss": 0.0, "caption loss, other image": 0.0}
        for start in range(0, len(held), CHUNK):
            rows, other = shown[start : start + CHUNK], others[start : start + CHUNK]
            sums["caption loss"] += len(rows) * self.loss(map, lm, rows).item()
            sums["caption loss, other image"] += len(rows) * self.loss(map, lm, rows, other).item()
        return {name: total / len(held) for name, total in sums.items()}

    @torch.no_grad()
    def fold(self, map: PrefixMap) -> None:
        """Fold the scaling into the map, which from now on reads the encoder's own features."""
        first = map.layers[0]
        assert isinstance(first, nn.Linear)
        first.weight.div_(self.spread)
        first.bias.sub_(first.weight @ self.mean)
        self.mean, self.spread = torch.zeros_like(self.mean), torch.ones_like(self.spread)


@torch.no_grad()
def _at_scale(map: PrefixMap, lessons: _Lessons, lm: CausalLM) -> None:
    """Begin with random vectors as long as the language model's embeddings."""
    seen = torch.stack([lessons.seen(number) for number in range(min(64, lessons.count))])
    made, table = map(seen), lm.embed(range(lm.vocabulary_size)).float()
    last = map.layers[-1]
    assert isinstance(last, nn.Linear)
    last.weight.mul_(table.std() / made.std())
    last.bias.mul_(table.std() / made.std())


def _row(
    lm: CausalLM,
    wording: CaptionSettings,
    vectors: Sequence[Float[Tensor, "n d"]],
    captions: Sequence[str],
) -> tuple[Float[Tensor, "m d"], list[int]]:
    """What the language model reads before the last caption, and the ids that must follow.

    The pieces are those of the method's own prompts, with an example in place of the query: its
    answer is what would be right.
    """
    blanks = {Image(torch.full((3, 1, 1), i / 256)): own for i, own in enumerate(vectors)}
    examples = tuple(
        LabelledImage(image, text) for image, text in zip(blanks, captions, strict=True)
    )
    request = Caption("", examples[-1].image, examples)
    (prompt,) = next(caption(request, lambda image: (Vectors(blanks[image]),), wording))
    *before, last = prompt.shots
    pieces = [*prompt.opening, *(p for shot in before for p in (*shot.shown, *shot.answer))]
    read = [lm.embed(lm.opening_ids)] if lm.opening_ids else []
    read += [_embedded(lm, piece) for piece in (*pieces, *last.shown)]
    (said,) = last.answer
    assert isinstance(said, Text)
    end = [] if lm.eos_id is None else [lm.eos_id]
    return torch.cat(read), [*lm.encode(said.text.rstrip("\n")), *end]


def _embedded(lm: CausalLM, piece: Piece) -> Float[Tensor, "n d"]:
    match piece:
        case Text(text):
            return lm.embed(lm.encode(text))
        case Ids(ids):
            return lm.embed(ids)
        case Vectors(vectors):
            return vectors.to(lm.dtype)
        case ImagePiece():
            raise AssertionError("an image is shown as vectors here")


def _loss(
    lm: CausalLM, rows: Sequence[tuple[Float[Tensor, "_n d"], list[int]]]
) -> Float[Tensor, ""]:
    """The mean loss of all ids that must follow the rows."""
    said = [torch.tensor(ids, device=lm.device) for _, ids in rows]
    read = [torch.cat([before, lm.embed(ids[:-1])]) for before, ids in rows]
    inputs = nn.utils.rnn.pad_sequence(read, batch_first=True)
    mask = nn.utils.rnn.pad_sequence(
        [torch.ones(len(row), dtype=torch.long, device=lm.device) for row in read], batch_first=True
    )
    logits = lm.model(inputs_embeds=inputs, attention_mask=mask, use_cache=False).logits
    found = [
        row[len(whole) - len(ids) : len(whole)]
        for row, whole, ids in zip(logits, read, said, strict=True)
    ]
    return functional.cross_entropy(torch.cat(found).float(), torch.cat(said))
