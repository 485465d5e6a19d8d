"""Images inside a page, as data URIs."""

import base64
import io

from PIL import Image as Pillow

LARGEST = 1024  # pixels of the longer side
LOSSLESS = 512  # up to this longer side


def data_uri(picture: Pillow.Image) -> str:
    """An image as an address: WebP, of at most `LARGEST` pixels a side."""
    small = picture.copy()
    small.thumbnail((LARGEST, LARGEST), Pillow.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", lossless=max(small.size) <= LOSSLESS, quality=90)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
