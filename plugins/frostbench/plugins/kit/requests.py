"""Requests of every type, small, with images of several sizes."""

import torch

from frostbench.plugins.contract.detection import Detect, Locate, SegmentInstances
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import (
    Answer,
    Caption,
    Classify,
    Ground,
    HeldOutContext,
    Interpret,
    LabelledImage,
    NamedThought,
    NoThought,
    OracleContext,
    OracleThought,
    QuestionThought,
    Reason,
    Reconstruct,
    Refine,
    Request,
    Restore,
    RestoredPair,
    Segment,
    spans_in,
)

SIZES = ((24, 24), (20, 32), (33, 17), (24, 24), (16, 16), (40, 24))
NARRATIVE = "A red ball lies beside a dog."


def images() -> list[Image]:
    """Six different images: patches of flat colour with a little noise."""
    draw = torch.Generator().manual_seed(0)
    made = []
    for number, (height, width) in enumerate(SIZES):
        patches = torch.rand(1, 3, 3, 3, generator=draw)
        flat = torch.nn.functional.interpolate(patches, (height, width), mode="nearest")[0]
        noise = 0.1 * torch.rand(3, height, width, generator=draw)
        made.append(Image((0.9 * flat + noise).clamp(0, 1), name=f"toy {number}"))
    return made


def requests() -> dict[str, list[Request]]:
    """Requests by the name of their type."""
    a, b, c, d, e, f = images()
    shots = (LabelledImage(a, "cat"), LabelledImage(b, "dog"))
    described = (LabelledImage(a, "a red ball"), LabelledImage(b, "a dog and a cat"))
    asked = (LabelledImage(a, "two", "How many?"), LabelledImage(b, "red", "Which colour?"))
    return {
        "Classify": [
            Classify("classify", c, shots, ("cat", "dog"), seed=1),
            Classify("classify repeated", d, shots, ("dog", "cat"), repeats=1, seed=2),
            Classify("classify free", e, shots, ("cat", "dog"), induction=False, seed=3),
        ],
        "Caption": [Caption("caption", c, described, seed=4), Caption("caption bare", d, seed=5)],
        "Answer": [
            Answer("answer", c, "How many?", asked, seed=6),
            Answer("answer bare", d, "Which colour?", seed=7),
        ],
        "Interpret": [Interpret("interpret", c, seed=16)],
        "Reconstruct": [Reconstruct(f"reconstruct {i.name}", i, seed=8) for i in (a, b, c)],
        "Restore": _restorations(a, b, c, d, e, f),
        "Segment": [
            Segment("segment", c, ("the red ball",), seed=13),
            Segment("segment two", d, ("a dog", "the red ball"), seed=17),
        ],
        "Ground": [
            Ground("ground", c, NARRATIVE, spans_in(NARRATIVE, ("A red ball", "a dog")), seed=14)
        ],
        "Reason": [
            Reason("reason", c, "Which colour?", seed=19),
            Reason("reason by name", d, "Which colour?", NamedThought(), seed=20),
            Reason("reason by question", d, "Which colour?", QuestionThought(), seed=20),
            Reason("reason at once", d, "Which colour?", NoThought(), seed=20),
            Reason(
                "reason in a box", d, "How many?", OracleThought((2.0, 3.0, 12.0, 9.0)), seed=21
            ),
        ],
        "Refine": [
            Refine("refine", c, ((2.0, 3.0, 12.0, 9.0),), seed=22),
            Refine("refine two", d, ((0.0, 0.0, 24.0, 24.0), (5.0, 5.0, 6.0, 6.0)), seed=23),
        ],
        "Detect": [Detect("detect", c, ("ball", "dog"), seed=15)],
        "SegmentInstances": [SegmentInstances("segment all", d, ("dog", "ball"), seed=24)],
        "Locate": [
            Locate("locate", c, ("the red ball",), seed=25),
            Locate("locate two", d, ("a dog", "the red ball"), seed=26),
        ],
    }


def _restorations(a: Image, b: Image, c: Image, d: Image, e: Image, f: Image) -> list[Request]:
    """Restorations of whole images and of parts, in both protocols, and with a `variant`."""
    height, width = a.size
    hidden = torch.zeros(height, width, dtype=torch.bool)
    hidden[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = True
    gap = Image(torch.where(hidden, torch.tensor(0.5), a.pixels), name="toy with a gap")
    blurred = Image(torch.nn.functional.avg_pool2d(a.pixels, 5, 1, 2), name="toy blurred")
    noise = torch.randn(a.pixels.shape, generator=torch.Generator().manual_seed(1))
    noisy = Image((a.pixels + 0.1 * noise).clamp(0, 1), name="toy with noise")
    turned = Image(torch.rot90(a.pixels, 1, (1, 2)).contiguous(), name="toy turned")
    pairs = HeldOutContext((RestoredPair(b, c), RestoredPair(d, e), RestoredPair(e, f)))
    return [
        Restore("deblur", blurred, "deblurring", OracleContext(a), seed=9),
        Restore("deblur held out", blurred, "deblurring", pairs, seed=10),
        Restore("inpaint", gap, "inpainting", OracleContext(a, examples=3), hidden, seed=11),
        Restore("inpaint held out", gap, "inpainting", pairs, hidden, seed=12),
        Restore("denoise", noisy, "denoising", pairs, seed=17),
        Restore("turn back", turned, "rotation", pairs, seed=18, variant="90"),
    ]
