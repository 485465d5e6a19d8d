"""The kit for authors of plugins: toy backbones, conformance checks, and a first plugin.

`frostbench new-plugin NAME` writes a package that works, `frostbench check NAME` runs the checks
over a method's toy, and `frostbench.plugins.kit.pytest` makes tests of them.
"""
