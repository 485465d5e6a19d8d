"""The engine at the shapes of a 7B language model, beside a plain loop and the card's own limits.

    python benchmarks/gpu.py --out benchmarks/results/NAME.json [--device cuda] [--dtype bfloat16]
    python benchmarks/gpu.py --table benchmarks/results/*.json >benchmarks/RESULTS.md

The model is a Llama of 7B's shapes with random weights, the tokenizer that of the pack `mini`.
Measured are V2L's deblurring prompts (128 an image of 16x16 codes, two new tokens each), greedy
continuation, LM4LV's `Regress`, F-LMM's `Attend`, and a batch that does not fit in memory. Beside
each stands what one writes with transformers alone, for fewer prompts where it is slow. The limits
are the rate of a large matrix product and of a large copy, measured in the same process: `of_peak`
counts two operations a weight and token that was asked for, `of_copy` the bytes of the weights once
a step. Answers are held against the loop's: in the given dtype as a share that is equal, and for
`--exact-layers` layers in float32, where all must be.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from alone import One
from attend_vs_eager import attended, full_maps, model_of
from cards import table
from engine_vs_loop import ids_of, loop, prompts_of
from regress_vs_naive import answered, feed_of, published
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.devices import Meter, device_of, release_memory
from frostbench.plugins.contract.completions import Generated
from frostbench.plugins.contract.prompts import Attend, Generate, Ids, Prompt, Regress, Vectors
from frostbench.plugins.engine import EngineSettings, FrozenEngine
from frostbench.plugins.host.packs import embedded_pack

Figure = dict[str, Any]
# Features that are compared: with random weights a rounding grows tenfold in ten steps, whoever
# regresses, so that later ones tell nothing.
HELD = 8
# Seconds that a run must take for its joules to be told: the driver's counter moves in steps.
COUNTED = 0.5


def options_of() -> argparse.Namespace:
    """What the command line says; the defaults are the published shapes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="where the JSON goes; printed without it")
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of these JSON files")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=0, help="0 leaves torch's own number")
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--exact-layers", type=int, default=2)
    parser.add_argument("--square", type=int, default=8192, help="side of the matrices multiplied")
    parser.add_argument("--copied", type=int, default=1 << 32, help="bytes of the copy")
    parser.add_argument("--images", type=int, default=4, help="images that are deblurred")
    parser.add_argument("--side", type=int, default=16, help="codes along an image's side")
    parser.add_argument("--prompts", type=int, default=64, help="prompts that are continued")
    parser.add_argument("--length", type=int, default=256, help="their tokens")
    parser.add_argument("--new", type=int, default=128, help="tokens that each is continued by")
    parser.add_argument("--features", type=int, default=1024, help="width of the vision model")
    parser.add_argument("--steps", type=int, default=197, help="features that are regressed")
    parser.add_argument("--regressed", type=int, default=8, help="prompts that regress")
    parser.add_argument("--tokens", type=int, default=640, help="length of the attending prompt")
    parser.add_argument("--patches", type=int, default=576)
    parser.add_argument("--words", type=int, default=10)
    parser.add_argument(
        "--rows", type=int, default=512, help="prompts of the batch that is too big"
    )
    parser.add_argument("--row", type=int, default=512, help="their tokens")
    parser.add_argument("--plain", type=int, default=8, help="prompts that a slow loop answers")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


