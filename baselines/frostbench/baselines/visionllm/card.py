"""VisionLLM's card: what the method can do, what it needs and what is trained."""

from frostbench.plugins.contract.cards import Card

_PIXELS = "it gives boxes, contours and texts, and no images"
_CONTINUOUS = "its image tokens are continuous: they are no words"
_NO_MASKS = "it outlines things of classes, and was not taught to outline what a phrase says"

CARD = Card(
    name="visionllm",
    paper="https://arxiv.org/abs/2305.11175",
    summary=(
        "boxes and contours as words of a language model adapted by a LoRA; no official code of "
        "this version exists; a score is the probability of the class word"
    ),
    capabilities=frozenset({"Detect", "SegmentInstances", "Locate", "Caption", "Answer"}),
    backbones=("llm",),
    trained=(
        "image backbone",
        "text encoder",
        "Deformable DETR",
        "class and location words",
        "placeholders",
        "LoRA",
    ),
    trained_on="the pack's base scenes with their boxes, masks, captions and questions",
    reasons={
        "Classify": "its prompts show one image and no labelled examples",
        "Interpret": _CONTINUOUS,
        "Reconstruct": _PIXELS,
        "Restore": _PIXELS,
        "Segment": _NO_MASKS,
        "Ground": _NO_MASKS,
        "Reason": "it was not taught to look again at a part of the image",
        "Refine": "it has no part that makes a mask of a box",
    },
    adapters=(
        "object_detection",
        "instance_segmentation",
        "open_vocabulary_detection",
        "visual_grounding",
        "captioning",
        "visual_question_answering",
        "object_hallucination",
    ),
    controls=("no_llm", "every_query", "fixed_prompt"),
    in_context=False,
)
