"""Prompts that restore an image's codes in context, window by window.

Zhu et al., CVPR 2024, https://arxiv.org/abs/2403.07874; texts, sizes and order are those of the
published `eval_denoising_generation.py`. A pyramid of grids is restored from coarse to fine, as in
SPAE's progressive decoding (Yu et al., NeurIPS 2023, https://arxiv.org/abs/2306.17842).
"""

import hashlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from frostbench.plugins.contract.completions import Completion, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Waves
from frostbench.plugins.contract.prompts import (
    Generate,
    Ids,
    Piece,
    Prompt,
    Shot,
    Text,
    TokenSets,
    Wave,
)
from frostbench.plugins.contract.requests import HeldOutContext, NoContext, OracleContext, Restore
from frostbench.plugins.parts.prompting.classification import INPUT, OUTPUT
from frostbench.plugins.parts.prompting.examples import (
    CodeExample,
    disturbed,
    disturbed_counts,
    held_out,
)
from frostbench.plugins.parts.prompting.token_map import TokenMap
from frostbench.plugins.parts.prompting.windows import hidden_cells, parents, windows

RATES = (0.50, 0.47, 0.44, 0.41, 0.38, 0.35, 0.32, 0.29, 0.26, 0.23)

Layers: TypeAlias = tuple[Int[Tensor, "_rows _columns"], ...]
"""An image's grids of codes, from coarse to fine; most methods have one."""


@dataclass(frozen=True)
class WindowSettings:
    """How many codes are read and asked for at a time; the defaults are the published ones.

    Attributes:
        step: Codes that one prompt asks for (m in the paper).
        prompt_length: Codes before them that it shows when an image is filled in (n). None is
            one row of the grid; the published 16 are one row of 16x16.
        rates: Shares of replaced codes in the examples made from the clean image.
        whole_layer: In a pyramid, a layer of at most this many codes is one prompt, which writes
            them one after the other; a larger one is cut into windows, which do not wait for one
            another. SPAE decodes its upper layers in the first way, its lower ones in the second;
            where the split lies is unverified.
        parents: In a pyramid, prompts show the codes of the layer above, already restored, before
            their own.
    """

    step: int = 2
    prompt_length: int | None = None
    rates: tuple[float, ...] = RATES
    whole_layer: int = 4
    parents: bool = True

    def __post_init__(self) -> None:
        if self.step < 1 or (self.prompt_length is not None and self.prompt_length < 1):
            raise ValueError("step and prompt_length are at least 1.")
        if not self.rates or not all(0 <= rate <= 1 for rate in self.rates):
            raise ValueError(f"rates are one or more shares between 0 and 1, not {self.rates}.")