class Bench:
    """One model on one device, and what both can at most."""

    def __init__(self, options: argparse.Namespace, dtype: str, layers: int) -> None:
        from transformers import AutoTokenizer

        self.options = options
        self.device = device_of(options.device)
        shape = SimpleNamespace(**{**vars(options), "dtype": dtype, "layers": layers})
        shape.tokens = max(4096, options.tokens, options.length + options.new)
        model = model_of(shape)
        model.config.bos_token_id = model.config.eos_token_id = None
        model.generation_config.eos_token_id = None
        folder = embedded_pack("mini") / "llm"
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer.eos_token = tokenizer.bos_token = None
        self.lm = CausalLM(model, tokenizer, "random")
        self.engine = FrozenEngine(One(self.lm))
        self.traits = self.engine.traits("llm")
        head = model.get_output_embeddings().weight.numel()
        self.weights = sum(p.numel() for p in model.parameters()) - 2 * head
        self.bytes = sum(p.numel() * p.element_size() for p in model.parameters())

    def timed(self, run: Callable[[], Any]) -> tuple[Figure, Any]:
        """Median seconds of the repeats, peak bytes and joules of the last; the answers.

        A first run warms up, and its answers are the ones returned.
        """
        out = run()
        seconds, meter = [], Meter(self.device)
        for _ in range(self.options.repeats):
            meter.start()
            begun = time.perf_counter()
            run()
            peak, joules = meter.stop()
            seconds.append(time.perf_counter() - begun)
        found = {"seconds": statistics.median(seconds), "spread": max(seconds) - min(seconds)}
        if found["seconds"] < COUNTED:
            joules = None
        return {**found, "peak_bytes": peak, "joules": joules}, out

    def once(self, run: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds of one run, and what came out."""
        begun = time.perf_counter()
        out = run()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - begun, out

    def drawn(self, count: int, length: int, seed: int = 0) -> list[tuple[int, ...]]:
        """Rows of ids."""
        draw = torch.Generator().manual_seed(seed)
        ids = torch.randint(self.lm.vocabulary_size, (count, length), generator=draw)
        return [tuple(row) for row in ids.tolist()]

    def embedded(self, count: int, length: int) -> list[Tensor]:
        """Rows of embeddings, as large as the model's own are at the beginning."""
        draw = torch.Generator().manual_seed(3)
        rows = torch.randn(count, length, self.lm.width, generator=draw) / 10
        return list(rows.to(self.lm.device, self.lm.dtype))


def limits(bench: Bench) -> Figure:
    """The rate of a large matrix product, and of a large copy, on random data."""
    options, dtype = bench.options, bench.lm.dtype
    a, b = (
        torch.randn(options.square, options.square, device=bench.device).to(dtype) for _ in range(2)
    )
    source = torch.randint(255, (options.copied,), dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)

    def many(run: Callable[[], Any]) -> float:
        return bench.once(lambda: [run() for _ in range(10)])[0] / 10

    product = min(many(lambda: a @ b) for _ in range(4))
    copy = min(many(lambda: target.copy_(source)) for _ in range(4))
    return {
        "matmul_flops": 2 * options.square**3 / product,
        "copy_bytes_per_second": 2 * options.copied / copy,  # read and written
    }


def rated(bench: Bench, figure: Figure, prompts: int, read: int, written: int) -> Figure:
    """With what the seconds mean: tokens a second, and operations of the linear layers."""
    tokens, seconds = read + written, figure["seconds"]
    return {
        "prompts": prompts,
        "read": read,
        "written": written,
        **figure,
        "tokens_per_second": tokens / seconds,
        "flops": 2 * bench.weights * tokens / seconds,
    }


def said(answers: Sequence[Any]) -> list[tuple[int, ...]]:
    """The ids of answers.

    Raises:
        TypeError: one is no text.
    """
    wrong = next((answer for answer in answers if not isinstance(answer, Generated)), None)
    if wrong is not None:
        raise TypeError(f"no text but {wrong!r}.")
    return [tuple(answer.ids) for answer in answers]


def beside(figure: Figure, count: int, seconds: float, plain: int, agreement: Figure) -> Figure:
    """With the plain loop's seconds for `plain` prompts, and the ratio a prompt."""
    ratio = (seconds / plain) / (figure["seconds"] / count)
    return {**figure, "plain": {"prompts": plain, "seconds": seconds}, "ratio": ratio, **agreement}


def same(given: Sequence[tuple[int, ...]], wanted: Sequence[tuple[int, ...]]) -> Figure:
    """Which share of answers is equal, and which share of tokens before a first other one."""
    pairs = list(zip(given, wanted, strict=True))
    until = [_alike(a, b) / max(1, len(b)) for a, b in pairs]
    return {"equal": sum(a == b for a, b in pairs) / len(pairs), "until": statistics.mean(until)}


def _alike(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two answers begin alike with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def deblurring(bench: Bench) -> Figure:
    """V2L's prompts: long, alike at their beginning, two constrained tokens."""
    options, lm = bench.options, bench.lm
    prompts = prompts_of(options.images, lm.vocabulary_size, options.side)
    rows = [ids_of(prompt, lm) for prompt in prompts]
    ask: Any = prompts[0].ask
    figure, answers = bench.timed(lambda: bench.engine.run(prompts))
    figure = rated(bench, figure, len(rows), sum(map(len, rows)), ask.max_new_tokens * len(rows))
    count = min(len(rows), 4 * options.plain)
    allowed = torch.tensor(sorted(ask.allowed.sets[0]))
    plain = lambda: loop(lm.model, rows[:count], allowed, ask.max_new_tokens, lm.eos_ids)  # noqa: E731
    plain()
    seconds, wanted = bench.once(plain)
    return beside(figure, len(rows), seconds, count, same(said(answers)[:count], wanted))


def continuation(bench: Bench) -> Figure:
    """Greedy continuation of prompts that share nothing."""
    options, lm = bench.options, bench.lm
    rows = bench.drawn(options.prompts, options.length)
    prompts = [Prompt((Ids(row),), Generate(options.new), bos=False) for row in rows]
    figure, answers = bench.timed(lambda: bench.engine.run(prompts))
    written = options.new * len(rows)
    figure = rated(bench, figure, len(rows), options.length * len(rows), written)
    count = min(len(rows), max(1, options.plain // 4))
    every = torch.arange(lm.vocabulary_size)
    seconds, wanted = bench.once(
        lambda: loop(lm.model, rows[:count], every, options.new, lm.eos_ids)
    )
    figure["steps_per_second"] = options.new / figure["seconds"]
    figure["weight_bytes_per_second"] = bench.bytes * options.new / figure["seconds"]
    figure["generate_seconds"], generated = bench.once(lambda: _generate(bench, rows))
    figure["generate_until"] = same(said(answers), generated)["until"]
    return beside(figure, len(rows), seconds, count, same(said(answers)[:count], wanted))


@torch.inference_mode()
def _generate(bench: Bench, rows: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """What transformers' own `generate` continues all rows by, as one batch."""
    inputs = torch.tensor(rows, device=bench.device)
    new = bench.options.new
    out = bench.lm.model.generate(
        input_ids=inputs,
        attention_mask=torch.ones_like(inputs),
        max_new_tokens=new,
        do_sample=False,
        pad_token_id=0,
    )
    return [tuple(row) for row in out[:, inputs.shape[1] :].tolist()]


def regression(bench: Bench) -> Figure:
    """LM4LV: each last hidden state, through two linear maps, is the next input."""
    options, lm = bench.options, bench.lm
    feed = feed_of(lm.width, options.features, lm.device)
    rows = bench.embedded(options.regressed, options.length)
    prompts = [Prompt((Vectors(row),), Regress(options.steps, feed), bos=False) for row in rows]
    figure, given = bench.timed(lambda: answered(bench.engine, prompts))
    read, written = options.length * len(rows), options.steps * len(rows)
    figure = rated(bench, figure, len(rows), read, written)
    seconds, wanted = bench.once(lambda: published(lm.model, rows[:1], options.steps, feed))
    first, wanted = given[0][:HELD], wanted[0][:HELD]
    figure["steps_per_second"] = options.steps / figure["seconds"]
    figure["weight_bytes_per_second"] = bench.bytes * options.steps / figure["seconds"]
    differs = {"differs": float((first - wanted).norm() / (wanted - wanted.mean()).norm())}
    return beside(figure, len(rows), seconds, 1, differs)


def attention(bench: Bench) -> Figure:
    """F-LMM: the rows of a few words over an image's patches, against all maps."""
    options, lm = bench.options, bench.lm
    (row,) = bench.embedded(1, options.tokens)
    queries = tuple(range(options.tokens - options.words, options.tokens))
    ask = Attend(queries, tuple(range(5, 5 + options.patches)))
    prompt = Prompt((Vectors(row),), ask, bos=False)
    figure, (given, kept) = bench.timed(lambda: attended(bench.engine, prompt))
    figure = rated(bench, figure, 1, options.tokens, 0)
    full, (wanted, maps) = bench.timed(lambda: full_maps(lm.model, row, ask))
    largest = max(
        float((a - b).abs().max() / b.abs().max()) for a, b in zip(given, wanted, strict=True)
    )
    figure |= {"kept_bytes": kept, "map_bytes": maps, "plain_peak_bytes": full["peak_bytes"]}
    return beside(figure, 1, full["seconds"], 1, {"differs": largest})


def too_much(bench: Bench) -> Figure:
    """One batch that is larger than the memory: it is halved until it fits."""
    options = bench.options
    rows = bench.drawn(options.rows, options.row, seed=1)
    prompts = [Prompt((Ids(row),), Generate(1), bos=False) for row in rows]
    engine = FrozenEngine(
        One(bench.lm), EngineSettings(token_budget=1 << 40, max_batch=options.rows)
    )
    engine.traits("llm")
    cuda = bench.device.type == "cuda"
    refused = torch.cuda.memory_stats(bench.device)["num_ooms"] if cuda else 0
    seconds, answers = bench.once(lambda: engine.run(prompts))
    refused = torch.cuda.memory_stats(bench.device)["num_ooms"] - refused if cuda else 0
    again, _ = bench.once(lambda: engine.run(prompts))
    usual = said(bench.engine.run(prompts))
    figure = rated(bench, {"seconds": seconds}, len(rows), options.row * len(rows), len(rows))
    return {**figure, "out_of_memory": refused, "seconds_again": again} | same(said(answers), usual)


TASKS: dict[str, Callable[[Bench], Figure]] = {
    "V2L deblurring": deblurring,
    "continuation": continuation,
    "Regress": regression,
    "Attend": attention,
    "too large a batch": too_much,
}


def measured(options: argparse.Namespace) -> Figure:
    """Everything, as it goes into the JSON."""
    exact = Bench(options, "float32", options.exact_layers)
    found: Figure = {"exact": {}}
    for name in ("V2L deblurring", "continuation", "Regress", "Attend"):
        figure = TASKS[name](exact)
        found["exact"][name] = {
            key: figure[key] for key in ("equal", "until", "differs") if key in figure
        }
        _say(f"exact, {name}", found["exact"][name])
    device = exact.device
    del exact
    release_memory(device)
    bench = Bench(options, options.dtype, options.layers)
    found |= {
        "device": _card(device),
        "dtype": options.dtype,
        "model": {
            "layers": options.layers,
            "width": options.width,
            "heads": options.heads,
            "parameters": sum(p.numel() for p in bench.lm.model.parameters()),
        },
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "options": {k: v for k, v in vars(options).items() if k not in ("out", "table")},
        "limits": limits(bench),
        "figures": {},
    }
    _say("limits", found["limits"])
    release_memory(device)
    for name, task in TASKS.items():
        figure = task(bench)
        if "flops" in figure:
            figure["of_peak"] = figure["flops"] / found["limits"]["matmul_flops"]
        if "weight_bytes_per_second" in figure:
            rate = found["limits"]["copy_bytes_per_second"]
            figure["of_copy"] = figure["weight_bytes_per_second"] / rate
        found["figures"][name] = figure
        _say(name, figure)
        release_memory(device)
    return found


def _card(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def _say(name: str, figure: Figure) -> None:
    print(f"{name}: {json.dumps(figure)}", file=sys.stderr, flush=True)


def main() -> None:
    options = options_of()
    if options.table:
        print(table(options.table), end="")
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found = json.dumps(measured(options), indent=1) + "\n"
    if options.out is None:
        print(found, end="")
    else:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(found)


if __name__ == "__main__":
    main()
