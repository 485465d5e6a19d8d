"""LM4LV's objective: predict the next image feature, by mean squared error.

Zheng et al., LM4LV, https://arxiv.org/abs/2405.15734. From the hidden state after one token
`deadapter` predicts the feature at the next place; the state before an image predicts its first.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.baselines.lm4lv.model import Adapters
from frostbench.baselines.lm4lv.pairs import FeaturePairs
from frostbench.baselines.lm4lv.wording import Frame
from frostbench.plugins.backbones.causal_lm import CausalLM


@dataclass(frozen=True)
class Objective:
    """What counts in the loss.

    Attributes:
        loss_on_input_image: Whether the features of the degraded image are predicted too, and
            count as much as those of the clean one. The published code marks both images, and
            then removes the mark from everything in the human's turn, so there it is off.
        text_weight: Weight of the cross-entropy of the texts in the assistant's turn; 1 in the
            code. They are always the same, so that 0 loses little and saves the product with the
            vocabulary.
        own_passes: How often it predicts the features that it then reads as the clean image's. 0, as
            published, is teacher forcing: features are predicted from true ones, and restoring,
            which has none, adds error to error. With 1 or more it reads its own: the degraded
            image's to begin with, what it makes of these, and so on. After k passes the first k
            features are exactly those of restoring.
    """

    loss_on_input_image: bool = False
    text_weight: float = 1.0
    own_passes: int = 0

    def __post_init__(self) -> None:
        if self.own_passes < 0:
            raise ValueError(f"own_passes is 0 or more, and is {self.own_passes}.")


@dataclass(frozen=True, eq=False)
class Losses:
    """Mean squared errors of features, and the cross-entropy of texts (0 where none counts)."""

    total: Float[Tensor, ""]
    clean: Float[Tensor, ""]
    degraded: Float[Tensor, ""]
    text: Float[Tensor, ""]


@dataclass(frozen=True, eq=False)
class TeacherForced:
    """Predictions at the places of two images, under teacher forcing.

    `hidden` are the last hidden states of the whole sequence, and `begin` and `closing` the places
    before the texts that it is to write, those of the assistant's turn.
    """

    degraded: Float[Tensor, "b n d"]
    clean: Float[Tensor, "b n d"]
    hidden: Float[Tensor, "b t w"]
    begin: slice
    closing: slice


def teacher_forced(
    lm: CausalLM,
    adapters: Adapters,
    frame: Frame,
    degraded: Float[Tensor, "b n d"],
    clean: Float[Tensor, "b n d"],
    tasks: Int[Tensor, " b"],
) -> TeacherForced:
    """Read degraded and clean images, and predict every feature from what comes before it.

    `tasks` are rows of the task tokens. Prediction k of an image depends only on its features
    before k.
    """
    rows, count = degraded.shape[:2]
    dtype = lm.dtype

    def wide(text: Float[Tensor, "n w"]) -> Float[Tensor, "b n w"]:
        return text.to(dtype).expand(rows, -1, -1)

    parts = [
        wide(frame.opening),
        adapters.adapter(degraded).to(dtype),
        wide(frame.end),
        adapters.learnable_task_token[tasks].to(dtype),
        wide(frame.assistant),
        wide(frame.begin),
        adapters.adapter(clean).to(dtype),
        wide(frame.closing),
    ]
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + part.shape[1])
    hidden = lm.model.base_model(
        inputs_embeds=torch.cat(parts, 1), use_cache=False
    ).last_hidden_state.float()

    def features(start: int) -> Float[Tensor, "b n d"]:
        said: Tensor = adapters.deadapter(hidden[:, start - 1 : start - 1 + count])
        return said

    return TeacherForced(
        features(starts[1]),
        features(starts[6]),
        hidden,
        slice(starts[5] - 1, starts[6] - 1),
        slice(starts[7] - 1, starts[8] - 1),
    )


def predicted(
    lm: CausalLM, adapters: Adapters, frame: Frame, pairs: FeaturePairs, objective: Objective
) -> Losses:
    """The objective of some pairs."""
    read = pairs.degraded if objective.own_passes else pairs.clean
    with torch.no_grad():
        for _ in range(objective.own_passes):
            read = teacher_forced(lm, adapters, frame, pairs.degraded, read, pairs.tasks).clean
    said = teacher_forced(lm, adapters, frame, pairs.degraded, read, pairs.tasks)
    return losses(lm, said, frame, pairs.degraded, pairs.clean, objective)


def losses(
    lm: CausalLM,
    said: TeacherForced,
    frame: Frame,
    degraded: Float[Tensor, "b n d"],
    clean: Float[Tensor, "b n d"],
    objective: Objective,
) -> Losses:
    """The published objective, or parts of it; see `Objective`."""
    on_clean = functional.mse_loss(said.clean, clean)
    on_degraded = functional.mse_loss(said.degraded, degraded)
    # The mean is over all images that count, degraded and clean alike.
    total = (on_clean + on_degraded) / 2 if objective.loss_on_input_image else on_clean
    text = on_clean.new_zeros(())
    if objective.text_weight:
        text = _text_loss(lm, said, frame)
        total = total + objective.text_weight * text
    return Losses(total, on_clean.detach(), on_degraded.detach(), text.detach())


def _text_loss(lm: CausalLM, said: TeacherForced, frame: Frame) -> Float[Tensor, ""]:
    states = torch.cat((said.hidden[:, said.begin], said.hidden[:, said.closing]), 1)
    head = lm.model.get_output_embeddings()
    logits = head(states.to(head.weight.dtype)).float()
    wanted = torch.tensor((*frame.begin_ids, *frame.closing_ids), device=logits.device)
    return functional.cross_entropy(logits.flatten(0, 1), wanted.repeat(len(logits)))
