"""Reads checkpoints of LQAE's published code, written in Flax; no weights are public.

The code pickles its whole training state, which can only be opened beside Flax, JAX and that code.
There, the parameters are written for us with

    flat = flax.traverse_util.flatten_dict(state.params["params"], sep="/")
    numpy.savez("lqae.npz", **flat)

or with `flax.serialization.to_bytes(state.params)` to a msgpack file.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import torch
from torch import Tensor

from frostbench.baselines.lqae.model import LQAE, LQAESettings
from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.published import check_zip

ARRAY = 1  # of flax.serialization's extensions
KINDS = ("float32", "float16", "bfloat16")
SKIPPED = "lang_model/"  # prefix of the masked language model's own, unchanged weights

_LAYERS = {
    "LayerNorm_0": "norm",
    "Attention_0/Dense_0": "attention.query",
    "Attention_0/Dense_1": "attention.key",
    "Attention_0/Dense_2": "attention.value",
    "Attention_0/Dense_3": "attention.out",
    "LayerNorm_1": "norm_after",
    "GLU_0/layernorm_0": "feed_forward.norm",
    "GLU_0/fc1": "feed_forward.gate",
    "GLU_0/fc2": "feed_forward.up",
    "GLU_0/mid_ffn_conv": "feed_forward.around",
    "GLU_0/layernorm_1": "feed_forward.inner_norm",
    "GLU_0/fc_out": "feed_forward.down",
}


def load_published(path: Path, settings: LQAESettings | None = None) -> LQAE:
    """The model of a checkpoint written as above, in evaluation mode.

    Nothing may be missing or left over but the language model. The published code has special
    tokens among its codes, and so has the model unless `settings` ban them.

    Raises:
        ValueError: the file cannot be read, or does not fit the settings.
    """
    sizes = settings or LQAESettings(ban_special=False)
    model = LQAE(sizes)
    weights.fill(model, translated(read_parameters(path)), str(path))
    return model.eval()


def translated(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The networks' parameters under our names, with axes in torch's order.

    A name that is not known is kept as it is, for the error that it leads to.
    """
    kept = {name: t for name, t in parameters.items() if not name.startswith(SKIPPED)}
    return dict(_parameter(name, tensor) for name, tensor in kept.items())


def _parameter(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    network, _, rest = name.partition("/")
    match rest.split("/"):
        case ["pos_embedding"]:
            return f"{network}.positions", tensor[0]
        case ["ConvPatches_0", "patch_embeds", "kernel"]:
            return f"{network}.patches.weight", tensor.permute(3, 2, 0, 1)
        case ["ConvTranspose_0", "kernel"]:
            # Flax stores the kernel as a convolution, torch as a transposed convolution.
            return f"{network}.pixels.weight", tensor.permute(2, 3, 0, 1).flip(2, 3)
        case ["ConvTranspose_0", "bias"]:
            return f"{network}.pixels.bias", tensor
        case ["Transformer_0", block, *layers, last] if "/".join(layers) in _LAYERS:
            ours = f"{network}.blocks.{block}.{_LAYERS['/'.join(layers)]}"
            if last == "kernel":
                axes = (3, 2, 0, 1) if tensor.ndim == 4 else (1, 0)
                return f"{ours}.weight", tensor.permute(axes)
            return f"{ours}.{'weight' if last == 'scale' else last}", tensor
        case _:
            return name, tensor


def read_parameters(path: Path) -> dict[str, Tensor]:
    """Parameters by their names in Flax, of an `.npz` archive or of a msgpack file.

    Raises:
        ValueError: the file is missing, damaged, or neither.
    """
    if not path.is_file():
        raise ValueError(f"no checkpoint at {path}.")
    try:
        if not zipfile.is_zipfile(path):
            return dict(_flat(msgpack.unpackb(path.read_bytes(), ext_hook=_array, raw=False)))
        check_zip(path)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except Exception as error:  # whatever a damaged archive makes of its readers
        raise ValueError(
            f"{path} is no checkpoint written by numpy.savez or by Flax's msgpack "
            f"({type(error).__name__}: {error})."
        ) from error


def _array(code: int, content: bytes) -> Tensor:
    """One array as `flax.serialization` writes it: shape, type and bytes, in extension 1."""
    if code != ARRAY:
        raise ValueError(f"it holds extension {code}, which is no array")
    shape, kind, values = msgpack.unpackb(content, raw=False)
    if kind not in KINDS:
        raise ValueError(f"it holds an array of {kind}")
    if kind == "bfloat16":
        return torch.frombuffer(bytearray(values), dtype=torch.bfloat16).reshape(shape)
    return torch.from_numpy(np.frombuffer(values, kind).reshape(shape).copy())


def _flat(tree: Any, above: str = "") -> Iterator[tuple[str, Tensor]]:
    """The arrays of a tree under names joined by slashes, without the level called "params"."""
    if isinstance(tree, Tensor):
        yield above, tree
    elif isinstance(tree, Mapping):
        for name, branch in tree.items():
            inner = f"{above}/{name}" if above else str(name)
            yield from _flat(branch, "" if inner == "params" else inner)
    else:
        raise ValueError(f"it holds {type(tree).__name__} under {above or 'no name'}")
