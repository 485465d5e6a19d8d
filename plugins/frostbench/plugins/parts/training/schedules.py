"""How a learning rate rises and falls over a training, as shares of its highest value."""

import math

from torch.optim import Optimizer


def rise(step: int, warm: int, begin: float = 0.0) -> float:
    """Linear from `begin` at step 0 to 1 at step `warm`, and 1 from there on.

    >>> rise(0, 4, 0.2), rise(2, 4, 0.2), rise(4, 4, 0.2), rise(0, 0)
    (0.2, 0.6, 1.0, 1.0)
    """
    return begin + (1 - begin) * step / warm if step < warm else 1.0


def cosine_fall(step: int, start: int | float, stop: int, floor: float = 0.0) -> float:
    """1 until step `start`, then along half a cosine to `floor` at step `stop`, and no lower.

    >>> cosine_fall(1, 2, 4), cosine_fall(3, 2, 4, 0.5), cosine_fall(9, 2, 4)
    (1.0, 0.75, 0.0)
    """
    return floor + (1 - floor) * (1 + math.cos(math.pi * _done(step, start, stop))) / 2


def linear_fall(step: int, start: int, stop: int) -> float:
    """1 until step `start`, then linear to 0 at step `stop`.

    >>> linear_fall(1, 2, 4), linear_fall(3, 2, 4)
    (1.0, 0.5)
    """
    return 1 - _done(step, start, stop)


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate of the optimiser's next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def _done(step: int, start: int | float, stop: int) -> float:
    """The share of the way from `start` to `stop`; a fall takes one step at least."""
    return min(1.0, max(0.0, step - start) / max(1.0, stop - start))
