"""The page of `frostbench look`: one HTML file that needs no network."""

from collections.abc import Sequence

from jinja2 import PackageLoader

from frostbench.bench.leaderboard.inline import data_uri
from frostbench.bench.leaderboard.templating import environment
from frostbench.bench.look.image import Seen
from frostbench.bench.look.reading import Look
from frostbench.plugins.contract.images import to_pillow

SMALL = 256  # up to this longer side, pixels are shown as squares
TALLEST = 3.0  # ratio of height to width of the area under the words


def page(seen: Seen, readings: Sequence[Look]) -> str:
    """The page as HTML."""
    height, width = seen.image.size
    return (
        environment(PackageLoader(__package__, "templates"))
        .get_template("look.html.j2")
        .render(
            seen=seen,
            readings=readings,
            height=height,
            width=width,
            ratio=round(min(TALLEST, max(1 / TALLEST, height / width)), 4),
            smooth=max(height, width) > SMALL,
            picture=data_uri(to_pillow(seen.image.pixels)),
            again=[
                None if one is None else data_uri(to_pillow(one.pixels))
                for one in (reading.reconstruction for reading in readings)
            ],
        )
    )
