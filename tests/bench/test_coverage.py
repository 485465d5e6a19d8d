"""What benchmarks/coverage.py measures at length, at a few of its places and with fewer draws."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest


def benchmark(name):
    """By its path: `coverage` is the name of a package, too."""
    script = Path(__file__).parents[2] / "benchmarks" / f"{name}.py"
    spec = spec_from_file_location(f"benchmark_of_{name}", script)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


simulation, detections = benchmark("coverage"), benchmark("coverage_detections")

REPEATS = 150
# Three standard deviations of the simulation itself lie between what is asked and what is tested.
ALLOWANCE = 3 * (0.06 * 0.94 / REPEATS) ** 0.5


def rate(one, kind, clusters, design, repeats=REPEATS):
    generator = np.random.default_rng(7)
    layouts = (simulation.Layout.drawn(clusters, design, generator) for _ in range(repeats))
    found = [one(kind, layout, generator) for layout in layouts]
    claims = [claim for claim in found if claim is not None]
    return sum(claims) / len(claims)


@pytest.mark.parametrize("clusters", [7, 40])
@pytest.mark.parametrize("design", ["single", "shared"])
@pytest.mark.parametrize(
    ("kind", "least"), [("normal", 0.93), ("exponential", 0.90), ("right 70 %", 0.93)]
)
def test_an_interval_of_95_percent_covers_the_mean(kind, least, design, clusters):
    assert rate(simulation.of_means, kind, clusters, design) >= least - ALLOWANCE


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (simulation.of_differences, "normal"),
        (simulation.of_differences, "right 70 %"),
        (simulation.of_ratios, "f1 70 %"),
        (simulation.of_ratios, "cumulative iou"),
        (simulation.of_apart_ratios, "f1 90 % - f1 70 %"),
    ],
)
def test_it_covers_differences_and_ratios_of_sums(one, kind):
    assert rate(one, kind, 7, "shared") >= 0.93 - ALLOWANCE


@pytest.mark.parametrize("kind", ["normal", "right 90 %", "outliers", "f1 70 %"])
def test_equal_rows_are_rarely_told_apart(kind):
    assert rate(simulation.equal_rows, kind, 12, "shared") <= 0.06 + ALLOWANCE


def test_of_twenty_equal_methods_hardly_ever_are_any_two_told_apart():
    # 0.2 of 4 are expected; uncorrected, it would be all.
    assert rate(simulation.equal_methods, "exponential", 40, "shared", 4) <= 0.25


FEW = 50
LOOSER = 3 * (0.06 * 0.94 / FEW) ** 0.5


@pytest.mark.parametrize("kind", ["good", "poor"])
def test_an_interval_of_95_percent_covers_the_average_precision_of_many_images(kind):
    found = [detections.of_one("ap50", kind, 48, seed) for seed in range(FEW)]
    claims = [claim for claim in found if claim is not None]
    assert len(claims) > FEW / 2
    assert sum(claims) / len(claims) >= 0.93 - LOOSER


def test_detectors_that_are_equally_good_are_rarely_told_apart():
    found = [detections.told_apart("ap50", "poor", 32, seed) for seed in range(FEW)]
    assert sum(found) / FEW <= 0.06 + LOOSER


def test_a_cell_above_the_limit_is_drawn_again_and_longer():
    drawn = []

    def at_first(*_):
        drawn.append(len(drawn) < 20)
        return drawn[-1]

    assert simulation.limited(at_first, 20)("normal", 7, "single") == "0.0 (again, after 100.0)"
    assert len(drawn) == 220
    assert simulation.limited(lambda *_: False, 20)("normal", 7, "single") == "0.0"
