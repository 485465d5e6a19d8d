"""The parts of a pack: the order in which they are trained, and the training of one."""

from collections.abc import Iterator, Mapping
from typing import Any

from frostbench.bench.printable import complain
from frostbench.bench.training.card import record
from frostbench.plugins.contract.recipe import Recipe, Report, Workshop
from frostbench.plugins.host.errors import PluginError
from frostbench.plugins.host.registry import Registered


def order(recipes: Mapping[str, Registered[Recipe]]) -> list[Registered[Recipe]]:
    """Recipes after all that they need.

    Raises:
        PluginError: a need is nobody's recipe, or needs go in a circle.
    """
    done: list[Registered[Recipe]] = []
    names: set[str] = set()
    waiting = dict(recipes)
    while waiting:
        ready = [name for name, item in waiting.items() if set(item.card.needs) <= names]
        if not ready:
            unknown = {need for item in waiting.values() for need in item.card.needs} - set(recipes)
            why = f"nobody offers {', '.join(sorted(unknown))}" if unknown else "a circle"
            raise PluginError(f"recipes {', '.join(waiting)} cannot be ordered: {why}.")
        for name in ready:
            done.append(waiting.pop(name))
            names.add(name)
    return done


def dotted(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as pairs of a dotted key and a text.

    >>> list(dotted({"training": {"steps": 3, "loss": {"start": 2}}, "tasks": ["a", "b"]}))
    [('training.steps', '3'), ('training.loss.start', '2'), ('tasks', '[a,b]')]
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{before}{key}.")
        elif isinstance(value, list):
            yield f"{before}{key}", f"[{','.join(map(str, value))}]"
        else:
            yield f"{before}{key}", str(value)


def train_part(recipe: Registered[Recipe], workshop: Workshop) -> None:
    """Run a recipe, and write what it says of itself on the pack's card.

    Raises:
        PluginError: the recipe cannot be imported, or returns no report.
    """
    name = recipe.card.name
    complain(f"{name}: {recipe.card.summary}")
    report = recipe.load()(workshop)
    if not isinstance(report, Report):
        raise PluginError(f"recipe {name!r} ({recipe.file}) returned no Report but {report!r}.")
    extra = "".join(f" recipe.{name}.{key}={value}" for key, value in workshop.settings.items())
    record(recipe.card, workshop, report, f"frostbench train {name} seed={workshop.seed}{extra}")
