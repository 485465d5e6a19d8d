"""The scripts in `benchmarks/` ask what they say they ask."""

import sys
from importlib import import_module
from pathlib import Path


def test_the_engine_is_asked_32_deblurring_prompts_an_image(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "engine_vs_loop", raising=False)
    prompts = import_module("engine_vs_loop").prompts_of(2, vocabulary=1000)
    assert len(prompts) == 2 * 32
    assert len(set(prompts)) == len(prompts)
