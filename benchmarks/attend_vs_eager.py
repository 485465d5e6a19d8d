"""What rows of attention cost beside the full maps of `output_attentions=True`.

    python benchmarks/attend_vs_eager.py [--layers 2] [--width 4096] [--heads 32] [--words 10]
        [--tokens 640] [--patches 576] [--of 32] [--threads 1] [--device cpu] [--dtype float32]

The model is LLaVA-1.5's language model (Llama's 7B) with random weights, its layers cut to
`--layers` so that it fits. The prompt is embeddings: `--patches` image positions, and the words
after them. Plain attention gives full maps and all hidden states, from which the words' rows
are taken; the engine's `Attend` gives the rows alone, and they must be the same. A forward that
keeps nothing stands beside both, so that what the maps cost can be told from what reading costs.

Memory is the most that is held while each runs, beyond what was held before: CUDA's own figure, or
the kernel's for the process. Nothing but kept tensors grows with layers, so that the figures for
`--of` layers add what is kept a layer. All take turns. Seconds on a CPU are those of the process
itself, which others on the machine do not lengthen by making it wait.
"""

import argparse
import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from alone import NoTokenizer, One
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.devices import device_of, dtype_of
from frostbench.plugins.contract.completions import Attended
from frostbench.plugins.contract.prompts import Attend, Prompt, Vectors
from frostbench.plugins.engine import FrozenEngine

MB = 1e6
FIRST = 5  # tokens of the prompt before the image
# By how much two rows may differ in float32, and in half precision.
TOLERANCE, HALF_TOLERANCE = 1e-5, 2e-2

# What a run gives: attention rows and hidden states, and the bytes of all tensors that it kept.
Rows = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Spent:
    """What one run took: seconds, peak bytes beyond those held before, bytes of maps kept."""

    seconds: float
    peak: int
    kept: int


def model_of(options: argparse.Namespace) -> Any:
    """A random Llama."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=options.vocabulary,
        hidden_size=options.width,
        intermediate_size=options.width * 43 // 16,  # 11,008 for 4,096
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.heads,
        max_position_embeddings=max(4096, options.tokens),
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype_of(options.dtype))
    try:
        with torch.device(device_of(options.device)):
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)


@torch.inference_mode()
def full_maps(model: Any, row: Tensor, ask: Attend) -> tuple[Rows, int]:
    """Plain attention, all maps and hidden states, and then the words' rows."""
    model.set_attn_implementation("eager")
    try:
        out = model.base_model(
            inputs_embeds=row[None],
            use_cache=False,
            output_attentions=True,
            output_hidden_states=True,
        )
    finally:
        model.set_attn_implementation("sdpa")
    queries, keys = list(ask.queries), list(ask.keys)
    rows = torch.stack([maps[0][:, queries][..., keys] for maps in out.attentions])
    hidden = torch.stack([states[0, queries] for states in out.hidden_states[1:]])
    return (rows.float(), hidden.float()), _bytes(out.attentions)


@torch.inference_mode()
def nothing(model: Any, row: Tensor) -> tuple[None, int]:
    """A forward that keeps nothing."""
    model.base_model(inputs_embeds=row[None], use_cache=False)
    return None, 0


def attended(engine: FrozenEngine, prompt: Prompt) -> tuple[Rows, int]:
    """The engine's rows."""
    (answer,) = engine.run([prompt])
    if not isinstance(answer, Attended):
        raise TypeError(f"no rows but {answer!r}.")
    return (answer.attention, answer.hidden), _bytes([answer.attention])


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _status(field: str) -> int:
    """A figure of the kernel's about this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status has no {field}.")


def spent(run: Callable[[], tuple[Any, int]], device: torch.device) -> tuple[Spent, Any]:
    """Run, watching time and memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    else:
        # What was freed goes back to the kernel, whose record of the peak begins anew.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    begun = clock()
    out, kept = run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = clock() - begun
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")
    return Spent(seconds, max(0, peak - before), kept), out


def options_of() -> argparse.Namespace:
    """What the command line says, and whether it fits."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, default=2, help="layers that are built")
    parser.add_argument("--of", type=int, default=32, help="layers that figures are given for")
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=640, help="length of the prompt")
    parser.add_argument("--patches", type=int, default=576, help="image positions in it")
    parser.add_argument("--words", type=int, default=10, help="positions that look at them")
    parser.add_argument("--vocabulary", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    if FIRST + options.patches + options.words > options.tokens:
        parser.error(f"{options.tokens} tokens do not hold {FIRST} + patches + words.")
    return options


def main() -> None:
    options = options_of()
    torch.set_num_threads(options.threads)

    lm = CausalLM(model_of(options), NoTokenizer(), "random")
    draw = torch.Generator().manual_seed(2)
    row = torch.randn(options.tokens, lm.width, generator=draw).to(lm.device, lm.dtype)
    keys = tuple(range(FIRST, FIRST + options.patches))
    queries = tuple(range(options.tokens - options.words, options.tokens))
    ask = Attend(queries, keys)
    prompt = Prompt((Vectors(row),), ask, bos=False)
    engine = FrozenEngine(One(lm))
    engine.traits("llm")
    print(
        f"{options.words} words over {options.patches} of {options.tokens} positions; "
        f"{options.layers} layers of width {options.width} with {options.heads} heads, "
        f"{options.dtype} on {lm.device}"
    )
    runs: dict[str, Callable[[], tuple[Any, int]]] = {
        "forward, nothing kept": lambda: nothing(lm.model, row),
        "output_attentions=True": lambda: full_maps(lm.model, row, ask),
        "Attend": lambda: attended(engine, prompt),
    }
    plain, full, rows = runs
    found = {name: spent(run, lm.device)[1] for name, run in runs.items()}
    for what, given, wanted in zip(("rows", "states"), found[rows], found[full], strict=True):
        error = float((given - wanted).abs().max() / wanted.abs().max())
        print(f"{what} differ by at most {error:.1e} of the largest")
        most = TOLERANCE if lm.dtype == torch.float32 else HALF_TOLERANCE
        assert error <= most, f"Attend gives other {what} than the full maps"
    del found
    measured: dict[str, list[Spent]] = {name: [] for name in runs}
    for _ in range(options.repeats):
        for name, run in runs.items():
            measured[name].append(spent(run, lm.device)[0])
    peaks = {name: statistics.median(s.peak for s in many) for name, many in measured.items()}
    kept = {name: many[0].kept / options.layers for name, many in measured.items()}
    print(f"{'':24}{'seconds':>9}{'peak MB':>9}{'maps MB':>9}   for {options.of} layers:")
    more = options.of - options.layers
    for name, many in measured.items():
        seconds = statistics.median(s.seconds for s in many)
        print(
            f"{name:24}{seconds:9.3f}{peaks[name] / MB:9.1f}{kept[name] * options.layers / MB:9.1f}"
            f"   peak {(peaks[name] + more * kept[name]) / MB:7.1f} MB, "
            f"maps {kept[name] * options.of / MB:7.1f} MB"
        )
    beyond = {name: peaks[name] - peaks[plain] + more * kept[name] for name in (full, rows)}
    print(f"of full maps, for {options.of} layers, Attend keeps 1/{kept[full] / kept[rows]:.0f};")
    if beyond[rows] > 0:
        print(f"beyond a plain forward its peak is 1/{beyond[full] / beyond[rows]:.0f} of theirs;")
    ratios = [f.seconds / r.seconds for f, r in zip(measured[full], measured[rows], strict=True)]
    print(f"their time divided by its, median over turns: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
