"""One training step of F-LMM's heads, and figures of the trained heads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from frostbench.baselines.flmm.examples import PhraseExample
from frostbench.baselines.flmm.losses import cross_entropy, dice, resized, union
from frostbench.baselines.flmm.model import Found, Heads
from frostbench.plugins.parts.training.loop import Stateful
from frostbench.plugins.parts.training.processes import Descent, Processes
from frostbench.plugins.parts.training.schedules import cosine_fall, rise, set_rate

EPOCH = 23_770  # steps: about 190,160 images, of PNG and RefCOCO/+/g, 8 in a step


@dataclass(frozen=True)
class HeadTrainingSettings:
    """How heads are trained; the defaults are the published run's.

    Attributes:
        steps: 8 epochs.
        images: Images in a step, one on each of 8 devices.
        rate: AdamW's highest, reached after `warm_up` of the steps from `begin` of it; then it
            falls along half a cosine to 0.
        betas: AdamW's.
        decay: AdamW's weight decay, of every tensor.
        warm_up: Share of the steps.
        begin: Share of the rate.
        clip: Gradients longer than this, all together, are shortened to it.
        bfloat16: Compute in that type where it is safe. The published run casts all weights to it.
    """

    steps: int = 8 * EPOCH
    images: int = 8
    rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.01
    warm_up: float = 0.03
    begin: float = 1e-5
    clip: float = 1.0
    bfloat16: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = max(1, round(self.warm_up * self.steps))
        return self.rate * rise(step, warm, self.begin) * cosine_fall(step, warm, self.steps)


@dataclass(frozen=True, eq=False)
class Lost:
    """The losses of some phrases, added up, and how well their masks fit."""

    terms: Mapping[str, Float[Tensor, ""]]
    unions: Mapping[str, Float[Tensor, "2"]]


class HeadTraining:
    """The optimiser, and what happens in a step.

    `examples(step)` gives a step's images, the same for the same step.
    """

    def __init__(
        self,
        heads: Heads,
        examples: Callable[[int], Sequence[PhraseExample]],
        settings: HeadTrainingSettings,
        processes: Processes,
    ) -> None:
        self.heads, self.examples, self.settings = heads, examples, settings
        self.processes = processes
        self._descent = Descent(processes, list(heads.parameters()))
        self.optimiser = torch.optim.AdamW(
            heads.parameters(), settings.rate, betas=settings.betas, weight_decay=settings.decay
        )

    def parts(self) -> Mapping[str, Stateful]:
        """Everything that a resumed training needs."""
        return {"heads": self.heads, "optimiser": self.optimiser}

    def step(self, index: int) -> Mapping[str, float]:
        """Train on the phrases of some images; all phrases count the same."""
        settings, processes = self.settings, self.processes
        set_rate(self.optimiser, settings.rate_at(index))
        self.heads.train()
        shares = processes.shares(self.examples, index)
        own = sum(len(example.masks) for examples in shares for example in examples)
        phrases = float(processes.mean(torch.tensor(float(own), device=self._device)))
        phrases *= processes.count
        groups: list[Lost] = []

        def lose(examples: Sequence[PhraseExample]) -> Tensor:
            total, some = self.lose(examples, phrases)
            groups.extend(some)
            return total

        self.optimiser.zero_grad(set_to_none=True)
        self._descent.backward([partial(lose, examples) for examples in shares])
        processes.clip(self._descent.trained, settings.clip)
        self.optimiser.step()
        means = _summed(groups, phrases / processes.count)
        unions = {
            name: processes.mean(torch.stack([one.unions[name] for one in groups]).sum(0))
            for name in groups[0].unions
        }
        return {**{name: float(mean.detach()) for name, mean in means.items()}, **ious([unions])}

    def lose(self, examples: Sequence[PhraseExample], phrases: float) -> tuple[Tensor, list[Lost]]:
        """The loss of a share of a batch with this many phrases in all, and its parts.

        The mean over shares is the mean over all phrases, although shares have unequal numbers of
        them.
        """
        bfloat16 = self.processes.in_bfloat16(self.settings.bfloat16)
        some = [lost(self.heads, group, bfloat16=bfloat16) for group in alike(examples)]
        total = torch.stack(list(_summed(some, phrases).values())).sum()
        return total * self.processes.parts, some

    @property
    def _device(self) -> torch.device:
        device: torch.device = self.heads.text_layer_weights.device
        return device


def _summed(groups: Sequence[Lost], phrases: float) -> dict[str, Tensor]:
    """Each loss, summed over groups of phrases, per phrase."""
    return {
        name: torch.stack([group.terms[name] for group in groups]).sum() / phrases
        for name in groups[0].terms
    }


def lost(heads: Heads, examples: Sequence[PhraseExample], *, bfloat16: bool = False) -> Lost:
    """The four losses of the phrases of images of one size.

    The refiner's masks are compared with the true ones at full size. (The published code shrinks
    those to what the multimodal model reads, and enlarges them again.)
    """
    device = heads.text_layer_weights.device
    masks = torch.cat([example.masks for example in examples]).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        found = found_in(heads, examples)
    terms: dict[str, Tensor] = {}
    unions: dict[str, Tensor] = {}
    for name, logits in (("head", found.coarse.float()), ("refined", found.fine.float())):
        target: Bool[Tensor, "n h w"] = resized(masks, (logits.shape[1], logits.shape[2]))
        terms[f"{name}_entropy"] = cross_entropy(logits, target).sum()
        terms[f"{name}_dice"] = dice(logits, target).sum()
        unions[name] = union(logits.detach(), target)
    return Lost(terms, unions)


def found_in(heads: Heads, examples: Sequence[PhraseExample]) -> Found:
    """What the heads find for the phrases of images of one size, in order."""
    device = heads.text_layer_weights.device
    counts = torch.tensor([len(example.masks) for example in examples])
    phrases = sum(len(example.masks) for example in examples)
    # In half precision as they are kept, autocast to bfloat16 could not join them.
    rows = [example.rows.to(device).float() for example in examples]
    embeddings = torch.stack([example.embedding.to(device).float() for example in examples])
    hidden = [states.to(device).float() for example in examples for states in example.by_phrase()]
    found: Found = heads(
        torch.cat(rows),
        hidden,
        embeddings.repeat_interleave(counts.to(device), 0, output_size=phrases),
        examples[0].views,
        examples[0].size,
    )
    return found


def alike(examples: Iterable[PhraseExample]) -> list[list[PhraseExample]]:
    """Images grouped by size and layout, in the order in which sizes first occur."""
    groups: dict[object, list[PhraseExample]] = {}
    for example in examples:
        groups.setdefault((example.size, example.views), []).append(example)
    return list(groups.values())


def ious(unions: Sequence[Mapping[str, Float[Tensor, "2"]]]) -> dict[str, float]:
    """The cumulative IoU, in [0, 1], of each kind of mask over all phrases."""
    values = {}
    for name in unions[0]:
        both, either = torch.stack([one[name] for one in unions]).sum(0).tolist()
        values[f"{name}_ciou"] = both / either if either else 1.0
    return values


@torch.no_grad()
def figures(heads: Heads, examples: Sequence[PhraseExample], at_once: int = 32) -> dict[str, float]:
    """Cumulative IoU of the mask head's and the refiner's masks, and of two guesses.

    "whole" is every pixel, and "centre" a box of half the image's sides in its middle.
    """
    heads.eval()
    unions = []
    for some in alike(examples):
        for start in range(0, len(some), at_once):
            part = some[start : start + at_once]
            unions.append({**lost(heads, part).unions, **_guessed(part)})
    return ious(unions)


def _guessed(examples: Sequence[PhraseExample]) -> dict[str, Float[Tensor, "2"]]:
    masks = torch.cat([example.masks for example in examples])
    everything = torch.ones_like(masks)
    centre = torch.zeros_like(masks)
    height, width = masks.shape[1:]
    centre[:, height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return {
        "whole": union(everything.float(), masks),
        "centre": union(centre.float(), masks),
    }
