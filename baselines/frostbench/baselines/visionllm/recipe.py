"""The recipe that trains VisionLLM on a pack's scenes: warm-up, then the paper's two stages."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from frostbench.baselines.visionllm.figures import Examiner
from frostbench.baselines.visionllm.lessons import InstructionLessons
from frostbench.baselines.visionllm.mini import VisionLLMRecipe
from frostbench.baselines.visionllm.model import VisionLLM
from frostbench.baselines.visionllm.scenes import ScenePool, ShownScene
from frostbench.baselines.visionllm.text import (
    TextReader,
    begin_text,
    bert_sizes,
    language_reader,
    load_bert,
    tokenizer_reader,
)
from frostbench.baselines.visionllm.training import StageTraining
from frostbench.baselines.visionllm.warm_up import (
    BackboneTraining,
    BackboneWarmUp,
    DetectorTraining,
    name_vectors,
)
from frostbench.baselines.visionllm.weights import TrainedVisionLLM, load
from frostbench.baselines.visionllm.weights import save as stored_model
from frostbench.plugins.backbones.adapters import adapted as over
from frostbench.plugins.backbones.adapters import new_adapter, stored_adapter
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.shared import SharedBackbones
from frostbench.plugins.contract.method import Backbones
from frostbench.plugins.contract.recipe import Report, Workshop
from frostbench.plugins.parts.training import folder as stored
from frostbench.plugins.parts.training import loop as recipe

UNSEEN = 7_777  # distance between the seeds of training scenes and of others


def train(workshop: Workshop) -> Report:
    """Train, store the weights in `pack/visionllm`, and measure what is stored.

    Raises:
        ValueError: the language model or the scenes are missing, or a setting is unknown.
    """
    settings = stored.override(VisionLLMRecipe(), workshop.settings, "visionllm")
    entries = [BackboneEntry("llm", "causal_lm", str(workshop.pack / "llm"))]
    return train_on(workshop, settings, SharedBackbones(entries, workshop.device))


def train_on(workshop: Workshop, settings: VisionLLMRecipe, backbones: Backbones) -> Report:
    """Train with checked settings, beside a loaded language model."""
    lm: CausalLM = backbones.get("llm")
    scenes = workshop.data.get("boxed")
    folder = workshop.scratch / "visionllm-scenes"
    pool = ScenePool(scenes, "base", settings.scenes, workshop.seed, folder)
    torch.manual_seed(workshop.seed)
    if settings.start:
        before = load(workshop.pack / settings.start)
        model, reader = before.model.to(workshop.device), before.reader or language_reader(lm)
        settings = replace(settings, sizes=model.settings, wording=before.wording)
        model.requires_grad_(True)
        adapted, warm = stored_adapter(lm, before.adapter), 0.0
    else:
        settings, model, reader = begun(settings, lm, workshop.device)
        model.tokenizer.detr.unfreeze_backbone()
        warm = warmed_up(workshop, settings, model, lm, tuple(scenes.names("base")), pool)
        begin_class_words(model, lm, settings.class_texts)
        adapted = new_adapter(lm, settings.lora)
    whole = staged(workshop, settings, model, lm, adapted, pool, reader)
    whole.seconds += warm
    folder = workshop.pack / "visionllm"
    stored_model(folder, model, settings.wording, adapted, reader)
    return whole.report(measure(workshop, settings, lm, load(folder)), settings)


def begun(
    settings: VisionLLMRecipe, lm: CausalLM, device: str
) -> tuple[VisionLLMRecipe, VisionLLM, TextReader]:
    """The initial networks, the settings with their sizes, and the text encoder's reader.

    Raises:
        ValueError: the BERT that was named cannot be read, or is none.
    """
    if not settings.bert:
        return settings, VisionLLM(settings.sizes).to(device), language_reader(lm)
    bert = load_bert(settings.bert)
    sizes = replace(settings.sizes, text=bert_sizes(bert.model.config))
    model = VisionLLM(sizes)
    begin_text(model, bert.model)
    reader = tokenizer_reader(bert.tokenizer, f"BERT {settings.bert}")
    return replace(settings, sizes=sizes), model.to(device), reader


def staged(
    workshop: Workshop,
    settings: VisionLLMRecipe,
    model: VisionLLM,
    lm: CausalLM,
    adapted: Any,
    pool: ScenePool,
    reader: TextReader,
) -> recipe.TrainingProgress:
    """Train the paper's two stages; return the progress of both."""
    names = tuple(workshop.data.get("boxed").names("base"))
    words = name_vectors(lm, names, settings.blank).to(workshop.device)
    examiner = Examiner(model, lm, adapted, settings.wording, reader)
    unseen = Validation(workshop, settings)
    whole = recipe.TrainingProgress()
    for number, stage in enumerate((settings.first, settings.second), 1):
        half = settings.sizes.vocabulary.half_range
        lessons = InstructionLessons(
            names, settings.wording, stage.lessons, half, workshop.seed + number
        )
        training = StageTraining(model, lm, adapted, lessons, pool, names, words, stage, reader)

        def step(index: int, training: StageTraining = training) -> Mapping[str, float]:
            lost = training.step(index)
            if (index + 1) % settings.examine_every:
                return lost
            model.eval()
            return {**lost, **examiner.quick(*unseen("base", settings.examined))}

        progress = recipe.train(
            workshop,
            f"visionllm-stage{number}",
            {"model": model, "adapter": Adapting(adapted), "optimiser": training.optimiser},
            step,
            stage.steps,
            log_every=settings.log_every,
            save_every=settings.save_every,
        )
        whole = whole.then(progress)
    return whole


