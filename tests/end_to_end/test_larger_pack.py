"""`frostbench train preset=mini-m`: one command, and a pack of another size."""

import json
from random import Random

import pytest
import yaml

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run
from frostbench.packs.mini.scenes.datasets import GlyphScenes
from frostbench.plugins.host.packs import read_pack
from frostbench.plugins.host.registry import Host

NETWORK = {"channels": 8, "residual_blocks": 1, "z_channels": 16}
LEARNING = {"loss": {"perceptual_weight": 0.1}, "batch": 16, "discriminator": {"channels": 8}}
LANGUAGE = {
    "width": 32,
    "layers": 2,
    "heads": 2,
    "inner": 32,
    "longest": 640,
    "text_tokens": 800,
    "exercise_tokens": 800,
}
SMALLER = {
    "data": {"side": 96},
    "llm": {**LANGUAGE, "vocabulary": 512},
    "llama": {**LANGUAGE, "vocabulary": 400},
    "mlm": {"width": 32, "layers": 2, "heads": 2, "inner": 32, "tokens": 2560},
    "clip": {
        "embedding": 32,
        "vision_width": 8,
        "vision_layers": [1, 1, 1, 1],
        "text_width": 16,
        "text_layers": 1,
        "glyphs": 16,
        "scenes": 8,
    },
    "perceptual": {"batch": 16},
    "sam": {
        "width": 24,
        "depth": 2,
        "heads": 2,
        "prompt_width": 16,
        "decoder_inner": 32,
        "images": 2,
    },
    "mae": {
        "patch": 16,
        "width": 32,
        "layers": 2,
        "heads": 2,
        "inner": 32,
        "decoder_width": 32,
        "decoder_layers": 1,
        "decoder_heads": 2,
        "decoder_inner": 32,
        "batch": 16,
        "tuning_batch": 16,
    },
    "lmm": {
        "patch": 16,
        "width": 32,
        "layers": 2,
        "heads": 2,
        "inner": 32,
        "images": 16,
        "conversations": 16,
    },
    "v2l": {"model": {"network": NETWORK}, "training": LEARNING},
    "vqgan": {"model": {"network": NETWORK, "codes": 64, "embed_width": 8}, "training": LEARNING},
    "spae": {
        "model": {"network": NETWORK, "layers": [1, 2, 4, 12, 12], "code_projection": 8},
        "training": LEARNING,
    },
    "lqae": {
        "model": {"network": {"patch": 16, "layers": 1, "heads": 2, "inner": 32}},
        "training": {"batch": 32, "lesson_steps": 0},
    },
    "v2l_adapter": {"batch": 16},
    "lm4lv": {"each": 1},
    "lm4lv_lora": {"each": 1},
    "flmm": {"widths": [8, 8], "side": 16, "training": {"images": 2}},
    "visionllm": {
        "sizes": {
            "backbone": {"embedding": 8, "hidden": [8, 8, 16, 16], "depths": [1, 1, 1, 1]},
            "text": {"width": 16, "layers": 1, "heads": 2, "inner": 16},
            "detr": {
                "side": 96,
                "width": 32,
                "heads": 2,
                "encoder_layers": 1,
                "decoder_layers": 1,
                "inner": 16,
            },
            "fusion": {"heads": 2},
        },
        "warm_up": {"backbone_images": 16, "detector_images": 16},
    },
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A text, and the preset's parts with smaller networks in smaller.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "smaller.yaml").write_text(yaml.safe_dump({"recipe": SMALLER}))
    random = Random(0)
    words = ("a", "plain", "text", "tells", "of", "things", "and", "where", "they", "are")
    (tmp_path / "text").mkdir()
    for name in ("one.txt", "two.md"):
        parts = (" ".join(random.choices(words, k=14)) + "." for _ in range(80))
        (tmp_path / "text" / name).write_text("\n\n".join(parts))
    return tmp_path


def test_every_part_of_a_larger_pack_is_made_and_counted_and_a_run_opens_it(written, capsys):
    words = ["preset=mini-m", "config=smaller.yaml", "pack=new", "text=text", "peak=100"]
    # LM4LV's further trainings are the first one's code with other pairs or a LoRA.
    parts = [name for name in Host().recipes if not name.startswith("lm4lv_")]
    assert main(["train", *parts, *words, "rehearse=true"]) == 0
    said = capsys.readouterr().out
    trainings = {line.split()[0] for line in said.splitlines() if line.split()}
    assert {"llm", "llama", "mlm", "clip", "v2l", "visionllm-stage2", "mae-decoder"} <= trainings
    assert {"lm4lv-degradations", "lm4lv-degradations-own"} <= trainings
    assert "An estimate from counts, not measured" in said
    pack = read_pack(written / "new")
    assert (pack.name, pack.summary[:8]) == ("mini-m", "As mini,")
    assert GlyphScenes(pack.data["glyph_scenes"]).get(0, 0).image.size == (96, 96)
    assert pack.named("clip") == {"mini": "clip"}
    assert all(Host().recipes[name].card.is_done(pack.folder) for name in parts)
    card = json.loads((pack.folder / "card.json").read_text())
    assert card["llm"]["command"].startswith(
        "frostbench train llm seed=0 text=[text] rehearse=true"
    )
    assert card["vqgan"]["steps"] == 3
    run = ["methods=[v2l,spae,lqae]", "tasks=[reconstruction]", "limit=1", "controls=false"]
    assert main(["run", "pack=new", *run, "out=runs/one", "quiet=true"]) == 0
    assert not open_run(written / "runs" / "one").failed
    assert main(["train", *words, "rehearse=true"]) == 2
    assert "new has data already" in capsys.readouterr().err
