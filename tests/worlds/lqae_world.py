"""An LQAE that runs in milliseconds, its training, and its parameters as Flax writes them."""

import numpy as np
import torch

from frostbench.baselines.lqae.model import LQAESettings
from frostbench.baselines.lqae.recipe import LQAERecipe
from frostbench.baselines.lqae.training import LQAETrainingSettings
from frostbench.baselines.lqae.vit import ViTSettings

NETWORK = ViTSettings(image_size=16, patch=4, width=32, layers=1, heads=2, inner=16, spread=0.2)
SIZES = LQAESettings(NETWORK)
RECIPE = LQAERecipe(
    SIZES,
    LQAETrainingSettings(
        steps=8,
        batch=2,
        rate=2e-3,
        warmup_steps=2,
        mask_steps=(1, 5),
        lesson_steps=3,
        lesson_clusters=16,
    ),
    pool_batches=4,
    validation_batches=2,
)


DENSE = ("query", "key", "value", "out")


def norm(layer):
    return {"scale": layer.weight.numpy(), "bias": layer.bias.numpy()}


def tree(network, prefix):
    found = {f"{prefix}/pos_embedding": network.positions.numpy()[None]}
    for number, block in enumerate(network.blocks):
        at = f"{prefix}/Transformer_0/{number}"
        glu = block.feed_forward
        layers = {
            "LayerNorm_0": norm(block.norm),
            "LayerNorm_1": norm(block.norm_after),
            "GLU_0/layernorm_0": norm(glu.norm),
            "GLU_0/layernorm_1": norm(glu.inner_norm),
            "GLU_0/fc1": {"kernel": glu.gate.weight.numpy().T},
            "GLU_0/fc2": {"kernel": glu.up.weight.numpy().T},
            "GLU_0/fc_out": {"kernel": glu.down.weight.numpy().T},
            "GLU_0/mid_ffn_conv": {"kernel": np.transpose(glu.around.weight.numpy(), (2, 3, 1, 0))},
        }
        for place, name in enumerate(DENSE):
            weight = getattr(block.attention, name).weight.numpy()
            layers[f"Attention_0/Dense_{place}"] = {"kernel": weight.T}
        for layer, values in layers.items():
            found |= {f"{at}/{layer}/{name}": value for name, value in values.items()}
    return found


def flax(model):
    """Parameters as the published code names them, axes as Flax orders them."""
    with torch.no_grad():
        found = {**tree(model.encoder, "encoder"), **tree(model.decoder, "decoder")}
        found["encoder/ConvPatches_0/patch_embeds/kernel"] = np.transpose(
            model.encoder.patches.weight.numpy(), (2, 3, 1, 0)
        )
        kernel = np.transpose(model.decoder.pixels.weight.numpy(), (2, 3, 0, 1))
        found["decoder/ConvTranspose_0/kernel"] = kernel[::-1, ::-1]
        found["decoder/ConvTranspose_0/bias"] = model.decoder.pixels.bias.numpy()
    found["lang_model/lm_head/bias"] = np.zeros(3, np.float32)
    return found
