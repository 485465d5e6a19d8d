"""A model over several devices answers as it does on one, and stays frozen."""

from dataclasses import replace

import multimodal_models
import pytest
import torch
from language_models import One, language_model, model, tokenizer
from pretended import There, pretended
from torch import Tensor

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones, device_map
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter, save_adapter
from frostbench.plugins.backbones.certificate import Certificate
from frostbench.plugins.backbones.checksum import fingerprints
from frostbench.plugins.backbones.device_map import asked_map, shared_among, spread
from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.backbones.surroundings import Surroundings
from frostbench.plugins.contract.completions import Cost, Failed
from frostbench.plugins.contract.prompts import (
    Adapter,
    Attend,
    Choose,
    Fill,
    Generate,
    Ids,
    Prompt,
    Regress,
    Text,
    Vectors,
)
from frostbench.plugins.engine import FrozenEngine

FIRST, SECOND = torch.device("xpu", 0), torch.device("xpu", 1)
CUT = {"": SECOND, "model.embed_tokens": FIRST, "model.layers.0": FIRST}


def prompts():
    draw = torch.Generator().manual_seed(1)
    vectors, groups = torch.randn(6, 32, generator=draw), torch.randn(2, 2, 32, generator=draw)
    return [
        Prompt((Text("cat sat on"),), Generate(4)),
        Prompt((Text("a"), Vectors(vectors)), Generate(3)),
        Prompt((Ids((5, 6, 7, 8, 9)),), Choose(("cat", "dog house", "a"))),
        Prompt((Ids((5, 6, 7, 8, 9)),), Attend((3, 4), (1, 2))),
        Prompt((Vectors(vectors),), Regress(3, lambda features: 0.1 * features)),
        Prompt((Text("cat sat on the mat"),), Fill(groups)),
    ]


def plain(completion):
    """A completion without its cost, with all tensors on the host."""
    values = vars(replace(completion, cost=Cost()))
    return {name: one.cpu() if isinstance(one, Tensor) else one for name, one in values.items()}


