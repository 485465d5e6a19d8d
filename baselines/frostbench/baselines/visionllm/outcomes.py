"""VisionLLM's answers to requests: tuples of a class, points and a score.

The paper filters tuples by a confidence that it does not define. Ours is the probability of the
chosen class word; among equal ones, the tuple whose image token is likelier a thing comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from frostbench.baselines.visionllm.contours import filled
from frostbench.baselines.visionllm.inference import NoObject
from frostbench.baselines.visionllm.model import GuidedTokens, TupleLayout, VisionLLM
from frostbench.baselines.visionllm.offsets import placed
from frostbench.plugins.contract.predictions import Boxes, Instances


@dataclass(frozen=True, eq=False)
class Candidates:
    """Tuples in the order of their image tokens, on the CPU.

    `points` are (x, y) in parts of the image: of a box two corners, of a contour its points.
    `objectness` is the logit that a token is a thing.
    """

    names: tuple[str, ...]
    points: Float[Tensor, "n p 2"]
    scores: Float[Tensor, " n"]
    objectness: Float[Tensor, " n"]

    def ranked(self, threshold: float, most: int) -> "Candidates":
        """The best `most` of those that reach a score, the best first."""
        scores, objectness = self.scores.tolist(), self.objectness.tolist()
        kept = [i for i, score in enumerate(scores) if score >= threshold]
        kept.sort(key=lambda i: (-scores[i], -objectness[i], i))
        return self._at(kept[:most])

    def _at(self, rows: Sequence[int]) -> "Candidates":
        index = torch.tensor(list(rows), dtype=torch.long)
        names = tuple(self.names[i] for i in rows)
        return Candidates(names, self.points[index], self.scores[index], self.objectness[index])


def joined(several: Sequence[Candidates]) -> Candidates:
    """All tuples of several prompts of one shape."""
    return Candidates(
        tuple(name for one in several for name in one.names),
        torch.cat([one.points for one in several]),
        torch.cat([one.scores for one in several]),
        torch.cat([one.objectness for one in several]),
    )


@torch.no_grad()
def read(
    model: VisionLLM,
    states: Float[Tensor, "m slots w"],
    seen: GuidedTokens,
    names: Sequence[str],
    layout: TupleLayout,
    no_object: NoObject,
) -> Candidates:
    """The tuples read from the states at one prompt's placeholders; `names` are its dictionary."""
    logits = model.class_logits(states[:, 0], len(names))
    if no_object == "none":
        logits = logits[:, :-1]
    probabilities = logits.softmax(-1)
    best = probabilities[:, : len(names)].max(-1)
    offsets = model.offsets(model.place_logits(states[:, 1:]))
    points = placed(offsets.view(len(states), layout.points, 2), seen.centres[0])
    rows = _rows(probabilities, best.values, no_object)
    return Candidates(
        tuple(names[i] for i in best.indices[rows].tolist()),
        points[rows].cpu(),
        best.values[rows].cpu(),
        seen.objectness[0][rows].cpu(),
    )


def _rows(
    probabilities: Float[Tensor, "m k"], best: Float[Tensor, " m"], no_object: NoObject
) -> Int[Tensor, " r"]:
    """The tuples that are kept."""
    kept: Bool[Tensor, " m"] = torch.ones_like(best, dtype=torch.bool)
    if no_object == "dropped":
        kept = best >= probabilities[:, -1]
    return kept.nonzero().flatten()


def boxes_in(found: Candidates, size: tuple[int, int]) -> Boxes:
    """Boxes in pixels of an image of `size` (height, width), cut off at its edges.

    Corners in the wrong order are swapped.
    """
    corners = _in_pixels(found.points, size)
    boxes = torch.cat((corners.amin(1), corners.amax(1)), 1)
    return Boxes(boxes, found.names, found.scores)


def instances_in(found: Candidates, size: tuple[int, int]) -> Instances:
    """Masks of contours, cut off at the image's edges; empty masks are left out."""
    contours = _in_pixels(found.points, size)
    masks = [filled(contour, *size) for contour in contours]
    kept = [i for i, mask in enumerate(masks) if bool(mask.any())]
    empty = torch.zeros(0, *size, dtype=torch.bool)
    return Instances(
        torch.stack([masks[i] for i in kept]) if kept else empty,
        tuple(found.names[i] for i in kept),
        found.scores[kept],
    )


def _in_pixels(points: Float[Tensor, "n p 2"], size: tuple[int, int]) -> Float[Tensor, "n p 2"]:
    height, width = size
    return points.clamp(0, 1) * torch.tensor([width, height])
