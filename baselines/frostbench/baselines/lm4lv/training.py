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
from frostbench.plugins.engine.forward import States
from frostbench.plugins.engine.reader import CachedReader


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
    """

    loss_on_input_image: bool = False
    text_weight: float = 1.0


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
    count = degraded.shape[1]
    parts = [
        *_before(lm, adapters, frame, degraded, tasks),
        adapters.adapter(clean).to(lm.dtype),
        _wide(frame.closing, lm, len(clean)),
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
        features(starts[_DEGRADED]),
        features(starts[_CLEAN]),
        hidden,
        slice(starts[_BEGIN] - 1, starts[_CLEAN] - 1),
        slice(starts[_CLOSING] - 1, starts[_CLOSING + 1] - 1),
    )


@torch.no_grad()
def restored(
    lm: CausalLM,
    adapters: Adapters,
    frame: Frame,
    degraded: Float[Tensor, "b n d"],
    tasks: Int[Tensor, " b"],
) -> Float[Tensor, "b n d"]:
    """The features of clean images as restoring makes them: each is read before the next."""
    before = _before(lm, adapters, frame, degraded, tasks)
    reader = CachedReader(lm, States, continues=False)
    reading = reader.read(list(torch.cat(before, 1)))
    features = [adapters.deadapter(reading.last.float())]
    for _ in range(degraded.shape[1] - 1):
        reader.extend(reading, adapters.adapter(features[-1])[:, None].to(lm.dtype))
        features.append(adapters.deadapter(reading.last.float()))
    return torch.stack(features, 1)


_DEGRADED, _BEGIN, _CLEAN, _CLOSING = 1, 5, 6, 7


def _before(
    lm: CausalLM,
    adapters: Adapters,
    frame: Frame,
    degraded: Float[Tensor, "b n d"],
    tasks: Int[Tensor, " b"],
) -> list[Float[Tensor, "b _ w"]]:
    """The inputs before the clean image, in their order."""
    rows = len(degraded)
    return [
        _wide(frame.opening, lm, rows),
        adapters.adapter(degraded).to(lm.dtype),
        _wide(frame.end, lm, rows),
        adapters.learnable_task_token[tasks].to(lm.dtype),
        _wide(frame.assistant, lm, rows),
        _wide(frame.begin, lm, rows),
    ]


def _wide(text: Float[Tensor, "n w"], lm: CausalLM, rows: int) -> Float[Tensor, "b n w"]:
    return text.to(lm.dtype).expand(rows, -1, -1)


def predicted(
    lm: CausalLM,
    adapters: Adapters,
    frame: Frame,
    pairs: FeaturePairs,
    objective: Objective,
    *,
    own: bool = False,
) -> Losses:
    """The objective of some pairs.

    With `own`, what is read as the clean image's features are those that restoring would read; no
    gradient goes through them. Published is teacher forcing, which reads the true ones.
    """
    read = pairs.clean
    if own:
        read = restored(lm, adapters, frame, pairs.degraded, pairs.tasks)
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
