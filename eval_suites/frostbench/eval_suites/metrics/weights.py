"""Local weight files of metric networks. Nothing is ever downloaded."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from frostbench.plugins.contract.metric import MetricContext


def weight_file(context: MetricContext, metric: str, key: str, what: str) -> Path:
    """The file that the user named for a metric's network.

    Raises:
        ValueError: none is named, or it is not there; the message says what is wanted.
    """
    path = context.weights.get(key)
    if path is None:
        raise ValueError(
            f"{metric} needs {what} in a local file, since nothing is downloaded: name it with "
            f"metric_weights.{key}=FILE."
        )
    if not path.is_file():
        raise ValueError(f"{metric}: there is no weight file at {path} (metric_weights.{key}).")
    return path


def read_weights(metric: str, path: Path) -> Mapping[str, Tensor]:
    """The tensors of a weight file by name, read without running code from it.

    Raises:
        ValueError: the file is cut short, or is no state dict.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{metric}: cannot read the weight file {path}: {first}") from error
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise ValueError(f"{metric}: {path} is no state dict (names with tensors).")
    return state
