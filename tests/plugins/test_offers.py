"""What plugins offer: strings that the import linter cannot see."""

from frostbench.plugins.contract import hooks
from frostbench.plugins.host.registry import Host


def offers():
    """Every offer of every hook, with the file of the plugin that makes it."""
    host = Host()
    for name in vars(hooks):
        kind = name.removeprefix("frostbench_")
        if name.startswith("frostbench_") and isinstance(getattr(host, kind, None), dict):
            yield from getattr(host, kind).values()


def test_every_offer_names_what_lies_in_the_component_that_makes_it():
    seen = set()
    for offered in offers():
        target = offered.offer.target
        if not isinstance(target, str):
            continue
        module = target.partition(":")[0]
        assert module.startswith("frostbench.")
        component, room = module.split(".")[1:3]
        within = f"/{component}/frostbench/{component}/"
        assert within in offered.file, f"{offered.plugin} offers {target}"
        if component == "baselines":
            assert f"{within}{room}/" in offered.file, f"{offered.plugin} offers {target}"
        seen.add(component)
    assert seen == {"plugins", "v2l", "baselines", "eval_suites", "packs"}
