"""The entry point of the built-in suites: tasks, metrics, controls and data sets by name.

Nothing that the names stand for is imported here, and no torch.
"""

from collections.abc import Iterable

from frostbench.eval_suites.controls.cards import CARDS
from frostbench.eval_suites.detection.settings import (
    DetectionSettings,
    LocatingSettings,
    OpenVocabularySettings,
    detection_card,
    instances_card,
    locating_card,
    vocabulary_card,
)
from frostbench.eval_suites.grounding.settings import (
    HallucinationSettings,
    NarrativeSettings,
    ReferringSettings,
    ThoughtSettings,
    hallucination_card,
    narrative_card,
    referring_card,
    thought_card,
)
from frostbench.eval_suites.metrics.facts import METRICS
from frostbench.eval_suites.restoration.settings import (
    DeblurringSettings,
    DenoisingSettings,
    DerainingSettings,
    FlippingSettings,
    MaskedRestorationSettings,
    MaskRemovalSettings,
    PepperNoiseSettings,
    ReconstructionSettings,
    RestorationSettings,
    RotationSettings,
    ShiftSettings,
    masked_card,
    reconstruction_card,
    restoration_card,
)
from frostbench.eval_suites.understanding.protocols import FewShotSettings, few_shot_card
from frostbench.eval_suites.understanding.settings import (
    CaptioningSettings,
    InterpretationSettings,
    QuestionSettings,
    captioning_card,
    interpretation_card,
    question_card,
)
from frostbench.plugins.contract.cards import ControlCard, MetricFacts, Offer, TaskCard
from frostbench.plugins.contract.hooks import hookimpl

_HERE = "frostbench.eval_suites"

_DATA_SETS = {
    "images": "data.folder:FolderImages",
    "pairs": "data.pairs:FiledPairs",
    "captions": "data.own:OwnCaptions",
    "questions": "data.own:OwnQuestions",
    "labels": "data.own:OwnLabels",
    "boxes": "data.own:OwnBoxes",
    "imagenet_val": "data.imagenet:ImageNetVal",
    "coco_captions_val2014": "data.coco_captions:CocoCaptionsVal2014",
    "coco_captions_val2017": "data.coco_captions:CocoCaptionsVal2017",
    "coco_instances_val2014": "data.coco_instances:CocoInstancesVal2014",
    "coco_instances_val2017": "data.coco_instances:CocoInstancesVal2017",
    "coco_karpathy_val": "data.coco_captions:KarpathyVal",
    "coco_karpathy_test": "data.coco_captions:KarpathyTest",
    "vqav2_val": "data.vqav2:VQAv2Questions",
    "v2l_episodes": "data.episodes:V2LEpisodes",
    "open_ended_episodes": "data.episodes:OpenEndedEpisodes",
    **{
        name: f"data.refcoco:{name}"
        for name in (
            "refcoco_unc_train",
            "refcoco_unc_val",
            "refcoco_unc_testA",
            "refcoco_unc_testB",
            "refcoco_google_val",
            "refcoco_google_test",
            "refcoco_plus_train",
            "refcoco_plus_val",
            "refcoco_plus_testA",
            "refcoco_plus_testB",
            "refcocog_umd_train",
            "refcocog_umd_val",
            "refcocog_umd_test",
            "refcocog_google_val",
        )
    },
    "png_train2017": "data.png:png_train2017",
    "png_val2017": "data.png:PanopticNarratives",
    "pope_coco": "data.pope:PopeQuestions",
    "viscot": "data.viscot:VisualCotQuestions",
}


@hookimpl
def frostbench_tasks() -> Iterable[Offer[TaskCard]]:
    """Offer the tasks under their default settings."""
    restorations = {
        "Inpainting": restoration_card("inpainting", RestorationSettings()),
        "Outpainting": restoration_card("outpainting", RestorationSettings()),
        "Deblurring": restoration_card("deblurring", DeblurringSettings()),
        "Shift": restoration_card("shift", ShiftSettings()),
        "Rotation": restoration_card("rotation", RotationSettings()),
        "Reconstruction": reconstruction_card(ReconstructionSettings()),
    }
    low_level = {
        "Denoising": restoration_card("denoising", DenoisingSettings()),
        "PepperNoise": restoration_card("pepper_noise", PepperNoiseSettings()),
        "Deraining": restoration_card("deraining", DerainingSettings()),
        "MaskRemoval": restoration_card("mask_removal", MaskRemovalSettings()),
        "Flipping": restoration_card("flipping", FlippingSettings()),
    }
    return [
        Offer(
            few_shot_card(FewShotSettings()),
            f"{_HERE}.understanding.classification:FewShotClassification",
        ),
        Offer(
            captioning_card(CaptioningSettings()),
            f"{_HERE}.understanding.captioning:Captioning",
        ),
        Offer(
            question_card(QuestionSettings()),
            f"{_HERE}.understanding.visual_question_answering:VisualQuestionAnswering",
        ),
        Offer(
            interpretation_card(InterpretationSettings()),
            f"{_HERE}.understanding.semantic_interpretation:SemanticInterpretation",
        ),
        *(Offer(card, f"{_HERE}.restoration.tasks:{name}") for name, card in restorations.items()),
        *(Offer(card, f"{_HERE}.restoration.low_level:{name}") for name, card in low_level.items()),
        Offer(
            masked_card(MaskedRestorationSettings()),
            f"{_HERE}.restoration.masked:MaskedRestoration",
        ),
        Offer(
            referring_card(ReferringSettings()),
            f"{_HERE}.grounding.segmentation:ReferringSegmentation",
        ),
        Offer(
            narrative_card(NarrativeSettings()),
            f"{_HERE}.grounding.segmentation:NarrativeGrounding",
        ),
        Offer(
            hallucination_card(HallucinationSettings()),
            f"{_HERE}.grounding.hallucination:ObjectHallucination",
        ),
        Offer(
            thought_card(ThoughtSettings()),
            f"{_HERE}.grounding.thought:VisualChainOfThought",
        ),
        *_detections(),
    ]


def _detections() -> Iterable[Offer[TaskCard]]:
    cards = {
        "things:ObjectDetection": detection_card(DetectionSettings()),
        "things:InstanceSegmentation": instances_card(DetectionSettings()),
        "things:OpenVocabularyDetection": vocabulary_card(OpenVocabularySettings()),
        "locating:VisualGrounding": locating_card(LocatingSettings()),
    }
    return [Offer(card, f"{_HERE}.detection.{name}") for name, card in cards.items()]


@hookimpl
def frostbench_metrics() -> Iterable[Offer[MetricFacts]]:
    """Offer the metrics."""
    return METRICS


@hookimpl
def frostbench_controls() -> Iterable[Offer[ControlCard]]:
    """Offer the controls that the suites' tasks name."""
    return [Offer(card, f"{_HERE}.controls.changes:{card.name}") for card in CARDS]


@hookimpl
def frostbench_training_data() -> Iterable[Offer[str]]:
    """Offer images before and after a corruption, made from the offered training images."""
    return [Offer("pairs", f"{_HERE}.restoration.training_pairs:of_workshop")]


@hookimpl
def frostbench_datasets() -> Iterable[Offer[str]]:
    """Offer the data sets; each target opens a folder."""
    return [Offer(name, f"{_HERE}.{target}") for name, target in _DATA_SETS.items()]
