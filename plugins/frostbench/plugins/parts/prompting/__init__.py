"""What all methods with discrete visual tokens share: the published prompts, and the way back.

`DiscreteMethod` is the class to start from: its subclass says how an image becomes a grid of
codes and how a grid becomes an image, and answers Classify, Reconstruct and Restore requests.
"""

from frostbench.plugins.parts.prompting.method import DiscreteMethod, DiscretePrompting

__all__ = ["DiscreteMethod", "DiscretePrompting"]
