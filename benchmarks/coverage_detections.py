"""How often an interval of an average precision covers, and how often equal rows are told apart.

python benchmarks/coverage_detections.py [REPEATS [IMAGES]]

Draws images with 1 to 4 things of ten classes, and detectors that miss some of them, find some in a
wrong place, and find what is not there. The truth is what such a detector scores on very many
images: so many (20,000). The tables are those of docs/trust/statistics.md.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from frostbench.bench.statistics import AveragePrecision, Estimate, Inference, compare
from frostbench.plugins.contract.matches import ClassMatches

INFERENCE = Inference()
CLASSES = 10
IMAGES = (40, 48, 96)
MANY = 20_000  # images that stand for all


@dataclass(frozen=True)
class Detector:
    """How often it finds a thing, how much higher it scores one, and what it sees besides.

    Attributes:
        finds: the share of things that it finds.
        apart: by how much the score of a thing is above that of anything else, on the mean, in
            standard deviations.
        ghosts: detections in an image of what is not there, on the mean.
    """

    finds: float
    apart: float
    ghosts: float


DETECTORS = {
    "good": Detector(0.95, 2.0, 0.3),
    "fair": Detector(0.8, 1.0, 1.0),
    "poor": Detector(0.5, 0.3, 3.0),
    "bad": Detector(0.15, 0.0, 3.0),
}
THRESHOLDS = {"ap50": (0.5,), "ap": tuple(np.arange(0.5, 1, 0.05).tolist())}


def rows(
    detectors: Sequence[Detector], images: int, thresholds: Sequence[float], seed: object
) -> list[AveragePrecision]:
    """What detectors score on the same images; the scores of one image lie together."""
    draw = np.random.default_rng(seed)
    entries: list[list[tuple[str, str, list[ClassMatches]]]] = [[] for _ in detectors]
    for number in range(images):
        things = draw.integers(0, CLASSES, draw.integers(1, 5))
        light = 0.5 * draw.normal()
        for mine, detector in zip(entries, detectors, strict=True):
            matches = _matches(things.tolist(), light, detector, thresholds, draw)
            mine.append((f"{number:06}", f"{number:06}", matches))
    return [AveragePrecision.of(mine) for mine in entries]


def _matches(
    things: Sequence[int],
    light: float,
    detector: Detector,
    thresholds: Sequence[float],
    draw: np.random.Generator,
) -> list[ClassMatches]:
    found: dict[int, list[tuple[float, str]]] = {name: [] for name in things}
    for name in things:
        if draw.random() < detector.finds:
            overlap = draw.beta(6, 2)
            mark = "".join("+" if overlap >= threshold else "-" for threshold in thresholds)
            found[name].append((detector.apart + light + draw.normal(), mark))
    for name in draw.integers(0, CLASSES, draw.poisson(detector.ghosts)).tolist():
        found.setdefault(name, []).append((light + draw.normal(), "-" * len(thresholds)))
    return [
        ClassMatches(
            str(name),
            things.count(name),
            tuple(float(score) for score, _ in several),
            tuple(mark for _, mark in several),
        )
        for name, several in found.items()
    ]


@cache
def truth(detector: Detector, thresholds: tuple[float, ...], many: int) -> float:
    """What the detector scores on very many images."""
    (row,) = rows([detector], many, thresholds, 0)
    found = row.jackknife
    assert found is not None
    return found.value


def covers(found: Estimate | None, true: float) -> bool | None:
    """Whether the interval holds the truth; None where there is no interval."""
    if found is None or found.low is None or found.high is None:
        return None
    return found.low <= true <= found.high


def of_one(metric: str, kind: str, images: int, seed: int, many: int = MANY) -> bool | None:
    """Whether the interval of a detector holds what it is worth."""
    (row,) = rows([DETECTORS[kind]], images, THRESHOLDS[metric], (seed, images))
    return covers(row.estimate(INFERENCE), truth(DETECTORS[kind], THRESHOLDS[metric], many))


def of_two(metric: str, kinds: str, images: int, seed: int, many: int = MANY) -> bool | None:
    """Whether the interval of a difference does."""
    one, two = (DETECTORS[kind] for kind in kinds.split(" - "))
    mine, yours = rows([one, two], images, THRESHOLDS[metric], (seed, images))
    true = truth(one, THRESHOLDS[metric], many) - truth(two, THRESHOLDS[metric], many)
    return covers(mine.difference(yours, INFERENCE), true)


def told_apart(metric: str, kind: str, images: int, seed: int) -> bool:
    """Whether two detectors that are equally good are told apart."""
    pair = rows([DETECTORS[kind]] * 2, images, THRESHOLDS[metric], (seed, images))
    return compare([(pair[0], pair[1])], INFERENCE)[0].sign != 0


def share(found: Sequence[bool | None]) -> str:
    """Percent of those that made a claim, and in brackets percent that made none."""
    claims = [one for one in found if one is not None]
    said = f"{100 * sum(claims) / len(claims):.1f}" if claims else "-"
    none = 100 * (1 - len(claims) / len(found))
    return f"{said} ({none:.0f} none)" if none >= 0.5 else said


def table(
    title: str,
    kinds: Sequence[str],
    one: Callable[[str, str, int, int], bool | None],
    repeats: int,
    metrics: Sequence[str] = tuple(THRESHOLDS),
) -> None:
    """One line a metric and detector, one column a number of images."""
    print(f"\n{title}\n\n| | {' | '.join(f'{count} images' for count in IMAGES)} |")
    print("|---|" + "---:|" * len(IMAGES))
    for metric in metrics:
        for kind in kinds:
            cells = [
                share([one(metric, kind, count, seed) for seed in range(repeats)])
                for count in IMAGES
            ]
            print(f"| {metric}, {kind} | {' | '.join(cells)} |", flush=True)


def main(repeats: int = 500, many: int = MANY) -> None:
    for metric, thresholds in THRESHOLDS.items():
        worth = ", ".join(
            f"{name} {truth(one, thresholds, many):.3f}" for name, one in DETECTORS.items()
        )
        print(f"{metric}: {worth}", flush=True)
    table("Coverage of average precision (%)", list(DETECTORS), partial(of_one, many=many), repeats)
    pairs = ("good - fair", "fair - poor", "poor - poor")
    table("Coverage of differences (%)", pairs, partial(of_two, many=many), repeats)
    table("Equal rows told apart (%)", list(DETECTORS), told_apart, repeats, ["ap50"])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
