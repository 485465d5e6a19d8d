"""The engine at the shapes of a 7B language model, beside a plain loop and the card's own limits.

    python benchmarks/gpu.py --out benchmarks/results/NAME.json [--device cuda] [--dtype bfloat16]
    python benchmarks/gpu.py --table benchmarks/results/*.json >benchmarks/RESULTS.md

The model is a Llama of 7B's shapes with random weights, the tokenizer that of the pack `mini`.
Measured are V2L's deblurring prompts (128 an image of 16x16 codes, two new tokens each), greedy
continuation, LM4LV's `Regress`, F-LMM's `Attend`, and a batch that does not fit in the memory of a
card that is filled up to `--rest` bytes. Beside each stands what one writes with transformers
alone, for fewer prompts where it is slow, and below what transformers makes of the continuation
with a cache of fixed size, compiled where it runs on a card, and vLLM, where it is installed. What
was not measured is in the JSON too, with the reason. The limits
are the rate of a large matrix product and of a large copy, measured in the same process: `of_peak`
counts two operations a weight and token that was asked for, `of_copy` the bytes of the weights once
a step. Answers are compared with the loop's: in the given dtype as a share that is equal, and for
`--exact-layers` layers in float32, where all must be.
"""

import argparse
import json
import math
import os
import platform
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
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
from rivals import NotMeasuredError, asked_of_vllm, filled, generated, vllm_of
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.devices import Meter, device_of, release_memory
from frostbench.plugins.backbones.energy import Energy, Outlay
from frostbench.plugins.contract.completions import Generated
from frostbench.plugins.contract.prompts import Attend, Generate, Ids, Prompt, Regress, Vectors
from frostbench.plugins.engine import EngineSettings, FrozenEngine
from frostbench.plugins.host.errors import describe
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
    parser.add_argument("--rest", type=int, default=8 << 30, help="bytes that are left for it")
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
        # By what is asked: rows of ids, what the engine wrote, and the ids that it might write.
        self.answers: dict[str, tuple[Any, list[tuple[int, ...]], list[int] | None]] = {}
        self.traits = self.engine.traits("llm")
        head = model.get_output_embeddings().weight.numel()
        self.weights = sum(p.numel() for p in model.parameters()) - 2 * head
        self.bytes = sum(p.numel() * p.element_size() for p in model.parameters())

    def timed(self, run: Callable[[], Any]) -> tuple[Figure, Any]:
        """Median seconds of the repeats, peak bytes of the last, joules; the answers.

        A first run warms up, and its answers are the ones returned.
        """
        out = run()
        spent = [self.once(run)[0] for _ in range(self.options.repeats)]
        seconds = [one["seconds"] for one in spent]
        found = {"seconds": statistics.median(seconds), "spread": max(seconds) - min(seconds)}
        joules = spent[-1]["joules"]
        if joules is None and Energy([self.device]).joules() is not None:
            # Short runs one after the other, since the counter moves in steps.
            count = math.ceil(COUNTED / found["seconds"])
            together, _ = self.once(lambda: [run() for _ in range(count)])
            joules = None if together["joules"] is None else together["joules"] / count
        return {**found, "peak_bytes": spent[-1]["peak_bytes"], "joules": joules}, out

    def once(self, run: Callable[[], Any]) -> tuple[Figure, Any]:
        """Seconds, peak bytes and joules of one run, if it took long enough, and what came out."""
        meter = Meter(self.device)
        meter.start()
        begun = time.perf_counter()
        out = run()
        peak, joules = meter.stop()
        seconds = time.perf_counter() - begun
        joules = None if seconds < COUNTED else joules
        return {"seconds": seconds, "peak_bytes": peak, "joules": joules}, out

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
        return float(bench.once(lambda: [run() for _ in range(10)])[0]["seconds"]) / 10

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


