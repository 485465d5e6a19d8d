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
tokens lie close together, and roundings of half precision soon make another answer; the float32
figures show whether the engine computes what the loop does. Answers of vLLM and of transformers'
static cache are compared with the engine's. Joules are the whole card's, as its driver counts them,
idle power included. "Not measured" marks parts that a card did not run, or that the script did not
have yet."""


def table(files: Sequence[Path], parts: Sequence[str]) -> str:
    """A Markdown page of what JSON files hold, a table a card, with a row for each of the parts."""
    lines = [PREFACE]
    for file in files:
        found = json.loads(file.read_text())
        lines += ["", *_section(found, parts)]
    return "\n".join(lines) + "\n"


def _section(found: Figure, parts: Sequence[str]) -> list[str]:
    """The lines of one card."""
    model, most, figures = found["model"], found["limits"], found["figures"]
    generated = figures["continuation"].get("generate_seconds")
    large = _backed_off(figures.get("too large a batch", {}))
    if generated is not None:
        large += (
            f"All continuations as one batch of transformers' own `generate`: {generated:.2f} s. "
        )
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
        "| peak GB (the loop's) | J a prompt (the loop's) | times the plain loop | same answers |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(name, figures.get(name, {"not_measured": ""})) for name in parts),
        "",
        f"{large}In float32, with {found['options']['exact_layers']} "
        f"layers, against the plain loop: {exact}.",
    ]


def _backed_off(large: Figure) -> str:
    """What became of the batch that was too large, and a blank; nothing where it was not tried."""
    if "out_of_memory" not in large:
        return ""
    left = f" with {large['rest'] / 1e9:.1f} GB left" if "rest" in large else ""
    return (
        f"The batch of {large['prompts']} prompts was refused memory {large['out_of_memory']} "
        f"times{left} and answered in smaller ones; again, knowing what fits, in "
        f"{large['seconds_again']:.2f} s. "
    )


def _row(name: str, figure: Figure) -> str:
    if "not_measured" in figure:
        reason = figure["not_measured"]
        return f"| {name} | not measured{': ' if reason else ''}{reason} |" + " |" * 9

    def cell(key: str, form: str, scale: float = 1.0) -> str:
        value = figure.get(key)
        return "" if value is None else format(value if form == "d" else value * scale, form)

    def each(one: Figure) -> str:
        """Joules a prompt."""
        energy = one.get("joules")
        return "" if energy is None else f"{energy / one['prompts']:.3g}"

    def beside(own: str, other: str) -> str:
        return f"{own} ({other})" if own and other else own

    plain = figure.get("plain", {})
    peak = plain.get("peak_bytes")
    cells = [
        name,
        cell("prompts", "d"),
        f"{figure['read']} + {figure['written']}",
        cell("seconds", ".3f"),
        cell("tokens_per_second", ",.0f"),
        cell("of_peak", ".1%"),
        cell("of_copy", ".1%"),
        beside(cell("peak_bytes", ".1f", 1e-9), f"{peak / 1e9:.1f}" if peak else ""),
        beside(each(figure), each(plain)),
        cell("ratio", ".1f"),
        _agrees(figure),
    ]
    return "| " + " | ".join(cells) + " |"


def _agrees(figure: Figure) -> str:
    if "not_measured" in figure:
        return "not measured"
    if "equal" in figure:
        return f"{figure['equal']:.0%} (tokens until another: {figure['until']:.0%})"
    return f"within {figure['differs']:.1g}"
