"""Small image files with something to see in them."""

import numpy as np
from PIL import Image as Pillow


def picture(width=40, height=30, seed=0):
    """Coloured cells of five pixels."""
    drawn = np.random.default_rng(seed).integers(0, 256, (-(-height // 5), -(-width // 5), 3))
    cells = drawn.astype(np.uint8).repeat(5, 0).repeat(5, 1)
    return Pillow.fromarray(cells[:height, :width])
