"""Stand-ins for the files that authors publish: their layouts, random weights, reduced sizes.

What shapes do not tell a converter is as published: 32 groups, 8 heads of V2L's cross-attention and
of SAM's decoder, 12 of LQAE's networks, heads of width 64 in CLIP.
"""

import msgpack
import numpy as np
import torch
from lqae_world import flax
from torch import nn

from frostbench.baselines.flmm.model import Heads, HeadSettings
from frostbench.baselines.flmm.unet import UNetSettings
from frostbench.baselines.lm4lv.model import Adapters, AdapterSettings
from frostbench.baselines.lqae.model import LQAE, LQAESettings
from frostbench.baselines.lqae.vit import ViTSettings
from frostbench.baselines.vqgan.model import VQGAN, VQGANSettings
from frostbench.plugins.backbones.sam_sizes import SamSettings, build_sam
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings
from frostbench.v2l.model import V2LSettings, V2LTokenizer

F16 = NetworkSettings(32, (1, 1, 1, 1, 1), 1, (), z_channels=4)
F8 = NetworkSettings(32, (1, 1, 1, 1), 1, (), z_channels=4)
CLIP_WIDTH = 16
TOKENS = 320  # of the toy language model
SAM = SamSettings(
    image_size=16,
    patch=4,
    width=16,
    depth=1,
    heads=2,
    global_blocks=(0,),
    window=0,
    prompt_width=16,
    mask_channels=16,
    decoder_depth=1,
    decoder_inner=16,
    quality_depth=2,
    quality_width=8,
)
MLM_WIDTH = 24
VIT = ViTSettings(image_size=16, patch=4, width=MLM_WIDTH, layers=1, heads=12, inner=8)


def random_(module, seed=0, spread=1.0):
    """A module with other numbers everywhere, in evaluation mode."""
    draw = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = (torch.rand(parameter.shape, generator=draw) - 0.5) * spread
    return module.eval()


def vqgan(path, network=F16, gumbel=False):
    """A Lightning checkpoint of taming-transformers, with what only its training needs."""
    model = random_(VQGAN(VQGANSettings(network, codes=32, embed_width=4, gumbel=gumbel)))
    state = {**model.state_dict(), "loss.logvar": torch.zeros(1)}
    return saved({"state_dict": state, "epoch": 1}, path)


def v2l(folder, tokens=TOKENS):
    """V2L's checkpoint and its global vocabulary, an array of pickled texts."""
    sizes = V2LSettings(F8, local_words=tokens, global_words=24, embed_width=CLIP_WIDTH)
    model = random_(V2LTokenizer(sizes))
    state = {**model.state_dict(), "global_encoder.proj": torch.zeros(2).half()}
    saved({"model": state, "epoch": 1}, folder / "checkpoints" / "v2l-decode.pth")
    (folder / "codebooks").mkdir()
    words = np.array([f"w{number}" for number in range(24)], dtype=object)
    np.save(folder / "codebooks" / "global_vocabulary.npy", words, allow_pickle=True)


def lqae(path, network=VIT):
    """LQAE's parameters as Flax names them, in `.npz` or in Flax's msgpack, and the model."""
    model = random_(LQAE(LQAESettings(network, ban_special=False)))
    parameters = flax(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **parameters)
    else:
        path.write_bytes(msgpack.packb({"params": _tree(parameters)}))
    return path, model


def _tree(parameters):
    tree: dict = {}
    for name, array in parameters.items():
        *above, last = name.split("/")
        at = tree
        for part in above:
            at = at.setdefault(part, {})
        at[last] = flax_array(array)
    return tree


def flax_array(tensor):
    """An array as `flax.serialization` packs it."""
    array = np.ascontiguousarray(tensor)
    return msgpack.ExtType(1, msgpack.packb((array.shape, array.dtype.name, array.tobytes())))


