"""The contract, the host, frozen backbones and the engine.

Everything that an author of a plugin needs can be imported from here. Names are resolved when
they are first used: `import frostbench.plugins` alone loads no torch, so that a card can be read
and `frostbench list` answers at once.
"""

import importlib
from typing import TYPE_CHECKING

from frostbench.plugins.moved import forward

if TYPE_CHECKING:
    from frostbench.plugins.contract.cards import *
    from frostbench.plugins.contract.completions import *
    from frostbench.plugins.contract.control import *
    from frostbench.plugins.contract.converter import *
    from frostbench.plugins.contract.datasets import *
    from frostbench.plugins.contract.detection import *
    from frostbench.plugins.contract.hooks import *
    from frostbench.plugins.contract.images import *
    from frostbench.plugins.contract.matches import *
    from frostbench.plugins.contract.method import *
    from frostbench.plugins.contract.metric import *
    from frostbench.plugins.contract.predictions import *
    from frostbench.plugins.contract.prompts import *
    from frostbench.plugins.contract.recipe import *
    from frostbench.plugins.contract.requests import *
    from frostbench.plugins.contract.scenes import *
    from frostbench.plugins.contract.seeds import *
    from frostbench.plugins.contract.task import *
    from frostbench.plugins.contract.tokens import *

# The public names, by the module of `contract` that defines them.
_HOMES = {
    "cards": "CONTINUOUS Card ControlCard HEADLESS MetricFacts Offer PackCard PresetCard TaskCard",
    "completions": "Attended Chosen Completion Failed Filled Generated Regressed Scored",
    "converter": "Conversion Converted Converter PublishedFile",
    "control": "Company Control NoMethod OtherEngine OtherImage OtherPrompt OtherRequest "
    "OtherTokens StandIn",
    "datasets": "AskedImage BoxSet BoxedImage CaptionSet CaptionedImage ClusteredImage Cornered "
    "DetailQuestion DetailSource Episode EpisodeSource ImagePair ImageSet LabelSet Narrative "
    "NarrativeSource PairSet QuestionSet Referent ReferredImage ReferringSource Thing Widening "
    "YesNoQuestion YesNoSource",
    "detection": "Detect Locate SegmentInstances",
    "hooks": "hookimpl",
    "images": "Image UnreadableError read_as_seen read_image",
    "matches": "ClassMatches",
    "method": "Method ReadsWhole Setup",
    "metric": "Metric MetricContext WholeSet",
    "predictions": "Boxes ImagePrediction Instances Masks Prediction Reasoned TextPrediction",
    "prompts": "Adapter Attend Choose Fill Generate Ids ImagePiece Prompt Regress Score Shot "
    "Text TokenSets Trie Vectors Wave",
    "recipe": "DryRun Recipe Report Workshop",
    "requests": "Answer Caption Classify Ground HeldOutContext Interpret LabelledImage "
    "NamedThought NoContext NoThought OracleContext OracleThought QuestionThought Reason "
    "Reconstruct Refine Request Restore RestoredPair Segment spans_in",
    "scenes": "Placed Question Scene SceneSet",
    "seeds": "seed_of",
    "task": "Instance Sample Target Task TrueAnswer TrueBoxes TrueMasks TrueThings "
    "Unreadable read_or_not",
    "tokens": "Continuous Grid Pyramid Ranked Texts VisualTokens",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    """Import the module that defines `name` on first use (PEP 562)."""
    if name not in _HOME:
        return forward(__name__, name)
    return getattr(importlib.import_module(f"{__name__}.contract.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
