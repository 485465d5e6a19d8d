"""From official files to a table by commands alone, on stand-ins of small sizes."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image as Pillow

from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.bench.cli import main
from frostbench.bench.cli.pack_parts import read_parts
from frostbench.bench.store.reader import open_run
from frostbench.plugins.host.errors import UserNote
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.autoencoder.settings import TINY


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A VQ-GAN checkpoint, a language model's folder and ImageNet's layout, all tiny."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "published"
    root.mkdir()
    torch.manual_seed(0)
    model = VQGAN(VQGANSettings(TINY, codes=32, embed_width=4))
    torch.save({"state_dict": model.state_dict()}, root / "last.ckpt")
    llm = toys.backbones().get("llm")
    llm.model.save_pretrained(root / "llm")
    llm.tokenizer.save_pretrained(root / "llm")
    (root / "imagenet" / "val").mkdir(parents=True)
    lines = []
    for number in range(6):
        name = f"val/ILSVRC2012_val_{number:08d}.JPEG"
        Pillow.effect_noise((90, 70), 80).convert("RGB").save(root / "imagenet" / name)
        lines.append(f"{name},{number}")
    (root / "imagenet" / "class_labels.txt").write_text("\n".join(lines) + "\n")
    return root


def test_a_table_from_official_files_by_commands_alone(root, tmp_path, capsys):
    assert main(["run", "pack=paper", f"out={tmp_path / 'no'}"]) == 2
    assert "not put together yet" in capsys.readouterr().err
    assert main(["pack", "paper", f"root={root}"]) == 0
    said = capsys.readouterr().out
    assert "vqgan: converting" in said
    assert "parity: " in said
    assert "preset vqgan-rfid: lacks inception-v3-pt" in said
    assert "preset v2l-table1: lacks clip, v2l, v2l_episodes" in said
    pack = json.loads((root / "pack.json").read_text())
    assert set(pack["backbones"]) == {"llm"}
    assert set(pack["methods"]) == {"vqgan"}
    out = tmp_path / "run"
    words = ["limit=2", "method.vqgan.image_size=16", "controls=false", "quiet=true"]
    metrics = "task.reconstruction.metrics=['psnr[rgb]']"
    asked = ["run", "preset=vqgan-rfid", *words, metrics, f"out={out}", "data.imagenet_val.side=16"]
    assert main([*asked, f"data.imagenet_val.folder={root / 'imagenet'}"]) == 0
    manifest = open_run(out).manifest
    assert manifest.pack.name == "paper"
    assert len(list(open_run(out).records())) == 2


def test_default_metrics_do_without_networks_that_the_pack_lacks(root, tmp_path, capsys):
    assert main(["pack", "paper", f"root={root}"]) == 0
    out = tmp_path / "run"
    asked = ["run", f"pack={root}", "tasks=reconstruction", "limit=1", "controls=false"]
    images = [f"data.images.folder={root / 'imagenet'}", "data.images.side=16"]
    where = [*images, f"out={out}", "quiet=true"]
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserNote)
        assert main([*asked, "method.vqgan.image_size=16", *where]) == 0
    said = capsys.readouterr().err
    assert "scored without lpips[mini] and fid[mini]: the pack has no perceptual." in said
    shown = open_run(out).manifest.tasks["reconstruction"].metrics
    assert shown == ("psnr[rgb]", "ssim[rgb]", "psnr[y]")
    named = "task.reconstruction.metrics=['lpips[mini]']"
    assert main([*asked, "method.vqgan.image_size=16", *where, named, "again=true"]) != 0


def test_what_is_converted_is_not_converted_again_and_what_fails_keeps_the_rest(root, capsys):
    (root / "pytorch_model.pt").write_bytes(b"no checkpoint")
    assert main(["pack", "paper", f"root={root}"]) == 1
    caught = capsys.readouterr()
    assert "frostbench: lm4lv: " in caught.err
    (root / "pytorch_model.pt").unlink()
    assert main(["pack", "paper", f"root={root}"]) == 0
    assert "vqgan: there, converted before" in capsys.readouterr().out
    assert not list(root.glob("*.unfinished"))


def test_what_a_pack_consists_of_is_told_without_a_root(capsys):
    assert main(["pack", "paper"]) == 0
    said = capsys.readouterr().out
    assert "backbone llm: huggingface.co/meta-llama/Llama-2-7b-hf (Llama 2 Community" in said
    assert main(["pack", "mini"]) == 2
    assert "complete as it is" in capsys.readouterr().err


def test_parts_name_presets_converters_and_kinds_that_there_are():
    host = Host()
    parts = read_parts(Path(host.packs["paper"].card.parts))
    for name, part in parts.items():
        assert set(part.tables) <= set(host.presets)
        assert not part.convert or part.convert in host.converters
        places = [place for choice in part.files.values() for place in choice]
        assert part.hub is None or part.hub.folder in places
        names = {Path(place).name for place in places} | set(part.hub.files if part.hub else ())
        assert set(part.published) <= names
        assert all(len(facts.sha256) in (0, 64) for facts in part.published.values())
        match part.role:
            case "backbone" | "alternative":
                assert part.kind in host.backbones
                assert part.instead_of in ("", *parts)
            case "method":
                assert name in host.methods
            case "weights":
                assert part.convert in host.methods
            case "metric":
                assert name in {item.card.weights for item in host.metrics.values()}
            case "data":
                assert name in host.datasets
        if part.convert:
            known = {file.name: file.needed for file in host.converters[part.convert].card.files}
            assert set(part.files) <= set(known)
            assert {file for file, needed in known.items() if needed} <= set(part.files)