def beside(figure: Figure, loop: Figure, plain: int, agreement: Figure) -> Figure:
    """With what the plain loop took for `plain` prompts, and the ratio a prompt."""
    ratio = (loop["seconds"] / plain) / (figure["seconds"] / figure["prompts"])
    return {**figure, "plain": {"prompts": plain, **loop}, "ratio": ratio, **agreement}


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
    spent, wanted = bench.once(plain)
    bench.answers["V2L deblurring"] = rows, said(answers), allowed.tolist()
    return beside(figure, spent, count, same(said(answers)[:count], wanted))


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
    spent, wanted = bench.once(lambda: loop(lm.model, rows[:count], every, options.new, lm.eos_ids))
    figure["steps_per_second"] = options.new / figure["seconds"]
    figure["weight_bytes_per_second"] = bench.bytes * options.new / figure["seconds"]
    together, all_rows = bench.once(lambda: generated(lm.model, rows, options.new))
    figure["generate_seconds"] = together["seconds"]
    figure["generate_until"] = same(said(answers), all_rows)["until"]
    bench.answers["continuation"] = rows, said(answers), None
    return beside(figure, spent, count, same(said(answers)[:count], wanted))


def static(bench: Bench) -> Figure:
    """The continuation by transformers alone with a cache of fixed size, compiled on a card."""
    options, lm = bench.options, bench.lm
    rows, wanted, _ = bench.answers["continuation"]
    figure, answers = bench.timed(
        lambda: generated(lm.model, rows, options.new, cache_implementation="static")
    )
    read, written = options.length * len(rows), options.new * len(rows)
    figure = rated(bench, figure, len(rows), read, written)
    figure["weight_bytes_per_second"] = bench.bytes * options.new / figure["seconds"]
    figure["compiled"] = bench.device.type == "cuda"
    return figure | same(answers, wanted)


def regression(bench: Bench) -> Figure:
    """LM4LV: each last hidden state, through two linear maps, is the next input."""
    options, lm = bench.options, bench.lm
    feed = feed_of(lm.width, options.features, lm.device)
    rows = bench.embedded(options.regressed, options.length)
    prompts = [Prompt((Vectors(row),), Regress(options.steps, feed), bos=False) for row in rows]
    figure, given = bench.timed(lambda: answered(bench.engine, prompts))
    read, written = options.length * len(rows), options.steps * len(rows)
    figure = rated(bench, figure, len(rows), read, written)
    spent, wanted = bench.once(lambda: published(lm.model, rows[:1], options.steps, feed))
    first, wanted = given[0][:HELD], wanted[0][:HELD]
    figure["steps_per_second"] = options.steps / figure["seconds"]
    figure["weight_bytes_per_second"] = bench.bytes * options.steps / figure["seconds"]
    differs = {"differs": float((first - wanted).norm() / (wanted - wanted.mean()).norm())}
    return beside(figure, spent, 1, differs)


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
    figure |= {"kept_bytes": kept, "map_bytes": maps}
    return beside(figure, full, 1, {"differs": largest})


def too_much(bench: Bench) -> Figure:
    """One batch that is larger than what is left of the memory: it is halved until it fits."""
    options = bench.options
    rows = bench.drawn(options.rows, options.row, seed=1)
    prompts = [Prompt((Ids(row),), Generate(1), bos=False) for row in rows]
    settings = EngineSettings(token_budget=1 << 40, max_batch=options.rows)
    engine = FrozenEngine(One(bench.lm), settings)
    with filled(bench.device, options.rest):
        engine.traits("llm")
        before = torch.cuda.memory_stats(bench.device)["num_ooms"]
        spent, answers = bench.once(lambda: engine.run(prompts))
        refused = torch.cuda.memory_stats(bench.device)["num_ooms"] - before
        again, _ = bench.once(lambda: engine.run(prompts))
    usual = said(bench.engine.run(prompts))
    # What is filled is no memory of the engine's.
    figure = rated(bench, spent, len(rows), options.row * len(rows), len(rows))
    figure |= {"peak_bytes": None, "rest": options.rest}
    figure |= {"out_of_memory": refused, "seconds_again": again["seconds"]}
    return figure | same(said(answers), usual)


