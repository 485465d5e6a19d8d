"""Models that are published in layouts of their own, which no class of transformers reads."""

import json
from collections.abc import Mapping
from pathlib import Path

SAME: Mapping[str, str] = {
    "multi_modality": "the repositories deepseek-community/deepseek-vl-* hold DeepSeek-VL for it",
    "LlavaLlamaForCausalLM": "the repositories llava-hf/* hold LLaVA for it",
    "LlavaMistralForCausalLM": "the repositories llava-hf/* hold LLaVA for it",
}
"""Where the same weights are published for classes of transformers, by model type or class."""

PLUGIN = "write a plugin that offers a backbone kind (frostbench_backbones) with its code"
IN_PARTS = ("llm", "visual_encoder", "projector")


def foreign(folder: Path) -> str:
    """Why no class of transformers reads a folder, and what to do; "" where that is not known."""
    config = folder / "config.json"
    if not config.is_file() and [*folder.glob("consolidated.*.pth"), *folder.glob("params.json")]:
        return (
            f"{folder} holds a model in Meta's own format (consolidated.00.pth, params.json): take "
            "the repository whose name ends in -hf (meta-llama/Llama-2-7b-hf), or convert it with "
            "src/transformers/models/llama/convert_llama_weights_to_hf.py of transformers' "
            "source repository."
        )
    if all((folder / part).is_dir() for part in IN_PARTS):
        return (
            f"{folder} holds a multimodal model in parts ({', '.join(IN_PARTS)}), as HPT is "
            f"published, for which transformers has no class; {PLUGIN}."
        )
    return _unknown_type(config)


def _unknown_type(config: Path) -> str:
    from transformers import CONFIG_MAPPING

    try:
        said = json.loads(config.read_bytes())
        names = [str(said["model_type"]), *map(str, said.get("architectures") or ())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    same = next((SAME[name] for name in names if name in SAME), "")
    # A folder with code of its own is answered for elsewhere.
    if not same and (names[0] in CONFIG_MAPPING or "auto_map" in said):
        return ""
    return (
        f"{config} names a model of type {names[0]!r} ({', '.join(names[1:]) or 'no class'}), for "
        f"which the installed transformers has no class; {same or PLUGIN}."
    )