def begin_class_words(model: VisionLLM, lm: CausalLM, texts: tuple[str, ...]) -> None:
    """Start class words from tokens that the language model knows.

    Raises:
        ValueError: a text is not one token, or there are not as many texts as class words.
    """
    if not texts:
        return
    ids = [lm.encode(text) for text in texts]
    words = model.words
    if len(ids) != len(words.read) or any(len(own) != 1 for own in ids):
        raise ValueError(
            f"class words begin as {len(words.read)} texts of one token each; {', '.join(texts)} "
            f"are {len(texts)} of {', '.join(str(len(own)) for own in ids)} tokens."
        )
    flat = [own[0] for own in ids]
    with torch.no_grad():
        words.read.copy_(lm.embed(flat))
        words.classes.weight.copy_(lm.model.get_output_embeddings().weight[flat])
        words.classes.bias.zero_()
        # The input at a class slot starts as the image token alone.
        model.class_slot.zero_()


class Validation:
    """Scenes that are not trained on, of any split."""

    def __init__(self, workshop: Workshop, settings: VisionLLMRecipe) -> None:
        self._scenes = workshop.data.get("boxed")
        self._folder = workshop.scratch / "visionllm-scenes"
        self._seed = workshop.seed + UNSEEN

    def __call__(self, split: str, count: int) -> tuple[list[ShownScene], tuple[str, ...]]:
        """Some scenes of a split, and the names of its classes."""
        pool = ScenePool(self._scenes, split, count, self._seed, self._folder)
        return pool(0, count), tuple(self._scenes.names(split))


def measure(
    workshop: Workshop, settings: VisionLLMRecipe, lm: CausalLM, trained: TrainedVisionLLM
) -> dict[str, float]:
    """Figures of what was stored, on scenes of classes trained on and of others."""
    model = trained.model.to(workshop.device)
    adapted = over(lm, trained.adapter).model
    examiner = Examiner(model, lm, adapted, trained.wording, trained.reader)
    unseen = Validation(workshop, settings)
    return {
        f"{name} [{split}]": value
        for split in ("base", "validation", "novel")
        for name, value in examiner.figures(*unseen(split, settings.validation_scenes)).items()
    }


class Adapting:
    """The trained parameters of a `PeftModel`, to be saved in checkpoints."""

    def __init__(self, model: Any) -> None:
        self._parts = {n: p for n, p in model.named_parameters() if "lora_" in n}

    def state_dict(self) -> dict[str, Any]:
        """All of them by name."""
        return {name: part.detach().clone() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Restore values from `state_dict`."""
        with torch.no_grad():
            for name, part in self._parts.items():
                part.copy_(state[name])


def warmed_up(
    workshop: Workshop,
    settings: VisionLLMRecipe,
    model: VisionLLM,
    lm: CausalLM,
    names: tuple[str, ...],
    pool: ScenePool,
) -> float:
    """Train substitutes for the pretrained networks (see `warm_up`); return the seconds it took."""
    how, seconds = settings.warm_up, 0.0
    steps = partial(
        recipe.train, workshop, log_every=settings.log_every, save_every=settings.save_every
    )
    if how.backbone_steps:
        warm = BackboneWarmUp(settings.sizes, len(names)).to(workshop.device)
        backbone = BackboneTraining(warm, names, pool, how)
        seconds += steps(
            "visionllm-backbone",
            {"warm": warm, "optimiser": backbone.optimiser},
            backbone.step,
            how.backbone_steps,
        ).seconds
        warm.give(model)
    if how.detector_steps:
        words = name_vectors(lm, names, settings.blank).to(workshop.device)
        detector = DetectorTraining(model, names, words, pool, how)
        seconds += steps(
            "visionllm-detector",
            {"model": model, "optimiser": detector.optimiser},
            detector.step,
            how.detector_steps,
        ).seconds
    return seconds
