"""FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500) with the published Inception."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from frostbench.eval_suites.metrics.weights import read_weights, weight_file
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import ImageFeatures, MetricContext
from frostbench.plugins.contract.validity import check_image

KEY = "inception-v3-pt"
WANTED = "pytorch-fid's Inception (weights-inception-2015-12-05-6726825d.pth of torch-fidelity)"


SIDE = 299


def fid_inception(context: MetricContext) -> ImageFeatures:
    """`fid[inception-v3-pt]`: features by the published network; lower distances are better.

    torch-fidelity's extractor: images rounded to 8 bits, resized to 299 as TensorFlow 1 did, 2048
    pooled features. Compare at equal n only: the distance of few samples is biased upwards.

    Raises:
        ValueError: no weight file is named, it cannot be read, or it is another network's.
    """
    network = _network(context, f"fid[{KEY}]")

    def of_image(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "1 2048"]:
        bytes_ = (pixels.clamp(0, 1) * 255).round().to(torch.uint8)
        features: Float[Tensor, "1 2048"] = network(bytes_[None])[0]
        return features

    return _each(of_image)


def fid_inception_v2l(context: MetricContext) -> ImageFeatures:
    """`fid[inception-v2l]`: the same network as V2L-Tokenizer's evaluation uses it (pytorch-fid).

    Images are not rounded, are resized to 299 with bilinear weights between pixel centres, and are
    mapped to [-1, 1]. It stands beside the paper's figures and is not comparable with the other.

    Raises:
        ValueError: no weight file is named, it cannot be read, or it is another network's.
    """
    network = _network(context, "fid[inception-v2l]")
    # All that the extractor runs after resizing, except the classifier.
    trunk = torch.nn.Sequential(*list(network.children())[:-1])

    def of_image(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "1 2048"]:
        sized = interpolate(
            pixels[None].clamp(0, 1), size=(SIDE, SIDE), mode="bilinear", align_corners=False
        )
        features: Float[Tensor, "1 2048"] = trunk(2 * sized - 1).flatten(1)
        return features

    return _each(of_image)


def _each(of_image: Callable[[Tensor], Tensor]) -> ImageFeatures:
    def features(images: Sequence[Image]) -> npt.NDArray[np.float32]:
        rows = []
        for image in images:
            check_image(image.pixels)
            with torch.inference_mode():
                rows.append(of_image(image.pixels))
        return torch.cat(rows).numpy()

    return features


def _network(context: MetricContext, name: str) -> Any:
    path = weight_file(context, name, KEY, WANTED)
    # The extractor would unpickle anything in the file; this refuses all but a state dict.
    read_weights(name, path)
    state = torch.random.get_rng_state()
    try:
        return FeatureExtractorInceptionV3(KEY, ["2048"], feature_extractor_weights_path=str(path))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(f"{name}: {path} is not {WANTED}: {first}") from error
    finally:
        torch.random.set_rng_state(state)
