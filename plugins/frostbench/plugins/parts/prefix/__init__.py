"""Methods that put an image's vectors before the text: a frozen encoder's features through a map.

`PrefixMethod` is the class to start from. Its subclass gives a card, and says what its map is made
of; it answers Classify, Caption and Answer requests. `training` trains a map on captions.
"""

from frostbench.plugins.parts.prefix.map import PrefixMap, PrefixSettings
from frostbench.plugins.parts.prefix.method import PrefixMethod

__all__ = ["PrefixMap", "PrefixMethod", "PrefixSettings"]
