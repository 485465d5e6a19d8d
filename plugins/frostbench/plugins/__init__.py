"""The contract, the host, frozen backbones and the engine.

Everything that an author of a method needs can be imported from here. Names are resolved when
they are first used: `import frostbench.plugins` alone loads no torch, so that a card can be read
and `frostbench list` answers at once.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frostbench.plugins.contract.cards import (
        Card,
        ControlCard,
        MetricFacts,
        Offer,
        PackCard,
        TaskCard,
    )
    from frostbench.plugins.contract.completions import (
        Attended,
        Chosen,
        Completion,
        Failed,
        Generated,
        Regressed,
    )
    from frostbench.plugins.contract.control import (
        Company,
        Control,
        NoMethod,
        OtherEngine,
        OtherImage,
        OtherPrompt,
        OtherRequest,
        OtherTokens,
        StandIn,
    )
    from frostbench.plugins.contract.hooks import hookimpl
    from frostbench.plugins.contract.images import Image
    from frostbench.plugins.contract.method import Method, Setup
    from frostbench.plugins.contract.metric import Metric, MetricContext
    from frostbench.plugins.contract.predictions import (
        Boxes,
        ImagePrediction,
        Masks,
        Prediction,
        Reasoned,
        TextPrediction,
    )
    from frostbench.plugins.contract.prompts import (
        Adapter,
        Attend,
        Choose,
        Generate,
        Ids,
        ImagePiece,
        Prompt,
        Regress,
        Shot,
        Text,
        TokenSets,
        Trie,
        Vectors,
        Wave,
    )
    from frostbench.plugins.contract.recipe import Recipe, Report, Workshop
    from frostbench.plugins.contract.requests import (
        Answer,
        Caption,
        Classify,
        Detect,
        Ground,
        HeldOutContext,
        Interpret,
        LabelledImage,
        NamedThought,
        NoContext,
        NoThought,
        OracleContext,
        OracleThought,
        QuestionThought,
        Reason,
        Reconstruct,
        Refine,
        Request,
        Restore,
        RestoredPair,
        Segment,
        spans_in,
    )
    from frostbench.plugins.contract.tokens import Continuous, Grid, Pyramid, Ranked, VisualTokens

_HOMES = {
    "cards": ("Card", "ControlCard", "MetricFacts", "Offer", "PackCard", "TaskCard"),
    "completions": ("Attended", "Chosen", "Completion", "Failed", "Generated", "Regressed"),
    "control": (
        "Company",
        "Control",
        "NoMethod",
        "OtherEngine",
        "OtherImage",
        "OtherPrompt",
        "OtherRequest",
        "OtherTokens",
        "StandIn",
    ),
    "hooks": ("hookimpl",),
    "images": ("Image",),
    "method": ("Method", "Setup"),
    "metric": ("Metric", "MetricContext"),
    "predictions": (
        "Boxes",
        "ImagePrediction",
        "Masks",
        "Prediction",
        "Reasoned",
        "TextPrediction",
    ),
    "prompts": (
        "Adapter",
        "Attend",
        "Choose",
        "Generate",
        "Ids",
        "ImagePiece",
        "Prompt",
        "Regress",
        "Shot",
        "Text",
        "TokenSets",
        "Trie",
        "Vectors",
        "Wave",
    ),
    "recipe": ("Recipe", "Report", "Workshop"),
    "requests": (
        "Answer",
        "Caption",
        "Classify",
        "Detect",
        "Ground",
        "HeldOutContext",
        "Interpret",
        "LabelledImage",
        "NamedThought",
        "NoContext",
        "NoThought",
        "OracleContext",
        "OracleThought",
        "QuestionThought",
        "Reason",
        "Reconstruct",
        "Refine",
        "Request",
        "Restore",
        "RestoredPair",
        "Segment",
        "spans_in",
    ),
    "tokens": ("Continuous", "Grid", "Pyramid", "Ranked", "VisualTokens"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Adapter",
    "Answer",
    "Attend",
    "Attended",
    "Boxes",
    "Caption",
    "Card",
    "Choose",
    "Chosen",
    "Classify",
    "Company",
    "Completion",
    "Continuous",
    "Control",
    "ControlCard",
    "Detect",
    "Failed",
    "Generate",
    "Generated",
    "Grid",
    "Ground",
    "HeldOutContext",
    "Ids",
    "Image",
    "ImagePiece",
    "ImagePrediction",
    "Interpret",
    "LabelledImage",
    "Masks",
    "Method",
    "Metric",
    "MetricContext",
    "MetricFacts",
    "NamedThought",
    "NoContext",
    "NoMethod",
    "NoThought",
    "Offer",
    "OracleContext",
    "OracleThought",
    "OtherEngine",
    "OtherImage",
    "OtherPrompt",
    "OtherRequest",
    "OtherTokens",
    "PackCard",
    "Prediction",
    "Prompt",
    "Pyramid",
    "QuestionThought",
    "Ranked",
    "Reason",
    "Reasoned",
    "Recipe",
    "Reconstruct",
    "Refine",
    "Regress",
    "Regressed",
    "Report",
    "Request",
    "Restore",
    "RestoredPair",
    "Segment",
    "Setup",
    "Shot",
    "StandIn",
    "TaskCard",
    "Text",
    "TextPrediction",
    "TokenSets",
    "Trie",
    "Vectors",
    "VisualTokens",
    "Wave",
    "Workshop",
    "hookimpl",
    "spans_in",
]


def __getattr__(name: str) -> object:
    """Import the module that defines `name` on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.contract.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
