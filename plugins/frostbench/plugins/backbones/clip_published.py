"""Published CLIPs, in OpenAI's and in transformers' layout, as a folder that open_clip reads."""

import json
import math
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frostbench.plugins.backbones import precision, weights
from frostbench.plugins.backbones.published import read_state
from frostbench.plugins.contract.converter import Conversion, Converted

HEAD_WIDTH = 64  # of every attention head that OpenAI published
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIZES = ("input_resolution", "context_length", "vocab_size")
"""Names in OpenAI's archives that are no weights."""

ACTIVATIONS = {"quick_gelu": True, "gelu": False}

_LAYER = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_PLAIN = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "logit_scale": "logit_scale",
}


def convert(conversion: Conversion) -> Converted:
    """Read OpenAI's archive (ViT-L-14.pt) or transformers' folder (clip-vit-large-patch14).

    OpenAI's weights compute QuickGELU, and a folder says what its own do; of a state dict without
    either, `activation` must be given.

    Raises:
        ValueError: it cannot be read, is no CLIP with a vision transformer, or the activation that
            its weights were trained with is not known.
    """
    path = conversion.files["clip"]
    asked = dict(conversion.settings)
    activation = asked.pop("activation", "")
    if activation not in ("", *ACTIVATIONS) or asked:
        raise ValueError(
            f"a CLIP is converted with activation={' or '.join(ACTIVATIONS)}, and no other setting."
        )
    if path.is_dir():
        state, known, heads = _of_transformers(path)
    else:
        state, known, heads = _of_openai(path)
    if activation and known and activation != known:
        raise ValueError(f"{path} computes {known}, and activation={activation} was asked for.")
    chosen = activation or known
    if not chosen:
        raise ValueError(
            f"nothing in {path} says whether its weights were trained with QuickGELU, as OpenAI's, "
            "or GELU, as open_clip's; give activation=quick_gelu or activation=gelu."
        )
    config = {
        "model_cfg": model_of(state, ACTIVATIONS[chosen], heads, path),
        "preprocess_cfg": {
            "mean": MEAN,
            "std": STD,
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }
    file = conversion.out / "open_clip_model.safetensors"
    precision.write(file, state, conversion.precision)
    text = json.dumps(config, indent=2) + "\n"
    (conversion.out / "open_clip_config.json").write_text(text, encoding="utf-8")
    return Converted(state, (), (f"Its activation is {chosen}.",))


def is_script(path: Path) -> bool:
    """Whether a file is an archive of TorchScript, as OpenAI published its CLIPs."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _of_openai(path: Path) -> tuple[dict[str, Tensor], str, tuple[int, int] | None]:
    """Tensors, the activation that goes with them, and nothing about heads."""
    if not is_script(path):
        return _without_sizes(read_state(path, ("state_dict",))), "", None
    try:
        # The archive's code is compiled for TorchScript's own interpreter, and none of it is run.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that TorchScript has no future
            held = torch.jit.load(str(path), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a damaged archive makes of its reader
        raise ValueError(f"{path} is cut short or no archive of a CLIP: {error}") from error
    return _without_sizes(held), "quick_gelu", None


def _without_sizes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if name not in SIZES}


def _of_transformers(folder: Path) -> tuple[dict[str, Tensor], str, tuple[int, int] | None]:
    """Tensors under open_clip's names, the activation, and the heads of both towers."""
    try:
        said = json.loads((folder / "config.json").read_bytes())
        vision, text = said["vision_config"], said["text_config"]
        acts = {str(part.get("hidden_act", "quick_gelu")) for part in (vision, text)}
        heads = (
            int(vision.get("num_attention_heads", 12)),
            int(text.get("num_attention_heads", 8)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} holds no CLIP of transformers: {error!r}.") from error
    if len(acts) != 1 or not acts <= set(ACTIVATIONS):
        raise ValueError(f"{folder}: its activations are {', '.join(sorted(acts))}, not one known.")
    file = folder / "model.safetensors"
    given = (
        weights.read(file)
        if file.is_file()
        else read_state(folder / "pytorch_model.bin", ("state_dict",))
    )
    return renamed(given), acts.pop(), heads


def renamed(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of transformers' CLIPModel under open_clip's names.

    A name that is not known is kept as it is, for the error that it leads to.
    """
    state: dict[str, Tensor] = {}
    joint: dict[str, dict[str, Tensor]] = {}
    for name, tensor in given.items():
        if name.endswith("position_ids"):
            continue
        found = re.fullmatch(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(\w+)", name)
        if found is None:
            if name in ("visual_projection.weight", "text_projection.weight"):
                ours = "visual.proj" if name.startswith("visual") else "text_projection"
                state[ours] = tensor.T.contiguous()
            else:
                state[_PLAIN.get(name, name)] = tensor
            continue
        tower, number, part, kind = found.groups()
        block = f"{'visual.' if tower == 'vision' else ''}transformer.resblocks.{number}"
        if part.startswith("self_attn.") and part[-6] in "qkv":
            joint.setdefault(f"{block}.attn.in_proj_{kind}", {})[part[-6]] = tensor
        else:
            state[f"{block}.{_LAYER.get(part, part)}.{kind}"] = tensor
    for name, parts in joint.items():
        state[name] = torch.cat([parts[letter] for letter in "qkv" if letter in parts])
    return state


def model_of(
    state: Mapping[str, Tensor], quick: bool, heads: tuple[int, int] | None, path: Path
) -> dict[str, Any]:
    """open_clip's configuration of a state dict.

    Raises:
        ValueError: it is none of a CLIP with a vision transformer.
    """
    try:
        width, _, patch, _ = state["visual.conv1.weight"].shape
        grid = math.isqrt(len(state["visual.positional_embedding"]) - 1)
        text_width = len(state["ln_final.weight"])
        seen, read = heads or (width // HEAD_WIDTH, text_width // HEAD_WIDTH)
        if not seen or not read:
            raise ValueError(f"its towers are narrower than a head of {HEAD_WIDTH}")
        return {
            "embed_dim": state["text_projection"].shape[1],
            "quick_gelu": quick,
            "vision_cfg": {
                "image_size": patch * grid,
                "layers": _layers(state, "visual."),
                "width": width,
                "head_width": width // seen,
                "patch_size": patch,
            },
            "text_cfg": {
                "context_length": len(state["positional_embedding"]),
                "vocab_size": len(state["token_embedding.weight"]),
                "width": text_width,
                "heads": read,
                "layers": _layers(state, ""),
            },
        }
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path} holds no CLIP with a vision transformer ({error}); CLIPs with a ResNet are "
            "not converted."
        ) from None


def _layers(state: Mapping[str, Tensor], tower: str) -> int:
    head = f"{tower}transformer.resblocks."
    return len({name[len(head) :].split(".")[0] for name in state if name.startswith(head)})
