import subprocess
import sys

import pytest

from frostbench.plugins import Metric, MetricContext, MetricFacts

CONTEXT = MetricContext("backbones")


def same(prediction, target):
    return float(prediction == target)


@pytest.mark.parametrize("wrong", [{}, {"lower": 0.0, "upper": 1.0, "unit": "dB"}])
def test_a_percentage_has_no_unit_and_other_bounds_than_0_and_1(wrong):
    with pytest.raises(ValueError, match="metric 'same': a percentage has no unit, and lies from"):
        MetricFacts("same", percent=True, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("direction='up'", "no direction named 'up'; there are higher, lower, neither."),
        (
            "pooling='median'",
            "no pooling named 'median'; there are mean, ratio, bleu, features, average_precision, "
            "whole.",
        ),
    ],
)
def test_facts_are_checked_where_nobody_checks_types_and_without_torch(wrong, message):
    code = f"""
import sys
from frostbench.plugins import MetricFacts, Offer, hookimpl
try:
    MetricFacts("same", {wrong})
except ValueError as error:
    print(error)
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == f"metric 'same': {message}"


def test_the_target_of_a_metric_is_its_function():
    assert Metric.made(MetricFacts("same"), same, CONTEXT).function is same


@pytest.mark.parametrize("needs", [{"networks": ("clip",)}, {"weights": "alex"}])
def test_a_metric_that_looks_through_a_network_is_made_from_a_context(needs):
    facts = MetricFacts("same[network]", **needs)
    made = Metric.made(facts, lambda context: lambda *_: context.backbones, CONTEXT)
    assert made.function() == "backbones"


@pytest.mark.parametrize(
    "bounds",
    [
        {"lower": 1.0, "upper": 0.0},
        {"lower": 0.0, "upper": float("inf")},
        {"lower": float("nan")},
        {"upper": float("nan")},
    ],
)
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(ValueError, match=r"'same': .* are no bounds"):
        MetricFacts("same", **bounds)


def test_a_score_within_its_bounds_fits_whatever_single_precision_adds():
    facts = MetricFacts("same", lower=0.0, upper=1.0)
    assert [facts.misfit(score) for score in (0.0, 1.0, 1.00001, -1e-7)] == [""] * 4
    assert MetricFacts("same").misfit(-1e9) == ""
