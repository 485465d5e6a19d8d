"""The parts of a pack: the order in which they are trained, and the training of one."""

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from frostbench.bench.printable import complain
from frostbench.bench.training.card import record
from frostbench.plugins.contract.recipe import Recipe, Report, Workshop
from frostbench.plugins.host.containment import Call, EscapedError, contain
from frostbench.plugins.host.errors import PluginError, PluginFailedError, describe
from frostbench.plugins.host.registry import Registered
from frostbench.plugins.host.words import as_list


def order(recipes: Mapping[str, Registered[Recipe]]) -> list[Registered[Recipe]]:
    """Recipes ordered after everything that they need.

    Raises:
        PluginError: no recipe makes what another needs, or needs form a cycle.
    """
    done, waiting = _ordered(recipes)
    if waiting:
        raise PluginError(
            f"recipes {', '.join(waiting)} cannot be ordered: {_why(waiting, recipes)}."
        )
    return done


def unordered(recipes: Mapping[str, Registered[Recipe]]) -> dict[str, str]:
    """Recipes that have no place in any order, with the reason, in a clause."""
    waiting = _ordered(recipes)[1]
    return dict.fromkeys(waiting, f"it cannot be ordered: {_why(waiting, recipes)}")


def _ordered(
    recipes: Mapping[str, Registered[Recipe]],
) -> tuple[list[Registered[Recipe]], dict[str, Registered[Recipe]]]:
    done: list[Registered[Recipe]] = []
    names: set[str] = set()
    waiting = dict(recipes)
    while ready := [name for name, item in waiting.items() if set(item.card.needs) <= names]:
        done += [waiting.pop(name) for name in ready]
        names.update(ready)
    return done, waiting


def _why(waiting: Mapping[str, Registered[Recipe]], known: Mapping[str, Registered[Recipe]]) -> str:
    unknown = {need for item in waiting.values() for need in item.card.needs} - set(known)
    return f"nobody offers {', '.join(sorted(unknown))}" if unknown else "a circle"


def dotted(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as pairs of a dotted key and a text.

    >>> list(dotted({"training": {"steps": 3, "loss": {"start": 2}}, "tasks": ["a", "b"]}))
    [('training.steps', '3'), ('training.loss.start', '2'), ('tasks', '[a,b]')]
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{before}{key}.")
        elif isinstance(value, list):
            yield f"{before}{key}", as_list([str(one) for one in value])
        else:
            yield f"{before}{key}", str(value)


def train_part(recipe: Registered[Recipe], workshop: Workshop, words: Mapping[str, object]) -> None:
    """Run a recipe, and write its report on the pack's card; see `run_recipe`.

    The card's command has these further words.
    """
    report = run_recipe(recipe, workshop)
    if int(os.environ.get("RANK", "0")) == 0:
        record(recipe.card, workshop, report, command_of(recipe.name, workshop, words))


def run_recipe(recipe: Registered[Recipe], workshop: Workshop) -> Report:
    """Run a recipe.

    Raises:
        PluginError: the recipe cannot be imported, or returns no report.
        PluginFailedError: it ended its process.
    """
    name = recipe.card.name
    if int(os.environ.get("RANK", "0")) == 0:
        complain(f"{name}: {recipe.card.summary}")
    call = Call("recipe", name, "train")
    try:
        report = contain(call, recipe.load(), workshop, seconds=math.inf)
    except EscapedError as error:
        raise PluginFailedError(f"recipe {name!r} ({recipe.file}): {describe(error)}.") from error
    if not isinstance(report, Report):
        raise PluginError(f"recipe {name!r} ({recipe.file}) returned no Report but {report!r}.")
    return report


def command_of(name: str, workshop: Workshop, words: Mapping[str, object] | None = None) -> str:
    """The command that trains a part with these settings, with further words."""
    more = {**(words or {}), "recipe": {name: workshop.settings} if workshop.settings else {}}
    if workshop.published:
        more["published"] = "true"
    extra = "".join(f" {key}={value}" for key, value in dotted(more))
    return f"frostbench train {name} seed={workshop.seed}{extra}"
