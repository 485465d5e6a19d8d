"""How often an interval of 95 % covers, and how often equal rows are told apart.

python benchmarks/coverage.py [REPEATS]

Draws scores with a known truth, in 7, 12 and 40 clusters, and gives them to the statistics of the
leaderboard. A cluster is one sample, or 1 to 5 that share a part (half the variance for
"shared", all of it for "same"). The tables are those of docs/trust/statistics.md.

Of some hundred cells a few lie beyond a limit by chance alone. A cell in which equal rows are
told apart more often than in 6 % is drawn again, ten times as often and from another seed.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from frostbench.bench.statistics import (
    Bounds,
    Estimate,
    Inference,
    Interval,
    Jackknife,
    Sums,
    compare,
    difference,
    ranking,
    skewed_logit,
)

SHARE, ANY = Bounds(0.0, 1.0), Bounds()
INFERENCE = Inference()
CLUSTERS = (7, 12, 40)
LIMIT = 0.06  # of equal rows told apart
KINDS = ("normal", "exponential", "right 70 %", "right 90 %", "outliers")
TRUTH = {"normal": 0.0, "exponential": 1.0, "right 70 %": 0.7, "right 90 %": 0.9, "outliers": 1.0}
DESIGNS = ("single", "independent", "shared", "same")
SHARED = {"single": 0.0, "independent": 0.0, "shared": 0.5, "same": 1.0}


@dataclass(frozen=True, eq=False)
class Layout:
    """Which cluster each sample is in, and how much of a score its cluster decides."""

    rows: np.ndarray
    shared: float

    @staticmethod
    def drawn(clusters: int, design: str, generator: np.random.Generator) -> "Layout":
        """So many clusters, of 1 to 5 samples but where each sample is one."""
        sizes = generator.integers(1, 6, clusters) if design != "single" else np.ones(clusters, int)
        return Layout(np.repeat(np.arange(clusters), sizes), SHARED[design])

    def mixed(
        self, draw: Callable[[int], np.ndarray], generator: np.random.Generator
    ) -> np.ndarray:
        """Draws of the cluster for some samples, and of their own for the others."""
        ours = draw(int(self.rows[-1]) + 1)[self.rows]
        return np.where(generator.random(len(self.rows)) < self.shared, ours, draw(len(self.rows)))

    def scores(self, kind: str, generator: np.random.Generator) -> np.ndarray:
        """A score for each sample, of a kind with a known mean."""

        def draw(count: int) -> np.ndarray:
            match kind:
                case "normal":
                    return generator.normal(size=count)
                case "exponential":
                    return generator.exponential(size=count)
                case "outliers":
                    return generator.normal(size=count) + 10 * (generator.random(count) < 0.1)
            return np.where(generator.random(count) < TRUTH[kind], 1.0, 0.0)

        return self.mixed(draw, generator)

    def column(self, counts: Sequence[np.ndarray], pooling: str, bounds: Bounds) -> Sums:
        """The counts as a row of the leaderboard."""
        names = [(f"{i:04}", f"{row:03}") for i, row in enumerate(self.rows)]
        rows = zip(*(count.tolist() for count in counts), strict=True)
        return Sums.of(
            ((*name, row) for name, row in zip(names, rows, strict=True)), pooling, bounds
        )


def mean(layout: Layout, kind: str, generator: np.random.Generator, shift: float = 0.0) -> Sums:
    scores = layout.scores(kind, generator) + shift
    bounds = SHARE if kind.startswith("right") else ANY
    return layout.column((scores, np.ones_like(scores)), "mean", bounds)


def ratio(layout: Layout, kind: str, generator: np.random.Generator) -> Sums:
    """F1 of answers, cumulative IoU of masks of very different sizes, or a share of many."""
    count = len(layout.rows)
    if kind.startswith("f1"):
        right = layout.scores(f"right {kind[3:]}", generator)
        found = right * (generator.random(count) < 0.5)
        counts = (2 * found, 2 * found + 1 - right)
    elif kind == "cumulative iou":
        whole = generator.lognormal(size=count)
        share = layout.mixed(lambda n: generator.beta(2.5, 1.5, n), generator)
        counts = (share * whole, whole)
    else:
        whole = generator.integers(1, 30, count).astype(float)
        rate = layout.mixed(lambda n: generator.beta(3.0, 7.0, n), generator)
        counts = (generator.binomial(whole.astype(int), rate).astype(float), whole)
    return layout.column(counts, "ratio", SHARE)


RATIOS = {
    "f1 70 %": 0.7,
    "f1 90 %": 0.9,
    "cumulative iou": 0.625,
    "share of words": 0.3,
}


def average_precision(scores: np.ndarray, right: np.ndarray) -> float:
    """The area under the curve of precision against recall, without interpolation."""
    ordered = right[np.argsort(-scores, kind="stable")]
    if not ordered.any():
        return float("nan")
    precision = ordered.cumsum() / np.arange(1, len(ordered) + 1)
    return float((precision * ordered).sum() / ordered.sum())


def detections(layout: Layout, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    right = layout.scores("right 70 %", generator) > 0
    return right + generator.normal(size=len(right)), right


def ap_interval(layout: Layout, generator: np.random.Generator) -> Interval:
    """What is done with a value that is no sum: leave each cluster out."""
    scores, right = detections(layout, generator)
    value = average_precision(scores, right)
    clusters = np.unique(layout.rows)
    left = [average_precision(*(x[layout.rows != c] for x in (scores, right))) for c in clusters]
    weights = np.bincount(layout.rows, right) + 1e-9
    return skewed_logit(Jackknife(value, value - np.array(left), weights), INFERENCE.level)


def covers(found: Estimate | Interval | None, truth: float) -> bool | None:
    """Whether the interval holds the truth; None where there is no interval."""
    if found is None or found.low is None or found.high is None:
        return None
    return found.low - 1e-9 <= truth <= found.high + 1e-9


def share(found: Iterable[bool | None]) -> str:
    """Percent of those that made a claim, and in brackets percent that made none."""
    every = list(found)
    claims = [one for one in every if one is not None]
    said = f"{100 * sum(claims) / len(claims):.1f}" if claims else "-"
    none = 100 * (1 - len(claims) / len(every))
    return f"{said} ({none:.0f} none)" if none >= 0.5 else said


def line(cells: Iterable[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def table(
    title: str,
    kinds: Iterable[str],
    cell: Callable[[str, int, str], str],
    designs: Sequence[str] = DESIGNS,
) -> None:
    """One line a kind and number of clusters, one column a design."""
    print(f"\n{title}\n")
    line(["", "clusters", *designs])
    line(["---", *["---:"] * (1 + len(designs))])
    for kind in kinds:
        for clusters in CLUSTERS:
            line([kind, str(clusters), *(cell(kind, clusters, design) for design in designs)])


def of_means(kind: str, layout: Layout, generator: np.random.Generator) -> bool | None:
    found = mean(layout, kind, generator).estimate(INFERENCE)
    return covers(found, TRUTH[kind])


def of_differences(kind: str, layout: Layout, generator: np.random.Generator) -> bool | None:
    """Two rows that share what makes a sample hard; the second is worse by a known amount."""
    hard = mean(layout, kind, generator).counts[:, 0]
    if kind.startswith("right"):
        worse = hard * (generator.random(len(hard)) < 0.8)
        columns = [layout.column((x, np.ones_like(x)), "mean", SHARE) for x in (hard, worse)]
        truth = 0.2 * TRUTH[kind]
    else:
        own = [layout.scores(kind, generator) for _ in range(2)]
        columns = [
            layout.column((hard + x + d, np.ones_like(x)), "mean", ANY)
            for x, d in zip(own, (0.3, 0.0), strict=True)
        ]
        truth = 0.3
    found = difference(columns[0], columns[1], INFERENCE)
    return covers(found, truth)


def of_ratios(kind: str, layout: Layout, generator: np.random.Generator) -> bool | None:
    found = ratio(layout, kind, generator).estimate(INFERENCE)
    return covers(found, RATIOS[kind])


def of_apart_ratios(kind: str, layout: Layout, generator: np.random.Generator) -> bool | None:
    one, two = kind.split(" - ")
    found = difference(ratio(layout, one, generator), ratio(layout, two, generator), INFERENCE)
    return covers(found, RATIOS[one] - RATIOS[two])


def of_ap(truth: float, layout: Layout, generator: np.random.Generator) -> bool | None:
    return covers(ap_interval(layout, generator), truth)


def equal_rows(kind: str, layout: Layout, generator: np.random.Generator) -> bool:
    make = ratio if kind in RATIOS else mean
    return (
        compare([(make(layout, kind, generator), make(layout, kind, generator))], INFERENCE)[0].sign
        != 0
    )


def equal_methods(kind: str, layout: Layout, generator: np.random.Generator) -> bool:
    """Whether any two of 20 equal methods are told apart on one board."""
    make = ratio if kind in RATIOS else mean
    rows = {number: make(layout, kind, generator) for number in range(20)}
    found = ranking(rows, higher_is_better=True, inference=INFERENCE)
    return any((rank.low, rank.high) != (1, 20) for rank in found.ranks.values())


Draw: TypeAlias = Callable[[str, Layout, np.random.Generator], bool | None]


def drawn(
    one: Draw, kind: str, clusters: int, design: str, repeats: int, turn: int = 0
) -> list[bool | None]:
    """So many draws of a cell; each cell and turn has a seed of its own."""
    generator = np.random.default_rng((len(kind), clusters, DESIGNS.index(design), turn))
    layouts = (Layout.drawn(clusters, design, generator) for _ in range(repeats))
    return [one(kind, layout, generator) for layout in layouts]


def repeated(one: Draw, repeats: int) -> Callable[[str, int, str], str]:
    return lambda kind, clusters, design: share(drawn(one, kind, clusters, design, repeats))


def limited(one: Draw, repeats: int) -> Callable[[str, int, str], str]:
    """As `repeated`, but what is above the limit stands as it is in a second, longer turn."""

    def shown(kind: str, clusters: int, design: str) -> str:
        first = drawn(one, kind, clusters, design, repeats)
        if sum(map(bool, first)) <= LIMIT * repeats:
            return share(first)
        again = share(drawn(one, kind, clusters, design, 10 * repeats, turn=1))
        return f"{again} (again, after {share(first)})"

    return shown


def main(repeats: int) -> None:
    table("Coverage of means (%)", KINDS, repeated(of_means, repeats))
    table("Coverage of differences (%)", KINDS, repeated(of_differences, repeats))
    table("Coverage of ratios of sums (%)", RATIOS, repeated(of_ratios, repeats))
    apart = ("f1 90 % - f1 70 %", "f1 90 % - f1 90 %", "cumulative iou - share of words")
    table("Coverage of differences of ratios (%)", apart, repeated(of_apart_ratios, repeats))
    generator = np.random.default_rng(0)
    large = Layout(np.arange(400_000), 0.0)
    truth = average_precision(*detections(large, generator))
    table(
        "Coverage of average precision (%)",
        [f"average precision, {truth:.3f}"],
        repeated(lambda _, layout, drawn: of_ap(truth, layout, drawn), repeats),
    )
    everything = (*KINDS, *RATIOS)
    table("Equal rows told apart (%)", everything, limited(equal_rows, repeats))
    table(
        "Boards of 20 equal methods with any two told apart (%)",
        ("normal", "exponential", "right 70 %"),
        repeated(equal_methods, max(1, repeats // 20)),
        ("single", "shared"),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
