"""Training examples of F-LMM: the frozen models' outputs for a scene, computed once.

Attention rows, hidden states and SAM's embeddings do not change while heads are trained, so they
are stored in half precision in files, from which a killed training resumes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from frostbench.baselines.flmm.prompts import (
    BACKBONE,
    AttentionPrompt,
    ChatWording,
    attention_prompt,
    expressions,
    narrative,
)
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.checksum import checksum
from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.backbones.sam import Sam
from frostbench.plugins.backbones.shared import SharedBackbones
from frostbench.plugins.backbones.views import View
from frostbench.plugins.contract.completions import Attended, Failed
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.recipe import GroundedScene, GroundedScenes
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.parts.grounding.attention import Merge, merged
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.training.stream import SampleStream

AT_ONCE = 100  # scenes read together, and kept in one file


@dataclass(frozen=True, eq=False)
class PhraseExample:
    """One image with its phrases: what the heads are given, and the masks that are true.

    `rows` and `hidden` are those of `Heads.forward`, for the tokens of all phrases in order;
    `tokens` says how many each phrase has.
    """

    rows: Float[Tensor, "n channels keys"]
    hidden: Float[Tensor, "layers k d"]
    tokens: tuple[int, ...]
    embedding: Float[Tensor, "d2 side side"]
    masks: Bool[Tensor, "n h w"]
    views: tuple[View, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return int(self.masks.shape[1]), int(self.masks.shape[2])

    def by_phrase(self) -> tuple[Tensor, ...]:
        """`hidden`, phrase by phrase."""
        return torch.split(self.hidden, list(self.tokens), 1)


class PhraseExamples:
    """Reads scenes with the frozen models, or finds what was read before.

    Each model has files of its own, so that one model can be exchanged.
    """

    def __init__(
        self,
        scenes: GroundedScenes,
        backbones: SharedBackbones,
        wording: ChatWording,
        merge: Merge,
        folder: Path,
    ) -> None:
        self._scenes, self._wording, self._merge = scenes, wording, merge
        self._engine = FrozenEngine(backbones)
        self._lmm: LMM = backbones.get(BACKBONE)
        self._sam: Sam = backbones.get("sam")
        self._folder = folder

    @cached_property
    def _attended(self) -> Path:
        how = repr((self._wording, self._merge))
        reading = fingerprint(lmm=checksum(self._lmm.model), how=how)
        return self._folder / f"attended-{reading[:12]}"

    @cached_property
    def _embedded(self) -> Path:
        return self._folder / f"embedded-{checksum(self._sam.model)[:12]}"

    def read(self, scenes: Sequence[GroundedScene]) -> list[PhraseExample]:
        """Scenes as the frozen models read them now; nothing is stored.

        Raises:
            RuntimeError: the multimodal model could not read one.
        """
        seen, made = self._attend(scenes), self._embed(scenes)
        return list(self._examples(seen, made["embeddings"]))

    def of(self, split: str, count: int, first: int) -> Iterator[PhraseExample]:
        """`count` scenes of a split, drawn with the seeds from `first` on.

        Every other scene is read as a narrative, the rest as expressions.

        Raises:
            RuntimeError: the multimodal model could not read one.
        """
        for number in range(-(-count // AT_ONCE)):
            seed, most = first + number, min(AT_ONCE, count - number * AT_ONCE)
            drawn = cache(partial(self._scenes.batch, split, most, seed))
            name = f"{split}-{seed}-{most}.safetensors"
            seen = _kept(self._attended / name, drawn, self._attend)
            made = _kept(self._embedded / name, drawn, self._embed)
            yield from self._examples(seen, made["embeddings"])

    def _attend(self, scenes: Sequence[GroundedScene]) -> dict[str, Tensor]:
        asked = [self._asked(scene, number) for number, scene in enumerate(scenes)]
        answers = self._engine.run([looked.prompt for looked in asked])
        kept: dict[str, Tensor] = {}
        for number, (scene, looked, seen) in enumerate(zip(scenes, asked, answers, strict=True)):
            if isinstance(seen, Failed):
                raise RuntimeError(f"the multimodal model cannot read a scene: {seen.reason}")
            assert isinstance(seen, Attended)
            own = [place for phrase in looked.phrases for place in phrase]
            kept[f"{number}.rows"] = merged(seen.attention, looked.phrases, self._merge).half()
            kept[f"{number}.hidden"] = seen.hidden[:, own].half()
            kept[f"{number}.tokens"] = torch.tensor([len(phrase) for phrase in looked.phrases])
            kept[f"{number}.masks"] = torch.as_tensor(scene.masks)
        return kept

    def _embed(self, scenes: Sequence[GroundedScene]) -> dict[str, Tensor]:
        several = [self._sam.embed(image_of(scene)) for scene in scenes]
        return {"embeddings": torch.stack(several).half()}

    def _asked(self, scene: GroundedScene, number: int) -> AttentionPrompt:
        image = image_of(scene)
        if not scene.narrative or (number % 2 and scene.expressions):
            return attention_prompt(expressions(self._wording, image, scene.expressions), self._lmm)
        read = narrative(self._wording, image, scene.narrative, scene.phrases)
        return attention_prompt(read, self._lmm)

    def _examples(
        self, seen: Mapping[str, Tensor], embeddings: Float[Tensor, "b d side side"]
    ) -> Iterator[PhraseExample]:
        for number, embedding in enumerate(embeddings):
            masks = seen[f"{number}.masks"]
            blank = Image(torch.zeros(3, *masks.shape[1:]))  # views depend on the size alone
            yield PhraseExample(
                seen[f"{number}.rows"],
                seen[f"{number}.hidden"],
                tuple(seen[f"{number}.tokens"].tolist()),
                embedding,
                masks,
                self._lmm.views(blank),
            )


class StreamedExamples:
    """The examples of each step, from scenes that are read when their turn comes."""

    def __init__(self, examples: PhraseExamples, scenes: SampleStream[GroundedScene]) -> None:
        self._examples, self._scenes = examples, scenes

    def __call__(self, step: int) -> list[PhraseExample]:
        """All examples of a step."""
        return self._examples.read(self._scenes(step))

    def part(self, step: int, number: int, parts: int) -> list[PhraseExample]:
        """Part `number` of the examples of a step, of so many equal ones."""
        return self._examples.read(self._scenes.part(step, number, parts))


def image_of(scene: GroundedScene) -> Image:
    """The image of a training scene."""
    return Image(torch.as_tensor(scene.pixels))


def _kept(
    file: Path,
    drawn: Callable[[], Sequence[GroundedScene]],
    read: Callable[[Sequence[GroundedScene]], dict[str, Tensor]],
) -> dict[str, Tensor]:
    """The contents of a file; without one, scenes are drawn and read, and the file is written."""
    if not file.is_file():
        weights.write(file, read(drawn()))
    return weights.read(file)
