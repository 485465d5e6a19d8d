"""F-LMM's card: what the method can do, what it needs and what is trained."""

from frostbench.plugins.contract.cards import Card

WITHOUT_IMAGES = "it gives no images"

CARD = Card(
    name="flmm",
    paper="https://arxiv.org/abs/2406.05821",
    summary="masks and boxes of phrases, read from the attention of a frozen multimodal model",
    capabilities=frozenset(
        {"Caption", "Answer", "Segment", "Ground", "Reason", "Refine", "Locate"}
    ),
    backbones=("lmm", "sam"),
    trained=("mask_head", "text_layer_weights", "text_proj", "refiner"),
    trained_on="the pack's base scenes with their exact masks; published: PNG and RefCOCO/+/g",
    reasons={
        "Classify": "its multimodal model is shown one image at a time, and no labelled examples",
        "Interpret": "its visual tokens are continuous: they are no words",
        "Reconstruct": WITHOUT_IMAGES,
        "Restore": WITHOUT_IMAGES,
        "Detect": "it finds one thing for a phrase, and not everything of a class",
        "SegmentInstances": "it finds one thing for a phrase, and not everything of a class",
    },
    controls=("bare_lmm",),
    in_context=False,
)
