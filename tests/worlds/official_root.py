"""One folder with everything that authors publish in it, each file where the pack looks for it."""

import annotation_trees
import official_files
import torch

INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
ALEXNET = "alexnet-owt-7be5be79.pth"


def fill(root):
    """Every part of the pack `paper`, with random weights and reduced sizes."""
    for folder in ("Llama-2-7b-hf", "Llama-2-7b-chat-hf"):
        official_files.llama(root / folder)
    official_files.openai_clip(root / "ViT-L-14.pt")
    official_files.mae(root / "vit-mae-r")
    official_files.llava(root / "llava-1.5-7b-hf")
    torch.save(official_files.sam().state_dict(), root / "sam_vit_l_0b3195.pth")
    official_files.roberta(root / "roberta-base")
    for codes in (1024, 16384):
        place = root / f"vqgan_imagenet_f16_{codes}" / "checkpoints" / "last.ckpt"
        official_files.vqgan(place, official_files.F16)
    gumbel = root / "vqgan_gumbel_f8" / "checkpoints" / "last.ckpt"
    official_files.vqgan(gumbel, official_files.F8, gumbel=True)
    official_files.v2l(root)
    official_files.lqae(root / "lqae.msgpack")
    official_files.lm4lv(root / "lm4lv" / "pytorch_model.pt")
    official_files.flmm(root / "frozen_llava_1_5_vicuna_7b_unet_sam_l_refcoco_png.pth")
    official_files.inception(root / INCEPTION)
    official_files.alexnet(root / ALEXNET)
    annotation_trees.imagenet(root / "imagenet", 12)
    annotation_trees.episodes(root / "fewshot", shots=3)
    annotation_trees.coco(root / "coco", range(14, 0, -1))
    annotation_trees.pairs(root / "noisy", 4)
    annotation_trees.refcoco(root / "refer", split="val")
    annotation_trees.png(root / "png")
    annotation_trees.viscot(root / "viscot")
    annotation_trees.pope(root / "pope")
    return root
