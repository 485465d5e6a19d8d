"""Parts of methods that show images to a language model as pieces of a prompt.

`DiscreteMethod` is the class to start from where an image is a grid of codes: its subclass says how
an image becomes a grid and how a grid becomes an image, and answers Classify, Reconstruct and
Restore requests. For vectors, see `frostbench.plugins.parts.prefix`.
"""

from frostbench.plugins.parts.prompting.captioning import AnswerSettings, CaptionSettings
from frostbench.plugins.parts.prompting.classification import ClassificationSettings
from frostbench.plugins.parts.prompting.method import DiscreteMethod, DiscretePrompting
from frostbench.plugins.parts.prompting.shown import ShownMethod, TextPrompting
from frostbench.plugins.parts.prompting.token_map import TokenMap, map_codes

__all__ = [
    "AnswerSettings",
    "CaptionSettings",
    "ClassificationSettings",
    "DiscreteMethod",
    "DiscretePrompting",
    "ShownMethod",
    "TextPrompting",
    "TokenMap",
    "map_codes",
]
