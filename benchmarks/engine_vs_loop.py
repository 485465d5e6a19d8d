"""How much faster the engine answers deblurring prompts than a plain loop does.

    python benchmarks/engine_vs_loop.py [--pack FOLDER] [--images 8] [--threads 2] [--random]

The prompts are those of V2L's restorations (32 an 8x8 image: instruction, 10 examples, query, 2
new tokens) over codes drawn at random, so that no two examples are alike. The loop is what one
writes with transformers alone: one prompt at a time, a fresh prefill, cached decoding of the second
token. Both have the same weights and must give the same answers. They take turns, since other
processes slow both down; ratios are of neighbouring turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from alone import One

from frostbench.plugins.backbones import BackboneEntry
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Ids, Prompt, Text
from frostbench.plugins.contract.requests import OracleContext, Restore
from frostbench.plugins.engine import EngineSettings, FrozenEngine
from frostbench.plugins.host.packs import embedded_pack
from frostbench.plugins.parts.prompting.restoration import WindowSettings, restoration
from frostbench.plugins.parts.prompting.token_map import map_codes

SIDE = 8  # codes along an image's side


def prompts_of(images: int, vocabulary: int, side: int = SIDE) -> list[Prompt]:
    """The deblurring prompts of images whose codes are drawn at random."""
    token_map = map_codes(vocabulary - 259, vocabulary, "offset", 259)
    prompts: list[Prompt] = []
    for seed in range(images):
        draw = torch.Generator().manual_seed(seed)
        blurred, clean = (Image(torch.rand(3, side, side, generator=draw)) for _ in range(2))
        layers = {
            image: (torch.randint(len(token_map.ids), (side, side), generator=draw),)
            for image in (blurred, clean)
        }
        request = Restore(str(seed), blurred, "deblurring", OracleContext(clean), seed=seed)
        waves = restoration(request, layers.__getitem__, token_map, WindowSettings())
        prompts += next(waves)
    return prompts


def load(folder: Path, *, random: bool) -> tuple[Any, Any]:
    """The model and tokenizer of a folder, or a random model of the mini pack's size."""
    from transformers import AutoTokenizer, Lfm2Config, Lfm2ForCausalLM, logging

    logging.set_verbosity_error()
    if not random:
        lm = CausalLM.load(BackboneEntry("llm", "causal_lm", str(folder)))
        return lm.model, lm.tokenizer
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    config = Lfm2Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        layer_types=["conv", "full_attention"] * 3,
        block_auto_adjust_ff_dim=False,
        max_position_embeddings=2048,
        initializer_range=0.05,
    )
    return Lfm2ForCausalLM(config), tokenizer


def plain(model: Any) -> Any:
    """The model with torch's own linear layers, sharing all weights."""
    import copy

    twin = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.Linear):
                linear = torch.nn.Linear(1, 1, bias=False)
                linear.weight, linear.bias = child.weight, child.bias
                setattr(parent, name, linear)
    return twin.eval()


def ids_of(prompt: Prompt, lm: CausalLM) -> list[int]:
    """The ids of a prompt of texts and ids."""
    ids = list(lm.opening_ids)
    for piece in prompt.pieces:
        match piece:
            case Text(text):
                ids += lm.encode(text)
            case Ids(given):
                ids += given
            case _:
                raise TypeError(f"no ids in {piece!r}.")
    return ids


@torch.inference_mode()
def loop(
    model: Any, rows: Sequence[Sequence[int]], allowed: torch.Tensor, new: int, eos: frozenset[int]
) -> list[tuple[int, ...]]:
    """The plain loop."""
    answers, device = [], model.device
    allowed = allowed.to(device)
    for ids in rows:
        out = model(input_ids=torch.tensor([ids], device=device), use_cache=True)
        said: list[int] = []
        while True:
            best = int(allowed[out.logits[0, -1, allowed].argmax()])
            if best in eos:
                break
            said.append(best)
            if len(said) == new:
                break
            out = model(
                input_ids=torch.tensor([[best]], device=device),
                past_key_values=out.past_key_values,
                use_cache=True,
            )
        answers.append(tuple(said))
    return answers


