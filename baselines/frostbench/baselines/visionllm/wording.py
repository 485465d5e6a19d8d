"""VisionLLM's prompts: one language instruction for all tasks (section 3.2).

A prompt is made of parts: texts, class words and the image tokens. The method turns them into the
pieces that the language model reads, and training into embeddings, so that both read the same.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from typing import Literal, TypeAlias, assert_never

from jaxtyping import Float
from torch import Tensor

from frostbench.baselines.visionllm.model import TupleLayout
from frostbench.plugins.contract.prompts import Piece, Text, Vectors

Instruction: TypeAlias = Literal["detection", "segmentation", "grounding", "caption", "question"]

_MARK = re.compile(r"(<(?:image|class|range|format|points|expression|cls0|question)>)")


@cache
def published_prompts() -> dict[str, tuple[str, ...]]:
    """The paper's prompts by task, from `prompts.toml`."""
    text = files(__package__).joinpath("prompts.toml").read_text(encoding="utf-8")
    return {task: tuple(prompts) for task, prompts in tomllib.loads(text).items()}


def _published(task: Instruction) -> tuple[str, ...]:
    return published_prompts()[task]


@dataclass(frozen=True)
class InstructionWording:
    r"""Prompts of each task, and how a dictionary of classes is written.

    In a prompt `<image>` stands for the image tokens, `<class>` for the dictionary, `<range>` for
    the largest offset, `<format>` for the tuple that is asked for and `<points>` for how many
    points it has, `<expression>` and `<question>` for what is asked, and `<cls0>` for the first
    class word.

    Attributes:
        opening: Before the first name of a dictionary, as in `{"person": <c0>, "car": <c1>}`.
        colon: Between a name and its class word.
        comma: Between a class word and the next name.
        closing: After the last class word.
        lead: Before names, expressions and questions: a blank for tokenizers that keep it with a
            word.
        answer: Before captions and answers in training, likewise.
    """

    detection: tuple[str, ...] = field(default_factory=partial(_published, "detection"))
    segmentation: tuple[str, ...] = field(default_factory=partial(_published, "segmentation"))
    grounding: tuple[str, ...] = field(default_factory=partial(_published, "grounding"))
    caption: tuple[str, ...] = field(default_factory=partial(_published, "caption"))
    question: tuple[str, ...] = field(default_factory=partial(_published, "question"))
    opening: str = '{"'
    colon: str = '": '
    comma: str = ', "'
    closing: str = "}"
    lead: str = ""
    answer: str = ""

    def prompts(self, task: Instruction) -> tuple[str, ...]:
        """The prompts of a task.

        Raises:
            ValueError: there is none.
        """
        prompts: tuple[str, ...] = getattr(self, task)
        if not prompts:
            raise ValueError(f"the wording has no prompt for {task}; give one or more.")
        return prompts


@dataclass(frozen=True)
class ClassWord:
    """The class word `<c index>`."""

    index: int


@dataclass(frozen=True)
class ImageTokens:
    """All image tokens of the image."""


InstructionPart: TypeAlias = str | ClassWord | ImageTokens


@dataclass(frozen=True)
class MarkValues:
    """Values for the marks of a prompt: classes, an expression or a question, and the tuple."""

    classes: tuple[str, ...] = ()
    expression: str = ""
    question: str = ""
    layout: TupleLayout | None = None
    half_range: int = 512


def parts_of(
    prompt: str, asked: MarkValues, wording: InstructionWording
) -> tuple[InstructionPart, ...]:
    """A prompt with its marks filled.

    >>> wording = InstructionWording()
    >>> parts_of("Find <class> in <image>.", MarkValues(classes=("owl", "cat")), wording)[:4]
    ('Find ', '{"', 'owl', '": ')
    """
    parts: list[InstructionPart] = []
    for piece in _MARK.split(prompt):
        match piece:
            case "<image>":
                parts.append(ImageTokens())
            case "<class>":
                parts += _dictionary(asked.classes, wording)
            case "<range>":
                parts.append(str(asked.half_range))
            case "<format>":
                parts.append(_tuple_of(asked.layout))
            case "<points>":
                assert asked.layout is not None, "the prompt names points, and none were asked for"
                parts.append(f"{wording.lead}{asked.layout.points}")
            case "<expression>":
                parts.append(wording.lead + asked.expression)
            case "<question>":
                parts.append(wording.lead + asked.question)
            case "<cls0>":
                parts.append(ClassWord(0))
            case _:
                parts.append(piece)
    return tuple(part for part in parts if part != "")


def pieces_of(
    parts: Sequence[InstructionPart],
    tokens: Float[Tensor, "m w"],
    class_words: Float[Tensor, "k w"],
) -> tuple[Piece, ...]:
    """The language model's pieces, from an image's tokens and the embeddings of class words."""
    pieces: list[Piece] = []
    for part in parts:
        match part:
            case str():
                pieces.append(Text(part))
            case ClassWord(index):
                pieces.append(Vectors(class_words[index : index + 1]))
            case ImageTokens():
                pieces.append(Vectors(tokens))
            case _:
                assert_never(part)
    return tuple(pieces)


def texts_of(parts: Sequence[InstructionPart]) -> tuple[str, ...]:
    """The texts for the text encoder, each tokenised by itself."""
    return tuple(part for part in parts if isinstance(part, str))


def _dictionary(classes: Sequence[str], wording: InstructionWording) -> list[InstructionPart]:
    parts: list[InstructionPart] = []
    for index, name in enumerate(classes):
        parts += [wording.comma if index else wording.opening, wording.lead + name]
        parts += [wording.colon, ClassWord(index)]
    return [*parts, wording.closing]


def _tuple_of(layout: TupleLayout | None) -> str:
    assert layout is not None, "the prompt names a format, and none was asked for"
    n = layout.points
    if n <= 2:
        return f"(c, {', '.join(f'x{i}, y{i}' for i in range(1, n + 1))})"
    return f"(c, x1, y1, x2, y2, ..., x{n}, y{n})"