def lm4lv(path, ranks=()):
    """Adapters in bf16, between the toy MAE and the toy language model, and a LoRA beside them."""
    adapters = random_(Adapters(AdapterSettings(16, 32, 10, ("denoising",))), spread=0.1)
    content = {name: tensor.bfloat16() for name, tensor in adapters.state_dict().items()}
    for layer, rank in enumerate(ranks):
        for letter, shape in (("A", (rank, 32)), ("B", (32, rank))):
            name = f"layers.{layer}.self_attn.q_proj.lora_{letter}.default.weight"
            content[f"llama_model.base_model.model.model.{name}"] = torch.ones(shape)
    return saved(content, path)


def flmm(path):
    """Heads for the toy LLaVA, flat, with a buffer that is no weight."""
    settings = HeadSettings(UNetSettings(channels=8, widths=(4, 6)), layers=2, width=32)
    heads = random_(Heads(settings, sam()), 3)
    return saved({**heads.state_dict(), "llava.rotary_emb.inv_freq": torch.zeros(2)}, path)


def sam():
    """A SAM of segment-anything."""
    with toys.seeded():
        return build_sam(SAM)


class Held(nn.Module):
    """Tensors under their names, as an archive of TorchScript holds them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def archive(state, path):
    """An archive of TorchScript, as OpenAI publishes its CLIPs."""
    root = Held()
    for name, tensor in state.items():
        *above, last = name.split(".")
        at = root
        for part in above:
            if not hasattr(at, part):
                at.add_module(part, Held())
            at = getattr(at, part)
        at.register_buffer(last, tensor)
    torch.jit.trace(root, torch.zeros(1)).save(str(path))
    return path


def openai_clip(path, words=49408):
    """OpenAI's CLIP with one layer in each tower, of one head of width 64."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    vision = CLIPVisionCfg(layers=1, width=64, head_width=64, patch_size=8, image_size=16)
    text = CLIPTextCfg(context_length=77, vocab_size=words, width=64, heads=1, layers=1)
    with toys.seeded():
        model = CLIP(embed_dim=CLIP_WIDTH, vision_cfg=vision, text_cfg=text, quick_gelu=True)
    state = {name: t for name, t in model.state_dict().items() if name != "attn_mask"}
    return archive({**state, "input_resolution": torch.tensor(16)}, path)


def roberta(folder):
    """A masked language model of transformers, as wide as LQAE's features."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    toy = toys.mlm()
    config = RobertaConfig(
        **{
            **{k: getattr(toy.model.config, k) for k in ("vocab_size", "pad_token_id")},
            "hidden_size": MLM_WIDTH,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": toy.model.config.max_position_embeddings,
            "type_vocab_size": 1,
            "bos_token_id": toy.model.config.bos_token_id,
            "eos_token_id": toy.model.config.eos_token_id,
        }
    )
    with toys.seeded():
        RobertaForMaskedLM(config).save_pretrained(folder)
    toy.tokenizer.save_pretrained(folder)


def mae(folder):
    """A masked autoencoder in HF's layout."""
    toys.mae().model.save_pretrained(folder)


def llama(folder):
    """A language model in HF's layout."""
    llm = toys.llm()
    llm.model.save_pretrained(folder)
    llm.tokenizer.save_pretrained(folder)


def llava(folder):
    """A LLaVA-1.5 in HF's layout."""
    lmm = toys.lmm()
    lmm.model.save_pretrained(folder)
    lmm.processor.save_pretrained(folder)


def alexnet(path):
    """The part of torchvision's AlexNet that LPIPS reads."""
    from torchvision.models import alexnet as build

    with toys.seeded():
        features = build(weights=None).features.state_dict()
    return saved({f"features.{name}": tensor for name, tensor in features.items()}, path)


def inception(path):
    """The Inception of pytorch-fid, at its full size."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Random(FeatureExtractorInceptionV3):
        def load_state_dict(self, *args, **kwargs):
            return None

    with toys.seeded():
        empty = saved({}, path)
        network = Random("random", ["2048"], feature_extractor_weights_path=str(empty))
    saved(network.state_dict(), path)
    return network


def saved(content, path):
    """A file of `torch.save`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path