def by_vllm(bench: Bench) -> dict[str, Figure]:
    """The prompts that vLLM can be asked, by name; its answers are compared with ours.

    Memory is not told: it takes all that it is given.
    """
    longest = max(bench.options.length + bench.options.new, 2048)
    found = {}
    with vllm_of(bench.lm.model, bench.device, longest) as engine:
        for name, (rows, wanted, allowed) in bench.answers.items():
            new = len(wanted[0])
            run = asked_of_vllm(engine, rows, new, allowed)
            _, answers = run()
            energy = Outlay(Energy([bench.device]))
            seconds = [run()[0] for _ in range(bench.options.repeats)]
            joules = energy.cost().part(1 / len(seconds)).joules
            median = statistics.median(seconds)
            figure = {"seconds": median, "spread": max(seconds) - min(seconds)}
            figure["joules"] = joules if sum(seconds) >= COUNTED else None
            read = sum(map(len, rows))
            figure = rated(bench, figure, len(rows), read, new * len(rows))
            found[name] = figure | same(answers, wanted)
    return found


TASKS: dict[str, Callable[[Bench], Figure]] = {
    "V2L deblurring": deblurring,
    "continuation": continuation,
    "Regress": regression,
    "Attend": attention,
    "too large a batch": too_much,
    "transformers, static cache": static,
}
EXACT = ("V2L deblurring", "continuation", "Regress", "Attend", "transformers, static cache")
BY_VLLM = {f"vLLM, {name}": name for name in ("V2L deblurring", "continuation")}


def measured(options: argparse.Namespace) -> Figure:
    """Everything, as it goes into the JSON."""
    device = device_of(options.device)
    found: Figure = {"exact": _exact(options)}
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
        "versions": {
            name: version(name)
            for name in ("torch", "transformers", "vllm")
            if find_spec(name) is not None
        },
        "options": {k: v for k, v in vars(options).items() if k not in ("out", "table")},
        "limits": limits(bench),
        "figures": {},
    }
    _say("limits", found["limits"])
    release_memory(device)
    for name, figure in _figures(bench):
        if "flops" in figure:
            figure["of_peak"] = figure["flops"] / found["limits"]["matmul_flops"]
        if "weight_bytes_per_second" in figure:
            rate = found["limits"]["copy_bytes_per_second"]
            figure["of_copy"] = figure["weight_bytes_per_second"] / rate
        found["figures"][name] = figure
        _say(name, figure)
        release_memory(device)
    return found


def _exact(options: argparse.Namespace) -> Figure:
    """How near a few layers in float32 come to the loop; their memory is free again after it."""
    bench, found = Bench(options, "float32", options.exact_layers), {}
    told = ("equal", "until", "differs", "not_measured")
    for name in EXACT:
        figure = _tried(lambda task=TASKS[name]: task(bench))
        found[name] = {key: figure[key] for key in told if key in figure}
        _say(f"exact, {name}", found[name])
    return found


def _figures(bench: Bench) -> Iterator[tuple[str, Figure]]:
    """All that is measured, and why the rest is not."""
    for name, task in TASKS.items():
        yield name, _tried(lambda task=task: task(bench))
    others = _tried(lambda: by_vllm(bench))
    yield from ((name, others.get(ours, others)) for name, ours in BY_VLLM.items())


def _tried(part: Callable[[], Figure]) -> Figure:
    """What a part gives, or why it gives nothing: the others are measured all the same."""
    try:
        return part()
    except NotMeasuredError as reason:
        return {"not_measured": str(reason)}
    except Exception as error:
        traceback.print_exc()
        return {"not_measured": f"it failed, {describe(error)}"}


def _card(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def _say(name: str, figure: Figure) -> None:
    print(f"{name}: {json.dumps(figure)}", file=sys.stderr, flush=True)


def main() -> None:
    options = options_of()
    if options.table:
        print(table(options.table, [*TASKS, *BY_VLLM]), end="")
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