def restoration(
    request: Restore,
    layers: Callable[[Image], Layers],
    token_map: TokenMap,
    settings: WindowSettings,
    *,
    beside: int = 0,
    eos_id: int | None = None,
) -> Waves:
    """The outcome is the restored grids of codes, `Layers`.

    Grids are restored one after the other. Without hidden pixels all prompts of a grid are one
    wave: each shows the corrupted codes of its window and asks for the clean ones. With hidden
    pixels there is a wave for each window of hidden cells, in row order: it shows the codes before
    the window, among them those just predicted.

    In `OracleContext` the examples are disturbed copies of the clean image's codes, and where
    pixels are hidden, the visible cells show the clean image's codes, as published. In
    `HeldOutContext` the examples are the pairs' codes at the same cells, and nothing comes from the
    clean image.

    Args:
        request: What to restore; all that is drawn comes from its seed.
        layers: The grids of codes of each image of the request, alike in number and size.
        token_map: Which ids stand for the codes.
        settings: Sizes and rates.
        beside: Visual tokens an image has beside the grids (V2L's global words); only the counts
            of disturbed codes depend on it.
        eos_id: The id at which generation ends; where it comes early, it was the answer at its
            position, and the rest is asked for in a further wave.

    Raises:
        ValueError: grids differ in size, or an answer is no code.
    """
    corrupted = [grid.cpu() for grid in layers(request.image)]
    restored: list[Tensor] = []
    above: _Above | None = None
    for depth, own in enumerate(corrupted):
        rows, columns = own.shape
        hidden = None
        if request.hidden is not None:
            hidden = hidden_cells(request.hidden.cpu(), rows, columns)
        cells = _cells(request, layers, depth, hidden, settings, len(token_map.ids), beside)
        prompts = _Prompts(
            examples=[
                (token_map.ids_of(one.given), token_map.ids_of(one.wanted))
                for one in cells.examples
            ],
            allowed=token_map.allowed,
            length=settings.prompt_length or columns,
            fills=hidden is not None,
            shape=(rows, columns),
            above=above if settings.parents else None,
        )
        whole = len(corrupted) > 1 and own.numel() <= settings.whole_layer
        step = own.numel() if whole else settings.step
        ids = yield from _fill_in(prompts, token_map.ids_of(cells.start), step, hidden, eos_id)
        restored.append(torch.tensor(token_map.codes_of(ids)).view(rows, columns))
        above = _Above((rows, columns), ids, [wanted for _, wanted in prompts.examples])
    return tuple(restored)


def _fill_in(
    prompts: "_Prompts",
    ids: list[int],
    step: int,
    hidden: Bool[Tensor, "rows columns"] | None,
    eos_id: int | None,
) -> Generator[Wave, list[Completion], list[int]]:
    """The ids of a grid after its windows were asked for."""
    if hidden is None:
        waves = [windows(torch.ones(len(ids), dtype=torch.bool), step)]
    else:
        waves = [[window] for window in windows(hidden.flatten(), step)]
    for wave in waves:
        asked = [prompts.of(window, ids) for window in wave]
        answers = yield from whole_answers(asked, [len(window) for window in wave], eos_id)
        for window, answer in zip(wave, answers, strict=True):
            ids[window.start : window.stop] = answer
    return ids


def _seed(seed: int, depth: int) -> int:
    """A seed for each layer; the first has the request's own."""
    if depth == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {depth}".encode()).digest()[:6], "big")


@dataclass(frozen=True, eq=False)
class _Cells:
    """Where a restoration starts from, and its examples, row by row."""

    start: Int[Tensor, " cells"]
    examples: list[CodeExample]


def _cells(
    request: Restore,
    layers: Callable[[Image], Layers],
    depth: int,
    hidden: Bool[Tensor, "rows columns"] | None,
    settings: WindowSettings,
    count: int,
    beside: int,
) -> _Cells:
    """The cells of the layer at one depth; examples are disturbed with `count` codes."""
    corrupted = layers(request.image)[depth].cpu()

    def flat(image: Image) -> Int[Tensor, " cells"]:
        grid = layers(image)[depth].cpu()
        if grid.shape != corrupted.shape:
            raise ValueError(
                f"an example of request {request.id!r} has {tuple(grid.shape)} codes, and the "
                f"image itself {tuple(corrupted.shape)}; all images need grids of one size."
            )
        return grid.flatten()

    own = corrupted.flatten()
    match request.context:
        case OracleContext(clean=image, examples=examples):
            clean = flat(image)
            start = own if hidden is None else clean
            counts = disturbed_counts(settings.rates, examples, clean.numel() + beside)
            seed = _seed(request.seed, depth)
            return _Cells(start, disturbed(start, clean, count, counts, seed))
        case HeldOutContext(pairs=pairs):
            mask = None if hidden is None else hidden.flatten()
            return _Cells(
                own, [held_out(flat(pair.corrupted), flat(pair.clean), mask) for pair in pairs]
            )
        case NoContext():
            return _Cells(own, [])


