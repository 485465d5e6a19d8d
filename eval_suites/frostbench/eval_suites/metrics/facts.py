"""The facts of every metric, and where its function is. Imports no torch."""

from functools import partial

from frostbench.plugins.contract.cards import MetricFacts, Offer

_share = partial(MetricFacts, lower=0.0, upper=1.0, percent=True)
_ratio = partial(_share, pooling="ratio")
_precision = partial(_share, pooling="average_precision")
_decibels = partial(MetricFacts, unit="dB", lower=0.0, upper=100.0)
_likeness = partial(MetricFacts, lower=-1.0, upper=1.0)
_distance = partial(MetricFacts, lower=0.0, direction="lower")

_METRICS = (
    (_share("accuracy[exact]"), "accuracy:accuracy_exact"),
    (_share("accuracy[prefix]"), "accuracy:accuracy_prefix"),
    (_share("accuracy[vqa]"), "vqa:vqa"),
    (_share("accuracy[vqa-always]"), "vqa:vqa_always"),
    (_share("accuracy[vqa-exact]"), "vqa:vqa_exact"),
    (_share("accuracy[vqa-legacy]"), "vqa:vqa_legacy"),
    (_share("anls[0.5]"), "anls:anls"),
    (_share("bleu-4[corpus]", pooling="bleu"), "bleu:bleu_4"),
    (MetricFacts("cider-d[corpus]", "of 10", 0.0, 10.0, corpus=True), "cider:cider_d_corpus"),
    (_share("rouge-l[caption]"), "rouge:rouge_l"),
    (_ratio("accuracy[pope]"), "yes_no:accuracy"),
    (_ratio("f1[pope]"), "yes_no:f1"),
    (_ratio("precision[pope]"), "yes_no:precision"),
    (_ratio("recall[pope]"), "yes_no:recall"),
    (_ratio("yes[pope]", direction="neither"), "yes_no:share_of_yes"),
    (_ratio("average_recall[all]"), "masks:average_recall"),
    (_ratio("average_recall[plurals]"), "masks:average_recall_plurals"),
    (_ratio("average_recall[singulars]"), "masks:average_recall_singulars"),
    (_ratio("average_recall[stuff]"), "masks:average_recall_stuff"),
    (_ratio("average_recall[things]"), "masks:average_recall_things"),
    (_ratio("ciou[pixels]"), "masks:ciou"),
    (_ratio("miou[phrases]"), "masks:miou"),
    (_ratio("p@0.5[phrases]"), "masks:precision_at_half"),
    (_ratio("p@0.5[box]"), "boxes:box_precision"),
    (_ratio("p@0.5[sentences-iou>=0.5]"), "boxes:sentence_precision"),
    (_ratio("p@0.5[sentences-iou>0.5]"), "boxes:strict_sentence_precision"),
    *(
        (_precision(f"{name}[coco-{kind}-own_score]"), f"detections:{name}_{kind}")
        for kind in ("boxes", "masks")
        for name in ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    ),
    (_ratio("claimed[asked-iou0.5-score0.3]"), "detections:claimed_asked"),
    (
        _ratio("claimed[unasked-iou0.5-score0.3]", direction="lower"),
        "detections:claimed_unasked",
    ),
    (_decibels("psnr[rgb]"), "psnr:psnr_rgb"),
    (_decibels("psnr[y]"), "psnr:psnr_y"),
    (_decibels("psnr[rgb-crop4]"), "psnr:psnr_rgb_crop4"),
    (_likeness("ssim[rgb]"), "ssim:ssim_rgb"),
    (_likeness("ssim[y]"), "ssim:ssim_y"),
    (_likeness("ssim[rgb-crop4]"), "ssim:ssim_rgb_crop4"),
    (_likeness("clip_score[*]", networks=("clip",)), "clip_score:ClipScore"),
    (
        MetricFacts("clip_score_relative[*]", networks=("clip", "llm")),
        "clip_score:ClipScoreRelative",
    ),
    (_distance("lpips[mini]", networks=("perceptual",)), "perceptual:lpips_mini"),
    (_distance("lpips[alex]", weights="alex"), "lpips:lpips_alex"),
    (_distance("lpips[alex-v2l]", weights="alex"), "lpips:lpips_alex_v2l"),
    (_distance("lpips[vgg]", weights="vgg"), "lpips:lpips_vgg"),
    (
        _distance("fid[mini]", pooling="features", networks=("perceptual",)),
        "perceptual:fid_mini",
    ),
    (
        _distance("fid[inception-v3-pt]", pooling="features", weights="inception-v3-pt"),
        "inception:fid_inception",
    ),
    (
        _distance("fid[inception-v2l]", pooling="features", weights="inception-v3-pt"),
        "inception:fid_inception_v2l",
    ),
)

METRICS = tuple(
    Offer(facts, f"frostbench.eval_suites.metrics.{target}") for facts, target in _METRICS
)
"""Every metric of the suites."""
