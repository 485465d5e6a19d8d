import json
import math
from dataclasses import replace

import pytest
import torch
from visionllm_world import LORA, SIZES, STAGE, TINY, ColouredSquares, toy_llm

from frostbench.baselines.visionllm.lessons import (
    InstructionLessons,
    LessonSettings,
    Mixture,
    resampled,
)
from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.recipe import train_on
from frostbench.baselines.visionllm.scenes import ScenePool
from frostbench.baselines.visionllm.training import StageTraining
from frostbench.baselines.visionllm.warm_up import name_vectors
from frostbench.baselines.visionllm.weights import load
from frostbench.baselines.visionllm.wording import InstructionWording
from frostbench.plugins.backbones.adapters import new_adapter
from frostbench.plugins.contract.recipe import NamedScenes, Workshop
from frostbench.plugins.kit import toys

NAMES = ColouredSquares().names("base")
BRIEF = InstructionWording(detection=("find <class> in <image>:",), opening="{", colon=" ")


def training(folder, stage=STAGE, wording=BRIEF, scenes=4):
    lm = toy_llm()
    with toys.seeded():
        model = VisionLLM(SIZES)
        model.tokenizer.detr.unfreeze_backbone()
        adapted = new_adapter(lm, LORA)
    pool = ScenePool(ColouredSquares(), "base", scenes, 0, folder)
    lessons = InstructionLessons(NAMES, wording, stage.lessons, SIZES.vocabulary.half_range, 0)
    words = name_vectors(lm, NAMES, " ")
    return StageTraining(model, lm, adapted, lessons, pool, NAMES, words, stage)


def state_of(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_the_language_model_is_bit_for_bit_the_same_after_steps_and_all_else_has_moved(tmp_path):
    stage = replace(STAGE, lessons=replace(STAGE.lessons, mixture=Mixture(1.0, 1.0, 1.0, 1.0, 1.0)))
    trained = training(tmp_path, stage)
    frozen, own = state_of(trained.lm.model), state_of(trained.model)
    for index in range(8):
        trained.step(index)
    after = trained.lm.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in frozen.items())
    lora = [p for name, p in trained.adapted.named_parameters() if "lora_B" in name]
    assert lora
    assert all(p.any() for p in lora)
    # The text encoder is no exception: frozen, it fails in the paper. Frozen batch statistics,
    # and what is behind the gate's first step, may stay.
    moved = trained.model.state_dict()
    stayed = {name for name, tensor in own.items() if torch.equal(tensor, moved[name])}
    assert not {name for name in stayed if name.startswith(("words", "project", "where", "scale"))}
    assert not {name for name in stayed if "fusion" in name and "gate" in name}
    assert any("text" in name for name in set(own) - stayed)


def test_a_frozen_backbone_stays_and_is_not_looked_through(tmp_path):
    trained = training(tmp_path, replace(STAGE, backbone_share=0.0))
    backbone = state_of(trained.model.tokenizer.detr.backbone)
    trained.step(0)
    after = trained.model.tokenizer.detr.backbone.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in backbone.items())


def test_two_images_are_learned_until_every_tuple_is_right(tmp_path):
    stage = replace(
        STAGE,
        steps=200,
        rate=5e-3,
        lessons=LessonSettings(classes=(3, 3), asked=1.0, prompt=0),
        tuples=replace(STAGE.tuples, none=1.0, spread=0.0),
        naming=0.0,
        clip=5.0,
    )
    trained = training(tmp_path, stage, scenes=2)
    lesson = trained.lessons(0, trained.pool(0, 2))
    trained.lessons = lambda step, scenes: lesson
    first = trained.step(0)
    last = {}
    for index in range(1, stage.steps):
        last = trained.step(index)
    assert last["detection right"] == last["detection fit"] == last["detection quiet"] == 1
    for name in ("detection class", "detection mean", "token centre"):
        assert last[name] < 0.1 * first[name], name
    assert last["detection place"] < 0.2 * first["detection place"]


