import json

import pytest

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.lmm import LMM

NO_CLASS = "for which the installed transformers has no class"


@pytest.mark.parametrize(
    ("kind", "architecture", "advice"),
    [
        ("mgm", "MGMLlamaForCausalLM", "write a plugin that offers a backbone kind"),
        ("multi_modality", "MultiModalityCausalLM", "deepseek-community/deepseek-vl-"),
        ("llava", "LlavaLlamaForCausalLM", "llava-hf/"),
    ],
)
def test_a_model_without_a_class_in_transformers_is_refused_with_what_there_is_instead(
    tmp_path, kind, architecture, advice
):
    said = {"model_type": kind, "architectures": [architecture]}
    (tmp_path / "config.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match=NO_CLASS) as refused:
        LMM.load(BackboneEntry("lmm", "lmm", str(tmp_path)))
    for part in (str(tmp_path / "config.json"), repr(kind), architecture, advice):
        assert part in str(refused.value)


def test_hpt_in_three_folders_is_refused(tmp_path):
    for part in ("llm", "visual_encoder", "projector"):
        (tmp_path / part).mkdir()
    (tmp_path / "config.json").write_text("")  # empty where it is published
    with pytest.raises(
        ValueError, match=r"\(llm, visual_encoder, projector\), as HPT is published"
    ):
        LMM.load(BackboneEntry("lmm", "lmm", str(tmp_path)))


@pytest.mark.parametrize("name", ["params.json", "consolidated.00.pth"])
def test_a_llama_in_metas_format_is_refused_with_the_script_that_converts_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ValueError, match=r"Meta's own format .*convert_llama_weights_to_hf\.py"):
        CausalLM.load(BackboneEntry("llm", "causal_lm", str(tmp_path)))
