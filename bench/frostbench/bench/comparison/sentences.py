"""The sentences of a comparison."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from frostbench.bench.comparison.build import RunComparison
from frostbench.bench.comparison.contrast import Contrast, ContrastOutcome
from frostbench.bench.leaderboard.numbers import NONE, count, seconds

MARKS: dict[ContrastOutcome, str] = {
    "better": "▲",
    "worse": "▼",
    "tied": "~",
    "same": "=",
    "apart": "×",
}
MEANINGS: dict[ContrastOutcome, str] = {
    "better": "better",
    "worse": "worse",
    "tied": "not told apart",
    "same": "the same",
    "apart": "not compared",
}


def verdict(comparison: RunComparison) -> str:
    """How often the second run is better, worse, or not told from the first."""
    counts = [
        f"{comparison.count(outcome)} {MEANINGS[outcome]} {MARKS[outcome]}"
        for outcome in MARKS
        if comparison.count(outcome)
    ]
    what = "rows under each metric, controls too" if comparison.whole else "methods' rows"
    told = f"B compared with A in {len(comparison.contrasts)} {what}: {', '.join(counts)}."
    if not comparison.family:
        return told
    return (
        f"{told} Each is "
        "paired on the samples that both have; p is of a sign-flip test over clusters, corrected "
        f"by Holm over all {comparison.family}."
    )


def drift(comparison: RunComparison) -> str:
    """How many answers and scores of common samples differ."""
    rows = [one for one in comparison.contrasts if one.outcome != "apart"]
    answers = {one.spot: (one.answers, one.samples) for one in rows}
    differ, asked = (sum(pair[i] for pair in answers.values()) for i in (0, 1))
    scores = sum(len(one.changed) for one in rows)
    of = sum(one.samples for one in rows)
    if not asked:
        return "The two have no answer in common."
    if not differ and not scores:
        return f"All {count(asked)} common answers and their scores are the same."
    return (
        f"Of {count(asked)} common answers {count(differ)} differ, and of {count(of)} scores "
        f"{count(scores)}."
    )


def difference_cells(one: Contrast) -> tuple[str, str, str, str, str]:
    """Either value, the difference with its interval, p, and the mark."""
    if one.test is None or one.test.difference is None:
        return NONE, NONE, NONE, NONE, MARKS[one.outcome]
    apart, form = one.test.difference, one.form
    plus = "+" if apart.value > 0 and float(form(apart.value).replace("−", "-")) else ""
    told = f"{plus}{form(apart.value)}{form.brackets(apart.low, apart.high)}"
    return (
        form(one.first.value if one.first else None),
        form(one.second.value if one.second else None),
        told,
        "" if one.outcome == "same" else _p(one.test.p),
        MARKS[one.outcome],
    )


def _p(p: float) -> str:
    """A p value to two figures.

    >>> _p(0.0301), _p(1.0), _p(0.00004)
    ('0.030', '1', '<0.001')
    """
    return "1" if p >= 0.9995 else "<0.001" if p < 0.001 else f"{p:.3f}"


@dataclass(frozen=True)
class CostPair:
    """What a method's common samples cost on average, in either run, as it is shown."""

    method: str
    seconds: tuple[str, str]
    prompt_tokens: tuple[str, str]
    generated_tokens: tuple[str, str]


def spent(comparison: RunComparison) -> Iterator[CostPair]:
    """Method by method; every spot counts once, with its samples."""
    found: dict[str, dict[object, Contrast]] = {}
    for one in comparison.contrasts:
        if one.spot.control is None and all(one.costs):
            found.setdefault(one.spot.label, {}).setdefault(one.spot, one)
    for method, several in sorted(found.items()):
        rows = list(several.values())

        def both(name: str, rows: Sequence[Contrast] = rows) -> tuple[float, float]:
            first, second = (_mean(rows, name, side) for side in (0, 1))
            return first, second

        clock, prompt, said = map(both, ("seconds", "prompt_tokens", "generated_tokens"))
        yield CostPair(
            method,
            (seconds(clock[0]), seconds(clock[1])),
            (count(prompt[0]), count(prompt[1])),
            (count(said[0]), count(said[1])),
        )


def _mean(rows: Sequence[Contrast], name: str, side: int) -> float:
    weights = [one.samples + one.lone for one in rows]
    total = sum(getattr(one.costs[side], name) * n for one, n in zip(rows, weights, strict=True))
    return float(total / sum(weights)) if sum(weights) else 0.0
