"""The built-in suites' entry: tasks, metrics, data sets and the pack `mini`, by name.

Nothing behind the names is imported here, and no torch.
"""

from collections.abc import Iterable

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
from frostbench.plugins.cards import Offer, PackCard, TaskCard
from frostbench.plugins.hooks import hookimpl
from frostbench.plugins.packs import embedded_pack
from frostbench.plugins.recipe import Recipe

_HERE = "frostbench.eval_suites"

_METRICS = {
    "accuracy[exact]": "accuracy:accuracy_exact",
    "accuracy[prefix]": "accuracy:accuracy_prefix",
    "accuracy[vqa]": "vqa:vqa",
    "accuracy[vqa-always]": "vqa:vqa_always",
    "accuracy[vqa-exact]": "vqa:vqa_exact",
    "accuracy[vqa-legacy]": "vqa:vqa_legacy",
    "accuracy[pope]": "yes_no:accuracy",
    "anls[0.5]": "anls:anls",
    "average_recall[all]": "masks:average_recall_all",
    "average_recall[plurals]": "masks:average_recall_plurals",
    "average_recall[singulars]": "masks:average_recall_singulars",
    "average_recall[stuff]": "masks:average_recall_stuff",
    "average_recall[things]": "masks:average_recall_things",
    "bleu-4[corpus]": "bleu:bleu_4",
    "cider-d[corpus]": "cider:cider_d_corpus",
    "ciou[pixels]": "masks:ciou",
    "clip_score[mini]": "clip_score:ClipScoreMini",
    "clip_score_relative[mini]": "clip_score:ClipScoreRelativeMini",
    "f1[pope]": "yes_no:f1",
    "miou[phrases]": "masks:miou",
    "p@0.5[box]": "boxes:box_precision",
    "p@0.5[phrases]": "masks:precision_at_half",
    "precision[pope]": "yes_no:precision",
    "psnr[rgb]": "psnr:psnr_rgb",
    "psnr[y]": "psnr:psnr_y",
    "psnr[rgb-crop4]": "psnr:psnr_rgb_crop4",
    "recall[pope]": "yes_no:recall",
    "ssim[rgb]": "ssim:ssim_rgb",
    "ssim[rgb-crop4]": "ssim:ssim_rgb_crop4",
    "ssim[y]": "ssim:ssim_y",
    "lpips[mini]": "mini:LpipsMini",
    "lpips[alex]": "lpips_published:lpips_alex",
    "lpips[vgg]": "lpips_published:lpips_vgg",
    "fid[mini]": "mini:FidMini",
    "fid[inception-v3-pt]": "inception:FidInception",
    "yes[pope]": "yes_no:share_of_yes",
}

_DATA_SETS = {
    "glyph_portraits": "data.datasets:GlyphPortraits",
    "glyph_scenes": "data.datasets:GlyphScenes",
    "photo_crops": "data.datasets:PhotoCrops",
    "restoration_pictures": "data.datasets:RestorationPictures",
    "v2l_episodes": "understanding.episode_files:V2LEpisodes",
    "open_ended_episodes": "understanding.episode_files:OpenEndedEpisodes",
    **{
        name: f"grounding.files.refcoco:{name}"
        for name in (
            "refcoco_unc_val",
            "refcoco_unc_testA",
            "refcoco_unc_testB",
            "refcoco_google_val",
            "refcoco_google_test",
            "refcoco_plus_val",
            "refcoco_plus_testA",
            "refcoco_plus_testB",
            "refcocog_umd_val",
            "refcocog_umd_test",
            "refcocog_google_val",
        )
    },
    "png_val2017": "grounding.files.png:PanopticNarratives",
    "pope_coco": "grounding.files.pope:PopeQuestions",
    "viscot": "grounding.files.viscot:VisualCotQuestions",
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
    ]


@hookimpl
def frostbench_metrics() -> Iterable[Offer[str]]:
    """Offer the metrics; each target makes one from a `MetricContext`."""
    return [Offer(name, f"{_HERE}.metrics.{target}") for name, target in _METRICS.items()]


@hookimpl
def frostbench_datasets() -> Iterable[Offer[str]]:
    """Offer the data sets; each target opens a folder."""
    return [Offer(name, f"{_HERE}.{target}") for name, target in _DATA_SETS.items()]


@hookimpl
def frostbench_packs() -> Iterable[PackCard]:
    """Offer the embedded pack."""
    return [
        PackCard(
            "mini",
            str(embedded_pack("mini")),
            "small models and pictures, all made by this repository; no download, no GPU",
        )
    ]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the trainings of the pack's data and frozen models."""
    recipes = f"{_HERE}.recipes"
    return [
        Recipe("data", (), f"{recipes}.artwork:train", "glyphs and photographs, cut and packed"),
        # The folder holds the tokenizer before there is a model.
        Recipe(
            "llm",
            (),
            f"{recipes}.llm:train_llm",
            "the language model, on text alone",
            makes=("llm/model.safetensors",),
        ),
        Recipe(
            "llama",
            (),
            f"{recipes}.llm:train_llama",
            "a second, smaller language model with a tokenizer of its own",
            makes=("llama/model.safetensors",),
        ),
        Recipe(
            "mlm",
            (),
            f"{recipes}.mlm:train",
            "a masked language model, on text alone",
            makes=("mlm/model.safetensors",),
        ),
        Recipe("clip", ("data", "llm"), f"{recipes}.clip:train", "pictures and captions matched"),
        Recipe(
            "lmm",
            ("data", "llama"),
            f"{recipes}.lmm:train",
            "a multimodal model that describes scenes and answers questions",
        ),
        Recipe("perceptual", ("data",), f"{recipes}.perceptual:train", "a small VGG of glyphs"),
        Recipe("sam", ("data",), f"{recipes}.sam:train", "a small SAM of glyphs"),
        Recipe(
            "mae",
            ("data", "perceptual"),
            f"{recipes}.mae:train",
            "a masked autoencoder, its decoder tuned to give whole pictures back",
        ),
    ]
