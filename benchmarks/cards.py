"""The page of what `gpu.py` measured: a table a card."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Figure = dict[str, Any]

PREFACE = """# The engine on a GPU

`python benchmarks/gpu.py --out benchmarks/results/NAME.json` measures a card, and `python
benchmarks/gpu.py --table benchmarks/results/*.json >benchmarks/RESULTS.md` writes this page.

A ratio is the plain loop's seconds a prompt over the engine's (of `Attend`: those of
`output_attentions=True`), in the same process; peak is the rate of a large matrix product, copy
that of a large copy, both measured on the same card. Weights are random, so that the most likely
tokens lie close together, and roundings of half precision soon make another answer; whether the
engine computes what the loop does is told by the float32 figures."""


def table(files: Sequence[Path]) -> str:
    """A Markdown page of what JSON files hold, a table a card."""
    lines = [PREFACE]
    for file in files:
        found = json.loads(file.read_text())
        lines += ["", *_section(found)]
    return "\n".join(lines) + "\n"


def _section(found: Figure) -> list[str]:
    """The lines of one card."""
    model, most, figures = found["model"], found["limits"], found["figures"]
    large, generated = figures["too large a batch"], figures["continuation"]["generate_seconds"]
    exact = ", ".join(f"{name} {_agrees(one)}" for name, one in found["exact"].items())
    return [
        f"## {found['device']}, {found['dtype']}",
        "",
        f"Llama of {model['parameters'] / 1e9:.2f} billion random weights, {model['layers']} "
        f"layers of width {model['width']}; torch {found['versions']['torch']}, transformers "
        f"{found['versions']['transformers']}. Matrix product "
        f"{most['matmul_flops'] / 1e12:.3g} TFLOP/s, copy "
        f"{most['copy_bytes_per_second'] / 1e12:.3g} TB/s.",
        "",
        "| | prompts | tokens read + written | seconds | tokens/s | of peak | weights, of copy "
        "| peak GB | J a prompt | times the plain loop | same answers |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(name, figure) for name, figure in figures.items()),
        "",
        f"The batch of {large['prompts']} prompts was refused memory {large['out_of_memory']} "
        f"times and answered in smaller ones; again, knowing what fits, in "
        f"{large['seconds_again']:.2f} s. All continuations as one batch of transformers' own "
        f"`generate`: {generated:.2f} s. In float32, with {found['options']['exact_layers']} "
        f"layers, against the plain loop: {exact}.",
    ]


def _row(name: str, figure: Figure) -> str:
    def cell(key: str, form: str, scale: float = 1.0) -> str:
        value = figure.get(key)
        return "" if value is None else format(value if form == "d" else value * scale, form)

    energy = figure.get("joules")
    joules = "" if energy is None else f"{energy / figure['prompts']:.3g}"
    cells = [
        name,
        cell("prompts", "d"),
        f"{figure['read']} + {figure['written']}",
        cell("seconds", ".3f"),
        cell("tokens_per_second", ",.0f"),
        cell("of_peak", ".1%"),
        cell("of_copy", ".1%"),
        cell("peak_bytes", ".1f", 1e-9),
        joules,
        cell("ratio", ".1f"),
        _agrees(figure),
    ]
    return "| " + " | ".join(cells) + " |"


def _agrees(figure: Figure) -> str:
    if "equal" in figure:
        return f"{figure['equal']:.0%} (tokens until another: {figure['until']:.0%})"
    return f"within {figure['differs']:.1g}"
