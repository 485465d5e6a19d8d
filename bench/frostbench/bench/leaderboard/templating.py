"""The Jinja environment of the pages: values are escaped, style and script are inlined."""

from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from frostbench.bench.leaderboard import numbers
from frostbench.bench.leaderboard.words import is_led, legible
from frostbench.bench.printable import LONGEST, brief


def environment(*loaders: BaseLoader) -> Environment:
    """Templates of the given loaders, and after them those of the leaderboard."""
    made = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader(__package__, "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        # A page's length must not depend on what somebody stored.
        finalize=_cut,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "seconds": numbers.seconds,
        "count": numbers.count,
        "megabytes": numbers.megabytes,
        "readable": numbers.readable,
        "legible": legible,
        "whole": escape,
    }
    made.tests["led"] = is_led
    made.globals["source"] = lambda name: _source(made, name)
    return made


def _cut(value: Any) -> Any:
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return brief(value, LONGEST) if plain else value


def _source(made: Environment, name: str) -> Markup:
    """Style or script, to be put into a page as it stands."""
    assert made.loader is not None
    return Markup(made.loader.get_source(made, name)[0])  # our own files
