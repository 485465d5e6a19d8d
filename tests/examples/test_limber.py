import pytest
import torch

import limber
from frostbench.bench.cli import main
from frostbench.plugins.contract.images import as_batch
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.requests import images
from frostbench.plugins.parts.prefix import PrefixSettings
from frostbench.plugins.parts.prefix.features import features
from frostbench.plugins.parts.training import folder as stored
from limber import PUBLISHED, Limber

# The layouts of the authors' projections, as image_prefix.py makes them: CLIP's cells have one
# vector each, NF-ResNet's pooled feature has several in a row. Here at the widths of the toys.
LAYOUTS = {"cells": (32, 1), "pooled": (16, 2)}


@pytest.mark.parametrize("pooling", LAYOUTS)
def test_the_authors_projections_become_a_folder_that_answers(tmp_path, pooling):
    width, vectors = LAYOUTS[pooling]
    layer = torch.nn.Linear(width, 32 * vectors)
    torch.save(layer.state_dict(), tmp_path / "proj.ckpt")
    words = ["limber", str(tmp_path / "proj.ckpt"), f"out={tmp_path / 'out'}", "llm_width=32"]
    assert main(["convert", *words, f"pooling={pooling}", f"plugins={limber.__file__}"]) == 0
    sizes = stored.stored_settings(tmp_path / "out", PrefixSettings())
    assert sizes == PrefixSettings(width, 32, pooling, vectors, prompting=PUBLISHED)
    method = Limber.build(Setup(toys.backbones(), weights=tmp_path / "out"))
    batch = as_batch(images()[:1])
    made = method.tokenize(*batch).parts["prefix"].features
    seen = features(toys.clip(), pooling, *batch)
    # Row r of a weight is number r % 32 of vector r // 32.
    torch.testing.assert_close(made, layer(seen).reshape(1, -1, 32).detach())


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"weight": torch.zeros(30, 4), "bias": torch.zeros(30)}, "no vectors of 32"),
        ({"weight": torch.zeros(32, 4)}, "no linear layer but weight"),
    ],
)
def test_another_file_is_refused(tmp_path, state, said, capsys):
    torch.save(state, tmp_path / "proj.ckpt")
    words = [str(tmp_path / "proj.ckpt"), f"out={tmp_path / 'out'}", "llm_width=32"]
    assert main(["convert", "limber", *words, f"plugins={limber.__file__}"]) != 0
    assert said in capsys.readouterr().err
