"""Names and shapes of published checkpoints, written out from their configurations."""

from collections.abc import Iterator
from itertools import pairwise

Shapes = Iterator[tuple[str, tuple[int, ...]]]


def affine(name: str, width: int) -> Shapes:
    """A normalisation."""
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def conv(name: str, into: int, out: int, side: int) -> Shapes:
    """A convolution with its bias."""
    yield f"{name}.weight", (out, into, side, side)
    yield f"{name}.bias", (out,)


def residual(name: str, into: int, out: int) -> Shapes:
    """A residual block of VQ-GAN."""
    yield from affine(f"{name}.norm1", into)
    yield from conv(f"{name}.conv1", into, out, 3)
    yield from affine(f"{name}.norm2", out)
    yield from conv(f"{name}.conv2", out, out, 3)
    if into != out:
        yield from conv(f"{name}.nin_shortcut", into, out, 1)


def attention(name: str, width: int) -> Shapes:
    """A block of self-attention of VQ-GAN."""
    yield from affine(f"{name}.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        yield from conv(f"{name}.{part}", width, width, 1)


def middle(name: str, width: int) -> Shapes:
    """What stands between the levels of an encoder or a decoder."""
    yield from residual(f"{name}.mid.block_1", width, width)
    yield from attention(f"{name}.mid.attn_1", width)
    yield from residual(f"{name}.mid.block_2", width, width)


def autoencoder(multipliers: tuple[int, ...], attends: tuple[int, ...], embed: int) -> Shapes:
    """VQ-GAN's encoder and decoder of 128 channels, 256 pixels, two blocks a level, z of 256."""
    widths = [128 * factor for factor in multipliers]
    top = len(widths) - 1
    yield from conv("encoder.conv_in", 3, 128, 3)
    for level, (into, out) in enumerate(zip([128, *widths], widths, strict=False)):
        for block in range(2):
            yield from residual(f"encoder.down.{level}.block.{block}", out if block else into, out)
            if 256 >> level in attends:
                yield from attention(f"encoder.down.{level}.attn.{block}", out)
        if level < top:
            yield from conv(f"encoder.down.{level}.downsample.conv", out, out, 3)
    yield from middle("encoder", widths[-1])
    yield from affine("encoder.norm_out", widths[-1])
    yield from conv("encoder.conv_out", widths[-1], 256, 3)
    yield from conv("decoder.conv_in", 256, widths[-1], 3)
    yield from middle("decoder", widths[-1])
    into = widths[-1]
    for level in reversed(range(top + 1)):
        for block in range(3):
            yield from residual(f"decoder.up.{level}.block.{block}", into, widths[level])
            into = widths[level]
            if 256 >> level in attends:
                yield from attention(f"decoder.up.{level}.attn.{block}", into)
        if level:
            yield from conv(f"decoder.up.{level}.upsample.conv", into, into, 3)
    yield from affine("decoder.norm_out", into)
    yield from conv("decoder.conv_out", into, 3, 3)
    yield from conv("quant_conv", 256, embed, 1)
    yield from conv("post_quant_conv", embed, 256, 1)


def vqgan(name: str) -> Shapes:
    """f16 with 1,024 or 16,384 codes, or f8 with 8,192 by Gumbel-softmax."""
    if name == "f8-gumbel":
        yield from autoencoder((1, 1, 2, 4), (32,), 256)
        yield "quantize.embed.weight", (8192, 256)
        yield from conv("quantize.proj", 256, 8192, 1)
    else:
        yield from autoencoder((1, 1, 2, 2, 4), (16,), 256)
        yield "quantize.embedding.weight", (int(name.removeprefix("f16-")), 256)


def v2l() -> Shapes:
    """V2L-Tokenizer without its CLIP tower, discriminator and perceptual loss."""
    yield from autoencoder((1, 2, 2, 4), (), 768)
    heads = "decoder.mid.cross_attn_1"
    yield f"{heads}.to_q.weight", (4096, 512)
    yield f"{heads}.to_k.weight", (4096, 768)
    yield f"{heads}.to_v.weight", (4096, 768)
    yield f"{heads}.to_out.0.weight", (512, 4096)
    yield f"{heads}.to_out.0.bias", (512,)
    yield "tok_embeddings.weight", (32000, 768)
    yield "tok_embeddings_global.weight", (11908, 768)
    yield "codebook_projection.weight", (768, 768)
    yield "codebook_projection.bias", (768,)


def lqae() -> Shapes:
    """LQAE's networks as Flax names them."""
    for network in ("encoder", "decoder"):
        yield f"{network}/pos_embedding", (1, 16, 16, 768)
        for number in range(12):
            block = f"{network}/Transformer_0/{number}"
            norms = {"LayerNorm_0": 768, "LayerNorm_1": 768}
            for norm, width in {
                **norms,
                "GLU_0/layernorm_0": 768,
                "GLU_0/layernorm_1": 3072,
            }.items():
                yield f"{block}/{norm}/scale", (width,)
                yield f"{block}/{norm}/bias", (width,)
            for part in range(4):
                yield f"{block}/Attention_0/Dense_{part}/kernel", (768, 768)
            yield f"{block}/GLU_0/fc1/kernel", (768, 3072)
            yield f"{block}/GLU_0/fc2/kernel", (768, 3072)
            yield f"{block}/GLU_0/mid_ffn_conv/kernel", (3, 3, 1, 3072)
            yield f"{block}/GLU_0/fc_out/kernel", (3072, 768)
    yield "encoder/ConvPatches_0/patch_embeds/kernel", (16, 16, 3, 768)
    yield "decoder/ConvTranspose_0/kernel", (16, 16, 768, 3)
    yield "decoder/ConvTranspose_0/bias", (3,)


def flmm(channels: int, layers: int, width: int) -> Shapes:
    """F-LMM's U-Net and its weights of layers and texts; SAM's parts stand beside them."""
    widths, above = (64, 128, 256, 512), channels
    block = "mask_head.encoder.{}.{}.convs.{}"
    for stage, own in enumerate(widths):
        for number, into in enumerate((above, own)):
            # The first stage has nothing to make smaller before it.
            name = block.format(stage, int(stage > 0), number)
            yield f"{name}.conv.weight", (own, into, 3, 3)
            yield from affine(f"{name}.gn", own)
        above = own
    for stage, (own, below) in enumerate(pairwise(widths)):
        for number, into in enumerate((2 * own, own)):
            name = f"mask_head.decoder.{stage}.conv_block.convs.{number}"
            yield f"{name}.conv.weight", (own, into, 3, 3)
            yield from affine(f"{name}.gn", own)
        name = f"mask_head.decoder.{stage}.upsample.interp_upsample.1"
        yield f"{name}.conv.weight", (own, below, 1, 1)
        yield from affine(f"{name}.gn", own)
    yield from conv("mask_head.conv_seg", 64, 1, 1)
    yield "text_layer_weights", (layers,)
    yield "text_proj.weight", (256, width)
    yield "text_proj.bias", (256,)


def llama(prefix: str = "", rows: int = 32000) -> Shapes:
    """LLaMA-2-7B, and Vicuna-7B in LLaVA."""
    yield f"{prefix}model.embed_tokens.weight", (rows, 4096)
    for number in range(32):
        layer = f"{prefix}model.layers.{number}"
        for part in "qkvo":
            yield f"{layer}.self_attn.{part}_proj.weight", (4096, 4096)
        for part in ("gate", "up"):
            yield f"{layer}.mlp.{part}_proj.weight", (11008, 4096)
        yield f"{layer}.mlp.down_proj.weight", (4096, 11008)
        yield f"{layer}.input_layernorm.weight", (4096,)
        yield f"{layer}.post_attention_layernorm.weight", (4096,)
    yield f"{prefix}model.norm.weight", (4096,)
    yield f"{prefix}lm_head.weight", (rows, 4096)


def openai_clip() -> Shapes:
    """ViT-L/14 in OpenAI's archive, without the three numbers that are no weights."""
    yield "visual.class_embedding", (1024,)
    yield "visual.positional_embedding", (257, 1024)
    yield "visual.proj", (1024, 768)
    yield "visual.conv1.weight", (1024, 3, 14, 14)
    yield from affine("visual.ln_pre", 1024)
    yield from affine("visual.ln_post", 1024)
    yield "positional_embedding", (77, 768)
    yield "text_projection", (768, 768)
    yield "logit_scale", ()
    yield "token_embedding.weight", (49408, 768)
    yield from affine("ln_final", 768)
    for tower, layers, width in (("visual.", 24, 1024), ("", 12, 768)):
        for number in range(layers):
            name = f"{tower}transformer.resblocks.{number}"
            yield f"{name}.attn.in_proj_weight", (3 * width, width)
            yield f"{name}.attn.in_proj_bias", (3 * width,)
            yield f"{name}.attn.out_proj.weight", (width, width)
            yield f"{name}.attn.out_proj.bias", (width,)
            yield from affine(f"{name}.ln_1", width)
            yield from affine(f"{name}.ln_2", width)
            yield f"{name}.mlp.c_fc.weight", (4 * width, width)
            yield f"{name}.mlp.c_fc.bias", (4 * width,)
            yield f"{name}.mlp.c_proj.weight", (width, 4 * width)
            yield f"{name}.mlp.c_proj.bias", (width,)
