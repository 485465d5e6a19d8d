"""Adapters: LoRA weights laid over a frozen language model, which stays what it is.

The adapted model is a second module tree over the same tensors: only the few numbers of the adapter
are new, and the frozen model's modules, names and weights are not touched.
"""

import contextlib
import copy
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.entry import check_weight_file, offline
from frostbench.plugins.contract.prompts import Adapter

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

# The other ways in which peft begins a LoRA change the frozen weights themselves.
PLAIN_BEGINNINGS = (True, False, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class LoraSettings:
    """Sizes of a new adapter; the defaults are those of V2L-Tokenizer's published LoRA layer.

    Attributes:
        rank: Width of the adapter's layers.
        alpha: What the adapter adds is multiplied by `alpha / rank`.
        targets: Names of the linear layers that get one, as the model calls them; the published
            `wq` and `wk`.
        dropout: Share of an adapted layer's inputs that the adapter does not see in training.
    """

    rank: int = 4
    alpha: int = 32
    targets: tuple[str, ...] = ("q_proj", "k_proj")
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.rank < 1 or not self.targets or not 0 <= self.dropout < 1:
            raise ValueError(
                "an adapter has a rank of at least 1, one or more targets and a dropout from 0 to "
                f"below 1; it was given {self.rank}, {self.targets} and {self.dropout}."
            )


def adapted(lm: CausalLM, adapter: Adapter) -> CausalLM:
    """A language model with a method's adapter, sharing every weight of `lm`.

    Nothing is asked of the network.

    Raises:
        ValueError: the folder or a file of it is missing or damaged, is no LoRA that leaves the
            frozen weights alone, or was made for another model; the message names adapter and
            folder.
    """
    model = stored_adapter(lm, adapter, trained=False)
    return lm.over(model.get_base_model(), f"{lm.identity} with {adapter.name}")


def stored_adapter(lm: CausalLM, adapter: Adapter, *, trained: bool = True) -> Any:
    """A `PeftModel` over a shared copy of `lm` with an adapter of a folder.

    `trained` says whether its numbers are to be trained further.

    Raises:
        ValueError: as of `adapted`.
    """
    from peft import (
        PeftConfig,
        PeftModel,
        get_peft_model_state_dict,
        set_peft_model_state_dict,
    )

    folder = adapter.folder
    where = f"adapter {adapter.name!r} in {folder}"
    _check_files(adapter)
    given = weights.read(folder / WEIGHTS)
    with offline(), _quiet():
        try:
            config = PeftConfig.from_pretrained(str(folder))
        except Exception as error:
            raise ValueError(f"{where}: {CONFIG} cannot be read: {_line(error)}.") from error
        _check_config(config, where)
        config.inference_mode = not trained
        try:
            model = PeftModel(shared_copy(lm.model), config)
        except Exception as error:
            raise ValueError(f"{where} does not fit {_of(lm)}: {_line(error)}") from error
        wanted = get_peft_model_state_dict(model, save_embedding_layers=False)
        problems = weights.mismatches(wanted, given)
        if problems:
            raise ValueError(f"{where} does not fit {_of(lm)}: {'; '.join(problems)}.")
        # They are the adapter's own tensors alone, so that no tensor of the base is written.
        set_peft_model_state_dict(model, given)
    return model


def shared_copy(model: nn.Module) -> nn.Module:
    """A second tree of modules over the same parameters and buffers; no tensor is copied."""
    tensors: Sequence[Tensor] = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})


def new_adapter(lm: CausalLM, settings: LoraSettings) -> Any:
    """A `PeftModel` over a shared copy of `lm`; only the new adapter is trained.

    It begins without effect: one of each layer's two factors is 0.

    Raises:
        ValueError: the model has no layer of the names in `settings.targets`.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(settings.targets),
        lora_dropout=settings.dropout,
    )
    with _quiet():
        return get_peft_model(shared_copy(lm.model), config)


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter of a `PeftModel` as peft does, in half precision.

    The same adapter gives the same bytes, and no path of this machine is kept.
    """
    from peft import get_peft_model_state_dict

    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights.write(folder / WEIGHTS, {name: tensor.half() for name, tensor in state.items()})
    config = model.active_peft_config.to_dict() | {
        "base_model_name_or_path": None,
        "inference_mode": True,
    }
    plain = {key: sorted(v) if isinstance(v, set) else v for key, v in config.items()}
    text = json.dumps(plain, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def _check_files(adapter: Adapter) -> None:
    """Check that peft saved the folder, and that its weights are whole."""
    name, folder = adapter.name, adapter.folder
    if not folder.is_dir():
        raise ValueError(
            f"no folder {folder} for adapter {name!r}; name the folder that peft saved it to."
        )
    absent = [file for file in (CONFIG, WEIGHTS) if not (folder / file).is_file()]
    if absent:
        raise ValueError(
            f"adapter {name!r}: {folder} lacks {' and '.join(absent)}; a folder is wanted as "
            "peft's save_pretrained writes it."
        )
    check_weight_file(folder / WEIGHTS)


def _check_config(config: Any, where: str) -> None:
    """Check that it is a LoRA that leaves every frozen weight alone."""
    kind = getattr(config.peft_type, "value", config.peft_type)
    if kind != "LORA":
        raise ValueError(f"{where} is no LoRA but {kind}; only LoRA is laid over a shared model.")
    changes = [
        f"{name} {value!r}"
        for name, value, harmless in (
            ("bias", config.bias, config.bias == "none"),
            ("megatron_config", config.megatron_config, not config.megatron_config),
            ("modules_to_save", config.modules_to_save, not config.modules_to_save),
            (
                "init_lora_weights",
                config.init_lora_weights,
                config.init_lora_weights in PLAIN_BEGINNINGS,
            ),
        )
        if not harmless
    ]
    if changes:
        raise ValueError(
            f"{where} changes weights of the frozen model ({', '.join(changes)}); only an adapter "
            "beside them can be laid over a model that others share."
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence peft's advice on what it mends itself and on names that it will change some day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "fan_in_fan_out")
        yield


def _of(lm: CausalLM) -> str:
    return f"language model {lm.identity or 'without a name'} (embeddings of width {lm.width})"


def _line(error: Exception) -> str:
    """An exception as one line: its type and what it says first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2]) or 'no message'}"