def timed(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, processor seconds, and what came out."""
    wall, cpu = time.perf_counter(), time.process_time()
    out = run()
    return time.perf_counter() - wall, time.process_time() - cpu, out


def say(name: str, wall: float, cpu: float, tokens: int) -> None:
    """Print one turn."""
    print(f"{name:34} {wall:7.2f} s, processors {cpu:7.2f} s, {tokens / wall:8.0f} tokens/s")


def options_of() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, default=embedded_pack("mini"))
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--side", type=int, default=SIDE, help="codes along an image's side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget", type=int, default=None, help="tokens in a batch")
    parser.add_argument("--random", action="store_true", help="random weights of the mini size")
    parser.add_argument("--explain", action="store_true", help="time the engine without each part")
    return parser.parse_args()


def main() -> None:
    options = options_of()
    torch.set_num_threads(options.threads)

    model, tokenizer = load(options.pack / "llm", random=options.random)
    bare = plain(model)
    lm = CausalLM(model, tokenizer)
    prompts = prompts_of(options.images, lm.vocabulary_size, options.side)
    rows = [ids_of(prompt, lm) for prompt in prompts]
    ask: Any = prompts[0].ask
    allowed = torch.tensor(sorted(ask.allowed.sets[0]))
    tokens = sum(map(len, rows)) + ask.max_new_tokens * len(rows)
    print(
        f"{len(prompts)} prompts of {len(rows[0])} + {ask.max_new_tokens} tokens, {tokens} in all"
    )

    def engine(settings: EngineSettings | None = None, with_model: Any = None) -> Any:
        it = CausalLM(model, tokenizer)
        if with_model is not None:
            it.model = with_model
        settings = settings or EngineSettings(token_budget=options.budget)
        built = FrozenEngine(One(it), settings)
        built.traits("llm")
        return lambda: built.run(prompts)

    def plain_loop(model: Any) -> Any:
        return lambda: loop(model, rows, allowed, ask.max_new_tokens, lm.eos_ids)

    full = engine()
    contestants = {"engine": full}
    if options.explain:
        contestants |= {
            "engine, torch's linear layers": engine(None, bare),
            "engine, nothing shared": engine(
                EngineSettings(token_budget=options.budget, shared_prefix=0)
            ),
            "engine, one prompt a batch": engine(EngineSettings(max_batch=1)),
            "loop, the engine's linear layers": plain_loop(model),
        }
    expected = plain_loop(bare)()
    for name, run in contestants.items():
        answers = run()
        given = [tuple(a.ids) if isinstance(a, Generated) else a for a in answers]
        assert given == expected, f"{name} gives other answers than the plain loop"
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(options.repeats):
        wall, cpu, _ = timed(plain_loop(bare))
        say("plain loop", wall, cpu, tokens)
        for name, run in contestants.items():
            own_wall, own_cpu, _ = timed(run)
            ratios[name].append((wall / own_wall, cpu / own_cpu))
            say(name, own_wall, own_cpu, tokens)
    print("same answers; the plain loop's time divided by theirs, median over turns:")
    for name, pairs in ratios.items():
        walls, cpus = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:34} wall {walls:.2f}, processors {cpus:.2f}")
    _limits(model, rows, tokens)


def _limits(model: Any, rows: Sequence[Sequence[int]], tokens: int) -> None:
    """Say how long the matrix products alone would take at this machine's rate."""
    weights = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear))
    weights -= model.get_output_embeddings().weight.numel()
    x, w = torch.randn(4096, 512), torch.randn(512, 512)
    linear = torch.ops.mkldnn._linear_pointwise
    best: dict[str, float] = {}
    with torch.inference_mode():
        for name, product in (
            ("torch's own (MKL)", lambda: torch.nn.functional.linear(x, w)),
            ("oneDNN", lambda: linear(x, w, None, "none", [], "")),
        ):
            seconds = min(timed(product)[0] for _ in range(20))
            best[name] = 2 * x.numel() * 512 / seconds
    operations = 2 * weights * tokens
    print(f"matrix products: {operations / 1e9:.0f} GFLOP of linear layers;")
    for name, rate in best.items():
        print(f"  {name}: {rate / 1e9:.0f} GFLOP/s, so at least {operations / rate:.2f} s")


if __name__ == "__main__":
    main()
