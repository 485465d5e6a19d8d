"""FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500) with the published Inception."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from frostbench.eval_suites.metrics.frechet import frechet_distance
from frostbench.eval_suites.metrics.image_pair import check_pixels
from frostbench.eval_suites.metrics.weights import read_weights, weight_file
from frostbench.plugins.backbones import weights
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import MetricContext

KEY = "inception-v3-pt"
WANTED = "pytorch-fid's Inception (weights-inception-2015-12-05-6726825d.pth of torch-fidelity)"


class FidInception:
    """`fid[inception-v3-pt]`: lower is better; compare at equal n only (see `frechet_distance`).

    torch-fidelity's extractor: images rounded to 8 bits, resized to 299 as TensorFlow 1 did, 2048
    pooled features. V2L's evaluation does not round, which moves the value a little. `identity` is
    the SHA-256 of the weight file.

    Raises:
        ValueError: no weight file is named, it cannot be read, or it is another network's.
    """

    def __init__(self, context: MetricContext) -> None:
        self.id = f"fid[{KEY}]"
        self.higher_is_better = False
        self.unit = ""
        self.lower: float | None = 0.0
        self.upper: float | None = None
        path = weight_file(context, self.id, KEY, WANTED)
        # The extractor unpickles whatever the file holds; this refuses what is no state dict.
        read_weights(self.id, path)
        state = torch.random.get_rng_state()
        try:
            self._network = FeatureExtractorInceptionV3(
                KEY, ["2048"], feature_extractor_weights_path=str(path)
            )
        except RuntimeError as error:
            first = " ".join(str(error).split())[:300]
            raise ValueError(f"{self.id}: {path} is not {WANTED}: {first}") from error
        finally:
            torch.random.set_rng_state(state)
        self.identity = weights.digest(path)

    def features(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Features `[n, 2048]`.

        Raises:
            ValueError: an image holds NaN or values outside [0, 1].
        """
        rows = []
        for image in images:
            check_pixels(self.id, image.pixels)
            bytes_ = (image.pixels.clamp(0, 1) * 255).round().to(torch.uint8)
            with torch.inference_mode():
                rows.append(self._network(bytes_[None])[0])
        return torch.cat(rows).numpy()

    def __call__(
        self,
        predictions: npt.NDArray[np.floating[Any]],
        targets: npt.NDArray[np.floating[Any]],
    ) -> float:
        """The distance of two sets of features; see `frechet_distance`."""
        return frechet_distance(predictions, targets)