def test_lessons_are_the_same_for_a_step_and_their_dictionaries_are_shuffled(tmp_path):
    pool = ScenePool(ColouredSquares(), "base", 4, 0, tmp_path)
    lessons = InstructionLessons(NAMES, BRIEF, LessonSettings(classes=(3, 3), asked=1.0), 32, 0)
    scenes = pool(0, 4)
    assert lessons(3, scenes).prompts == lessons(3, scenes).prompts
    orders = {lessons(step, scenes).prompts[0] for step in range(40)}
    assert len(orders) == math.factorial(3)
    for step in range(5):
        lesson = lessons(step, scenes)
        assert lesson.wanted is not None
        assert lesson.shown is not None
        start = 0
        for scene, parts, rows in zip(scenes, lesson.prompts, lesson.shown, strict=True):
            listed = [part for part in parts if part in NAMES]
            for row in rows:
                assert listed[lesson.wanted.classes[start]] == scene.names[row]
                corners = lesson.wanted.points[start].flatten()
                assert torch.equal(corners, scene.boxes[row])
                start += 1


def test_classes_that_a_prompt_does_not_name_are_no_targets(tmp_path):
    pool = ScenePool(ColouredSquares(), "base", 4, 0, tmp_path)
    lessons = InstructionLessons(NAMES, BRIEF, LessonSettings(classes=(1, 1), asked=0.0), 32, 0)
    lesson = lessons(0, pool(0, 4))
    assert lesson.wanted is not None
    assert lesson.wanted.counts == (0, 0, 0, 0)
    for scene, parts in zip(pool(0, 4), lesson.prompts, strict=True):
        assert not set(scene.names) & set(parts)


def test_fewer_points_of_a_contour_lie_on_it():
    square = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])
    assert torch.equal(resampled(square, 4), square)
    assert resampled(square, 8)[0, 1].tolist() == [0.5, 0.0]
    assert resampled(square, 2)[0].tolist() == [[0.0, 0.0], [1.0, 1.0]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    at = tmp_path_factory.mktemp("visionllm")
    shop = Workshop(at / "pack", at / "scratch", offered={"boxed": lambda _: ColouredSquares()})
    return shop, train_on(shop, TINY, toys.backbones())


def test_a_recipe_leaves_weights_that_load_and_figures_of_them(trained):
    shop, report = trained
    assert isinstance(ColouredSquares(), NamedScenes)
    assert report.steps == TINY.first.steps + TINY.second.steps
    kept = load(shop.pack / "visionllm")
    assert kept.wording == TINY.wording
    assert kept.model.settings == SIZES
    assert not kept.model.training
    kinds = {
        "AP50",
        "mask AP50",
        "said, asked",
        "said, not asked",
        "grounding P@0.5",
        "question exact",
        "caption exact",
    }
    splits = ("base", "validation", "novel")
    assert set(report.figures) == {f"{kind} [{split}]" for kind in kinds for split in splits}
    assert all(0 <= value <= 1 for value in report.figures.values())
    assert all(math.isfinite(v) for _, values in report.history for v in values.values())
    json.dumps(report.settings)


def test_a_training_stopped_midway_and_resumed_equals_one_that_ran_through(
    trained, tmp_path, monkeypatch
):
    shop, through = trained
    again = Workshop(tmp_path / "pack", tmp_path / "scratch", offered=shop.offered)
    whole = StageTraining.step
    done = []

    def tired(training, index):
        done.append(index)
        if len(done) == TINY.first.steps + 4:
            raise KeyboardInterrupt
        return whole(training, index)

    monkeypatch.setattr(StageTraining, "step", tired)
    with pytest.raises(KeyboardInterrupt):
        train_on(again, TINY, toys.backbones())
    monkeypatch.undo()
    assert train_on(again, TINY, toys.backbones()).figures == through.figures
    for one in sorted((shop.pack / "visionllm").rglob("*.safetensors")):
        other = again.pack / one.relative_to(shop.pack)
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_training_goes_on_from_a_folder_without_a_warm_up(trained, tmp_path):
    shop, _ = trained
    on = Workshop(tmp_path / "pack", tmp_path / "scratch", offered=shop.offered)
    start = str(shop.pack / "visionllm")
    none = replace(TINY.first, steps=0)
    train_on(on, replace(TINY, start=start, first=none, second=none), toys.backbones())
    for one in sorted((shop.pack / "visionllm").rglob("*.safetensors")):
        assert one.read_bytes() == (on.pack / one.relative_to(shop.pack)).read_bytes(), one.name


def test_weights_without_their_adapter_are_refused(trained, tmp_path):
    shop, _ = trained
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).write_bytes((shop.pack / "visionllm" / file).read_bytes())
    with pytest.raises(ValueError, match="LoRA"):
        load(tmp_path)
