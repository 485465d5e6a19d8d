"""What the package offers to frostbench."""

from frostbench.plugins import Recipe, hookimpl

FROSTBENCH_CONTRACT = "1.3"


@hookimpl
def frostbench_methods():
    """Offer the method."""
    from few_heads.method import FewHeads

    return [FewHeads]


@hookimpl
def frostbench_recipes():
    """Offer to pick heads."""
    summary = "localization heads: picked on phrases, without training"
    return [Recipe("few_heads", ("data", "lmm"), "few_heads.picking:train", summary)]
