"""The Fréchet distance between two sets of features, each taken as a Gaussian."""

from typing import Any

import numpy as np
import numpy.typing as npt


def frechet_distance(
    predictions: npt.NDArray[np.floating[Any]], targets: npt.NDArray[np.floating[Any]]
) -> float:
    """|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^1/2), in double precision; lower is better.

    Features are `[n, d]` and `[m, d]`; covariances divide by n - 1 (Heusel et al., 2017). With
    S1 = A Aᵀ and S2 = B Bᵀ the last trace is the sum of the singular values of Aᵀ B: no square
    root of a matrix is taken, nothing complex can appear, and covariances without full rank need
    no added diagonal. What rounding leaves below 0 is 0.

    The estimate is biased upwards, and the more so the fewer samples there are: with fewer than
    d + 1 covariances lack rank, and the value mostly says how many samples there were. Compare
    values only at equal n.

    Raises:
        ValueError: a set has fewer than 2 samples, widths differ, or a value is not finite.
    """
    a, b = _checked(predictions, "predictions"), _checked(targets, "targets")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"features of predictions have width {a.shape[1]}, those of targets {b.shape[1]}; "
            "a Fréchet distance needs both from one network."
        )
    shift = a.mean(0) - b.mean(0)
    spread_a, spread_b = _spread(a), _spread(b)
    shared = np.linalg.svd(spread_a @ spread_b.T, compute_uv=False).sum()
    traces = np.square(spread_a).sum() + np.square(spread_b).sum()
    return max(0.0, float(shift @ shift + traces - 2 * shared))


def _spread(features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """R of size `[min(n, d), d]` with RᵀR the covariance."""
    centred = features - features.mean(0)
    triangle = np.asarray(np.linalg.qr(centred, mode="r"), dtype=np.float64)
    return triangle / np.float64(len(features) - 1) ** 0.5


def _checked(features: npt.NDArray[np.floating[Any]], side: str) -> npt.NDArray[np.float64]:
    array = np.asarray(features, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"features of {side} are `[samples, width]`; these have shape {array.shape}."
        )
    if len(array) < 2:
        raise ValueError(
            f"a Fréchet distance needs 2 samples or more; there are {len(array)} {side}."
        )
    if not np.isfinite(array).all():
        wrong = int((~np.isfinite(array)).any(1).sum())
        raise ValueError(f"features of {side}: {wrong} of {len(array)} hold NaN or infinities.")
    return array
