"""Picks the heads of a pack's multimodal model, without any mask.

Section 3.2 has two criteria: heads that look at the image, and of these the ones whose attention is
compact most often. The published code compares numbers of heads with that of the elbow; here, as in
the paper, their sums are compared.
"""

from collections import Counter
from dataclasses import replace
from time import perf_counter

import torch
from scipy.ndimage import sum_labels
from torch.special import entr

from few_heads.method import FewHeadsSettings, asked, maps_of
from frostbench.plugins import Image, Report
from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.engine import FrozenEngine
from frostbench.plugins.parts.grounding.masks import parts_of
from frostbench.plugins.parts.training import folder

MINI = FewHeadsSettings(samples=300, lowest=3)  # its model has 16 heads, LLaVA-1.5-7B 1,024


def spatial_entropy(map):
    """Section 3.2: over how many parts the attention above the mean is scattered, in nats."""
    above = (map - map.mean()).relu().numpy()
    labels, count = parts_of(above > 0)
    sums = torch.tensor(sum_labels(above, labels, range(1, count + 1)))
    return entr(sums / sums.sum()).sum().item() if count else float("inf")


def elbow(sums):
    """The elbow: the sorted sum that is farthest from the chord between first and last."""
    found = sums.sort().values
    chord = torch.linspace(0, 1, len(found)) * (found[-1] - found[0]) + found[0]
    return found[(found - chord).abs().argmax()]


def pick(several, own):
    """Section 3.2: of the heads that look at the image, those that are compact most often."""
    sums = torch.stack([maps.sum((2, 3)) for maps in several]).mean(0)
    looking = [tuple(at) for at in (sums >= elbow(sums.flatten())).nonzero().tolist()]
    compact = Counter()
    for maps in several:
        compact.update(sorted(looking, key=lambda at: spatial_entropy(maps[at]))[: own.lowest])
    return tuple(head for head, _ in compact.most_common(own.picked))


def train(workshop):
    """Pick on scenes of base classes, and write the heads to `pack/few_heads/config.json`."""
    entry = BackboneEntry("lmm", "lmm", str(workshop.pack / "lmm"))
    return picked(workshop, SharedBackbones([entry], workshop.device))


def picked(workshop, models):
    """The same for a loaded model."""
    begun = perf_counter()
    own = folder.override(MINI, workshop.settings, "recipe.few_heads")
    lmm, engine = models.get("lmm"), FrozenEngine(models)
    scenes = workshop.data.get("grounded").batch("base", own.samples, workshop.seed)
    several = []
    for scene in scenes:
        image = Image(torch.as_tensor(scene.pixels))
        (seen,) = engine.run([asked(lmm, image, scene.expressions[0], own)])
        several.append(maps_of(seen, lmm, image))
    found = replace(own, heads=pick(several, own))
    (workshop.pack / "few_heads").mkdir(parents=True, exist_ok=True)
    folder.save(workshop.pack / "few_heads", found, {}, "full")
    return Report(len(scenes), perf_counter() - begun, {}, settings={"heads": found.heads})
