"""The result of an LM4LV training in a pack's folder: adapters, linear maps, perhaps a LoRA.

A pack's folder of LM4LV holds one folder for each training, with the restorations that it serves.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from frostbench.baselines.lm4lv.linear import LinearMaps
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.plugins.backbones import precision, weights
from frostbench.plugins.contract.prompts import Adapter
from frostbench.plugins.parts.training import folder as stored

LINEAR = "no_llm."  # prefix of the names of the linear maps
LORA = "lora"  # folder of a training's LoRA adapter, as peft saves it


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of one training; `linear` takes the language model's place in `no_llm`.

    Adapters that were converted from official files have none.
    """

    adapters: Adapters
    linear: LinearMaps | None
    lora: Adapter | None = None


class _Parts(nn.Module):
    """Both parts as one module; the adapters' keys are those of the published checkpoints."""

    def __init__(self, adapters: Adapters, linear: LinearMaps | None) -> None:
        super().__init__()
        self.adapter, self.deadapter = adapters.adapter, adapters.deadapter
        self.learnable_task_token = adapters.learnable_task_token
        if linear is not None:
            self.no_llm = linear


def save(folder: Path, trained: Trained) -> None:
    """Round the weights to a byte a number and write them, with their settings."""
    parts = _Parts(trained.adapters, trained.linear)
    stored.rounded(parts, "byte")
    stored.save(folder, trained.adapters.settings, parts.state_dict(), "byte")


def load(folder: Path) -> Trained:
    """Read the result of one training.

    Raises:
        ValueError: a file is missing or damaged, or the two do not fit.
    """
    settings = stored.stored_settings(folder, AdapterSettings())
    adapters = Adapters(settings)
    tensors = precision.read(folder / stored.WEIGHTS)
    fitted = any(name.startswith(LINEAR) for name in tensors)
    linear = LinearMaps(len(settings.tasks), settings.width) if fitted else None
    weights.fill(_Parts(adapters, linear), tensors, str(folder / stored.WEIGHTS))
    lora = folder / LORA
    named = Adapter(f"lm4lv {folder.name}", lora) if lora.is_dir() else None
    return Trained(adapters.eval().requires_grad_(False), linear, named)


def has_linear(folder: Path) -> bool:
    """Whether a training in a pack's folder has linear maps, or is unreadable."""
    files = list(folder.glob(f"*/{stored.WEIGHTS}"))
    try:
        return not files or any(
            name.startswith(LINEAR) for file in files for name in precision.names(file)
        )
    except ValueError:
        return True  # loading it reports what is wrong


def load_all(folder: Path) -> list[Trained]:
    """Read every training of a pack's folder, in the order of their names.

    Raises:
        ValueError: there is none, two serve the same restoration, or one cannot be read.
    """
    folders = sorted(path.parent for path in folder.glob(f"*/{stored.CONFIG}"))
    if not folders:
        raise ValueError(
            f"no trained adapters in {folder}: a folder for each training is wanted, with "
            f"{stored.CONFIG} and {stored.WEIGHTS}; `frostbench train lm4lv` makes them."
        )
    trained = [load(one) for one in folders]
    homes: dict[str, Path] = {}
    for one, home in zip(trained, folders, strict=True):
        for task in one.adapters.settings.tasks:
            if task in homes:
                raise ValueError(
                    f"{homes[task]} and {home} were both trained for {task!r}; keep one of them."
                )
            homes[task] = home
    return trained
