"""FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500) with the published Inception."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from frostbench.eval_suites.metrics.image_pair import check_pixels
from frostbench.eval_suites.metrics.weights import read_weights, weight_file
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import ImageFeatures, MetricContext

KEY = "inception-v3-pt"
WANTED = "pytorch-fid's Inception (weights-inception-2015-12-05-6726825d.pth of torch-fidelity)"


def fid_inception(context: MetricContext) -> ImageFeatures:
    """`fid[inception-v3-pt]`: features by the published network; lower distances are better.

    torch-fidelity's extractor: images rounded to 8 bits, resized to 299 as TensorFlow 1 did, 2048
    pooled features. V2L's evaluation does not round, which moves the value a little. Compare at
    equal n only: the distance of few samples is biased upwards.

    Raises:
        ValueError: no weight file is named, it cannot be read, or it is another network's.
    """
    name = f"fid[{KEY}]"
    path = weight_file(context, name, KEY, WANTED)
    # The extractor unpickles whatever the file holds; this refuses what is no state dict.
    read_weights(name, path)
    state = torch.random.get_rng_state()
    try:
        network = FeatureExtractorInceptionV3(
            KEY, ["2048"], feature_extractor_weights_path=str(path)
        )
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(f"{name}: {path} is not {WANTED}: {first}") from error
    finally:
        torch.random.set_rng_state(state)

    def features(images: Sequence[Image]) -> npt.NDArray[np.float32]:
        rows = []
        for image in images:
            check_pixels(name, image.pixels)
            bytes_ = (image.pixels.clamp(0, 1) * 255).round().to(torch.uint8)
            with torch.inference_mode():
                rows.append(network(bytes_[None])[0])
        return torch.cat(rows).numpy()

    return features
