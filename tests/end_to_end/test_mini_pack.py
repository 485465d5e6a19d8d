import hashlib
import json
from pathlib import Path
from random import Random

import pytest
import torch

from frostbench.packs.mini.scenes.datasets import RestorationImages
from frostbench.plugins.backbones import SharedBackbones
from frostbench.plugins.contract.method import Setup
from frostbench.plugins.contract.prompts import Generate, Ids, Prompt
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.host.packs import embedded_pack, read_pack
from frostbench.plugins.host.registry import Host

PACK = embedded_pack("mini")


@pytest.fixture(scope="module")
def pack():
    return read_pack(PACK)


@pytest.fixture(scope="module")
def backbones(pack):
    host = Host()
    kinds = {name: item.load() for name, item in host.backbones.items()}
    return SharedBackbones(pack.backbones.values(), "cpu", kinds)


def test_the_card_names_every_file_with_its_sha256():
    card = json.loads((PACK / "card.json").read_text())
    named = {
        file: facts["sha256"] for part in card.values() for file, facts in part["files"].items()
    }
    for file, sha in named.items():
        assert hashlib.sha256((PACK / file).read_bytes()).hexdigest() == sha, file
    weights = {str(path.relative_to(PACK)) for path in PACK.rglob("*.safetensors")}
    assert weights <= set(named)


@pytest.mark.parametrize("name", ["vqgan", "v2l"])
def test_test_images_are_recognisable_in_a_methods_tokens(name, pack, backbones):
    method = Host().pick("method", name).load().build(Setup(backbones, pack.method(name).weights))
    pictures = RestorationImages(Path(pack.data["restoration_pictures"]))
    images = torch.stack([pictures.get(0, i).image.pixels for i in range(12)])
    tokens = method.tokenize(images, torch.tensor([images.shape[2:]] * len(images)))
    again = method.render(tokens).clamp(0, 1)
    decibels = -10 * (images - again).square().flatten(1).mean(1).log10()
    flat = images.mean((2, 3), keepdim=True).expand_as(images)
    floor = -10 * (images - flat).square().flatten(1).mean(1).log10()
    assert decibels.mean() > 18
    assert decibels.mean() > floor.mean() + 2


def test_the_landed_language_model_answers_alone_as_in_a_batch(backbones):
    draw = Random(0)
    prompts = [
        Prompt(query=(Ids(tuple(draw.choices(range(3, 2048), k=k))),), ask=Generate(8))
        for k in (1, 2, 7, 7, 30, 31)
    ]
    engine = FrozenEngine(backbones)
    together = engine.run(prompts)
    alone = [engine.run([prompt])[0] for prompt in prompts]
    assert [answer.ids for answer in together] == [answer.ids for answer in alone]
