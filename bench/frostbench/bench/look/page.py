"""The page: one file with images, style and script inside, which asks nothing of the network."""

import base64
import io
from collections.abc import Sequence

from jaxtyping import Float
from jinja2 import PackageLoader
from PIL import Image as Pillow
from torch import Tensor

from frostbench.bench.leaderboard.templating import environment
from frostbench.bench.look.image import Seen
from frostbench.bench.look.reading import Look
from frostbench.plugins.contract.images import to_pillow

LARGEST = 1024  # pixels of the longer side, on the page
LOSSLESS = 512  # up to this longer side
SMALL = 256  # up to this longer side, pixels are shown as squares
TALLEST = 3.0  # height to width of what words are laid over


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
            picture=data_uri(seen.image.pixels),
            again=[
                data_uri(reading.reconstruction.pixels) if reading.reconstruction else None
                for reading in readings
            ],
        )
    )


def data_uri(pixels: Float[Tensor, "3 h w"]) -> str:
    """An image as an address that holds it: WebP, of at most `LARGEST` pixels a side."""
    picture = to_pillow(pixels)
    picture.thumbnail((LARGEST, LARGEST), Pillow.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=max(picture.size) <= LOSSLESS, quality=90)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