@dataclass(frozen=True, eq=False)
class _Above:
    """The layer above, restored: its shape, its ids, and the ids of each example."""

    shape: tuple[int, int]
    ids: Sequence[int]
    examples: Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class _Prompts:
    """The prompt for a window of cells; an example is the ids given and the ids wanted."""

    examples: Sequence[tuple[list[int], list[int]]]
    allowed: frozenset[int] | None
    length: int
    fills: bool
    shape: tuple[int, int]
    above: _Above | None

    def of(self, window: range, ids: Sequence[int]) -> Prompt:
        """Ask for a window, with the image's ids as they stand now."""
        # Filling in reads the cells before the window, other restorations the window itself.
        start = max(0, window.start - self.length) if self.fills else window.start
        read = slice(start, window.start if self.fills else window.stop)
        write = slice(window.start, window.stop)
        sets = None if self.allowed is None else TokenSets((self.allowed,) * len(window))
        over: list[int] = []
        own, others = ids[:0], [ids[:0]] * len(self.examples)
        if self.above is not None:
            over = parents(window, self.shape, self.above.shape)
            own = [self.above.ids[cell] for cell in over]
            others = [[one[cell] for cell in over] for one in self.above.examples]
        return Prompt(
            opening=(Text(instruction(len(window))),),
            shots=tuple(
                Shot((INPUT, *_segment([*before, *given[read]]), OUTPUT), _segment(wanted[write]))
                for before, (given, wanted) in zip(others, self.examples, strict=True)
            ),
            query=(INPUT, *_segment([*own, *ids[read]]), OUTPUT),
            ask=Generate(len(window), allowed=sets),
        )


def _segment(ids: Sequence[int]) -> tuple[Piece, ...]:
    return (Ids(tuple(ids)),) if ids else ()


def instruction(step: int) -> str:
    r"""The published opening, with the number of tokens that are asked for.

    >>> instruction(2)
    'Learning a new language and predict the 2 tokens following the examples.\n'
    """
    return f"Learning a new language and predict the {step} tokens following the examples.\n"


def whole_answers(
    prompts: Sequence[Prompt], lengths: Sequence[int], eos_id: int | None
) -> Generator[Wave, list[Completion], list[list[int]]]:
    """Ask until every answer has its full length.

    In an image the end-of-sequence token is a code like any other: the published code never stops
    at it. An answer that ended there goes on, in a further wave, after that token.

    Raises:
        ValueError: an answer is too short although it did not end there, or too long.
    """
    answers: list[list[int]] = [[] for _ in prompts]
    short = list(range(len(prompts)))
    while short:
        completions = yield [
            _continued(prompts[i], answers[i], lengths[i] - len(answers[i])) for i in short
        ]
        for i, completion in zip(short, completions, strict=True):
            if not isinstance(completion, Generated):
                raise TypeError(f"a restoration is answered by ids, not by {completion!r}.")
            ids = list(completion.ids)
            if len(answers[i]) + len(ids) < lengths[i] and (not ids or ids[-1] != eos_id):
                if eos_id is None:
                    raise ValueError(f"{lengths[i]} tokens were asked for, {len(ids)} came.")
                ids.append(eos_id)
            answers[i] += ids
        over = next((i for i in short if len(answers[i]) > lengths[i]), None)
        if over is not None:
            raise ValueError(f"{lengths[over]} tokens were asked for, {len(answers[over])} came.")
        short = [i for i in short if len(answers[i]) < lengths[i]]
    return answers


def _continued(prompt: Prompt, said: Sequence[int], left: int) -> Prompt:
    """The prompt with the beginning of its answer, asking for the rest."""
    if not said:
        return prompt
    assert isinstance(prompt.ask, Generate)
    allowed = prompt.ask.allowed
    if isinstance(allowed, TokenSets):
        allowed = TokenSets(allowed.sets[-left:])
    return replace(
        prompt,
        query=(*prompt.query, Ids(tuple(said))),
        ask=replace(prompt.ask, max_new_tokens=left, allowed=allowed),
    )