def alike(given, wanted):
    for one, other in zip(map(plain, given), map(plain, wanted), strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            if isinstance(value, Tensor):
                torch.testing.assert_close(value, other[name])
            else:
                assert value == pytest.approx(other[name]), name


@pytest.mark.parametrize("family", ["llama", "lfm2"])
def test_every_ask_is_answered_as_on_one_device(family):
    whole = FrozenEngine(One(language_model(family)))
    wanted = whole.run(prompts())
    assert not any(isinstance(one, Failed) for one in wanted)
    with pretended("xpu"):
        lm = language_model(family)
        spread(lm.model, CUT)
        assert lm.devices == (FIRST, SECOND)
        engine = FrozenEngine(One(lm))
        given = engine.run(prompts())
        assert engine.traits("llm") == whole.traits("llm")
        assert engine._engine("llm", None).halo == whole._engine("llm", None).halo
        tensors = [x for one in given for x in vars(one).values() if isinstance(x, There)]
        assert {one.device for one in tensors} == {FIRST}
        alike(given, wanted)
        assert fingerprints(lm.model) == fingerprints(model(family))


def test_images_are_seen_on_the_device_of_the_vision_tower():
    asked = [
        multimodal_models.prompt(["a ", multimodal_models.picture(30, 50), "sat"], Generate(4))
    ]
    wanted = FrozenEngine(One(multimodal_models.lmm("llava"))).run(asked)
    with pretended("xpu"):
        network, processor = multimodal_models.model("llava"), multimodal_models.processor("llava")
        spread(network, {"": FIRST, "model.vision_tower": SECOND, "lm_head": SECOND})
        lm = LMM(network, processor)  # which holds the network's own forward against ours
        assert lm.devices == (FIRST, SECOND)
        alike(FrozenEngine(One(lm)).run(asked), wanted)


def test_an_adapter_lies_where_the_layers_are_that_it_adds_to(tmp_path):
    trained = new_adapter(language_model("llama"), LoraSettings())
    with torch.no_grad():
        for name, parameter in trained.named_parameters():
            if "lora" in name:
                parameter.normal_(0, 0.5, generator=torch.Generator().manual_seed(3))
    save_adapter(trained, tmp_path / "lora")
    asked = [replace(one, adapter=Adapter("mine", tmp_path / "lora")) for one in prompts()[:3]]
    wanted = FrozenEngine(One(language_model("llama"))).run(asked)
    with pretended("xpu"):
        lm = language_model("llama")
        spread(lm.model, CUT)
        engine = FrozenEngine(One(lm))
        alike(engine.run(asked), wanted)
        (adapted,) = engine.held().values()
        named = dict(adapted.model.named_parameters())
        for name, device in (("0", FIRST), ("1", SECOND)):
            of_layer = {x.device for key, x in named.items() if f"layers.{name}." in key}
            assert of_layer == {device}


HERE, ALSO = torch.device("cpu"), torch.device("cpu", 0)  # one device under two names


def test_a_spread_model_is_certified_and_answering_changes_nothing_of_it(monkeypatch):
    lm = language_model("llama")
    spread(lm.model, {"": HERE, "model.layers.1": ALSO, "lm_head": ALSO})
    certificate, before = Certificate(lm), fingerprints(lm.model)
    around = Surroundings()
    around.cover("llm", certificate.classes)
    wanted = FrozenEngine(One(language_model("llama"))).run(prompts())
    alike(FrozenEngine(One(lm)).run(prompts()), wanted)
    assert certificate.holds()
    assert fingerprints(lm.model) == before
    assert around.hold()
    monkeypatch.setattr(device_map, "_brought", lambda value, device: value)
    assert "'_brought' of module" in around.changes("llm")[0]
    lm.model.model.layers[1]._forward_pre_hooks.clear()
    assert certificate.changes() == ["a forward pre-hook was removed from 'model.layers.1'"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("llm")
    model("llama").save_pretrained(place)
    tokenizer().save_pretrained(place)
    return place


def loaded(folder, given, dtype="float32"):
    entry = BackboneEntry("llm", "causal_lm", str(folder), dtype, {"device_map": given})
    return SharedBackbones([entry]).get("llm")


def test_a_backbone_is_loaded_as_its_setting_says(folder):
    lm = loaded(
        folder, {"model": {"embed_tokens": "cpu", "layers": "cpu", "norm": "cpu"}, "": "cpu"}
    )
    assert len(lm.model._forward_pre_hooks) == 1
    wanted = FrozenEngine(One(language_model("llama"))).run(prompts())
    alike(FrozenEngine(One(lm)).run(prompts()), wanted)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("auto", "device_map=auto shares a model among cards, and there are none"),
        ("everywhere", "device_map is one of auto, balanced, .*, not 'everywhere'"),
        ({}, "or a device for each module"),
        ({"": "cuda:7"}, "device_map.=cuda:7: no device named 'cuda:7'; there are cpu"),
        ({"": 3}, "no device named 'cuda:3'"),
        ({"": "cpu", "lm_head": "disk"}, "device_map.lm_head=disk: weights that wait on a disk"),
        ({"model": "cpu"}, "device_map puts 'lm_head.weight' nowhere"),
        ({"": "cpu", "model.layers.9": "cpu"}, "no part of the model named 'model.layers.9'"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_in_a_sentence_that_names_the_backbone(
    folder, given, reason
):
    with pytest.raises(ValueError, match=f"^backbone 'llm': .*{reason}") as found:
        loaded(folder, given)
    assert "\n" not in str(found.value)


def test_what_must_stay_together_is_not_put_apart():
    with pytest.raises(ValueError, match=r"puts parts of 'model\.layers\.0' on cpu and cpu:0"):
        spread(model("llama"), {"": HERE, "model.layers.0.mlp": ALSO})
    with pytest.raises(ValueError, match=r"'transformer\.wte\.weight' and 'lm_head\.weight' apart"):
        spread(model("gpt2"), {"": HERE, "lm_head": ALSO})


def test_parts_that_would_wait_in_the_host_for_their_turn_are_refused(monkeypatch):
    monkeypatch.setattr(device_map, "device_of", torch.device)
    with pytest.raises(
        ValueError, match=r"puts parts on cpu and cuda; .* could not be held frozen"
    ):
        asked_map({"model": "cuda:0", "lm_head": "cpu"})
    assert asked_map({"model": {"layers": {"0": 1}}, "lm_head": "0"}) == {
        "model.layers.0": torch.device("cuda", 1),
        "lm_head": torch.device("cuda", 0),
    }


@pytest.mark.parametrize("word", ["auto", "sequential"])
def test_a_model_is_shared_among_cards_by_their_room(word):
    with torch.device("meta"):
        large = model("llama")
    size = sum(p.numel() for p in large.parameters()) * 4
    cards = [torch.device("cuda", number) for number in range(3)]
    found = shared_among(dict.fromkeys(cards, int(0.6 * size)), word, large, torch.float32)
    assert len(set(found.values())) > 1
    device_map._check_and_home(large, found)
    with pytest.raises(ValueError, match=r"0.0 GB of weights do not fit on cuda:0 \(0.0 GB free"):
        shared_among(dict.fromkeys(cards, int(0.1 * size)), word, large, torch.float32)
