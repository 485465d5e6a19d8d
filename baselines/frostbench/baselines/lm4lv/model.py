"""LM4LV's trained parts: two linear maps and the task tokens.

Zheng et al., LM4LV, https://arxiv.org/abs/2405.15734. Names and shapes are those of the published
code's checkpoints, in which one training serves one restoration.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frostbench.baselines.lm4lv.wording import Wording


@dataclass(frozen=True)
class AdapterSettings:
    """Sizes; the defaults are the published ones (MAE ViT-L/16, LLaMA-2-7B-chat).

    Attributes:
        width: Length of the masked autoencoder's features.
        llm_width: Length of the language model's embeddings.
        task_tokens: Learned embeddings that stand for a restoration in the prompt (T in the code).
        tasks: The restorations that these parts were trained for, each with task tokens of its own:
            a corruption, or "corruption/variant" where a method is told how it was done. Published
            trainings have one.
        wording: The texts of the prompt that they were trained in.
    """

    width: int = 1024
    llm_width: int = 4096
    task_tokens: int = 10
    tasks: tuple[str, ...] = ("denoising",)
    wording: Wording = field(default_factory=Wording)

    def __post_init__(self) -> None:
        if min(self.width, self.llm_width, self.task_tokens) < 1:
            raise ValueError("widths and the number of task tokens are 1 or more.")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks are one or more, no two alike; they are {self.tasks}.")


class Adapters(nn.Module):
    """Features into the language model's space and back, and tokens for each task.

    `learnable_task_token` is `[tasks, task_tokens, llm_width]` and begins as zeros, the maps as
    torch begins linear layers; all as published.
    """

    def __init__(self, settings: AdapterSettings) -> None:
        super().__init__()
        self.settings = settings
        self.adapter = nn.Linear(settings.width, settings.llm_width)
        self.deadapter = nn.Linear(settings.llm_width, settings.width)
        self.learnable_task_token = nn.Parameter(
            torch.zeros(len(settings.tasks), settings.task_tokens, settings.llm_width)
        )

    def task(self, name: str) -> Float[Tensor, "t d"]:
        """The tokens of a task.

        Raises:
            LookupError: these parts were not trained for it.
        """
        tasks = self.settings.tasks
        if name not in tasks:
            raise LookupError(
                f"no task tokens for {name!r}; there are some for {', '.join(tasks)}."
            )
        return self.learnable_task_token[tasks.index(name)]

    def feed(self, hidden: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """The next input embedding from a last hidden state: through a feature and back."""
        fed: Tensor = self.adapter(self.deadapter(hidden))
        return fed


def task_of(corruption: str, variant: str = "") -> str:
    """How a restoration is called among `AdapterSettings.tasks`.

    >>> task_of("denoising"), task_of("rotation", "90")
    ('denoising', 'rotation/90')
    """
    return f"{corruption}/{variant}" if variant else corruption
