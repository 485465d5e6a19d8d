"""How much faster the engine regresses features than a loop that reads everything again.

    python benchmarks/regress_vs_naive.py [--prompts 8] [--tokens 100] [--steps 64] [--width 256]
        [--layers 4] [--heads 4] [--threads 1] [--device cpu] [--dtype float32]

The model is a Llama with random weights; the prompts are embeddings, as LM4LV's are, and the feed
is its two linear maps. The published loop (LM4LV's `generate_image_only`) takes one prompt at a
time and reads the whole sequence, head and all, at each step. Beside it stands the same loop
without the head, over all prompts at once. All have the same weights and must give the same
features. They take turns, since other processes slow all down; ratios are of neighbouring turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from alone import NoTokenizer, One
from torch import Tensor, nn

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.devices import device_of, dtype_of
from frostbench.plugins.contract.completions import Regressed
from frostbench.plugins.contract.prompts import Prompt, Regress, Vectors
from frostbench.plugins.engine import FrozenEngine

# Share of the features' spread by which two loops may differ in float32, and in half precision,
# where the rounding of a step is fed to all that follow.
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.2


def model_of(options: argparse.Namespace) -> Any:
    """A random Llama."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=options.vocabulary,
        hidden_size=options.width,
        intermediate_size=options.width * 8 // 3,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.heads,
        max_position_embeddings=options.tokens + options.steps,
    )
    return LlamaForCausalLM(config).to(device_of(options.device), dtype_of(options.dtype))


def feed_of(width: int, features: int, device: torch.device) -> nn.Module:
    """To features of a vision model, and back."""
    torch.manual_seed(1)
    made = nn.Sequential(nn.Linear(width, features), nn.Linear(features, width))
    return made.to(device).requires_grad_(False)


@torch.inference_mode()
def published(model: Any, rows: Sequence[Tensor], steps: int, feed: nn.Module) -> list[Tensor]:
    """One prompt at a time, the whole model at each step."""
    answers = []
    for row in rows:
        inputs, features = row[None], []
        for _ in range(steps):
            out = model(inputs_embeds=inputs, use_cache=False, output_hidden_states=True)
            features.append(out.hidden_states[-1][:, -1].float())
            fed = feed(features[-1])[:, None].to(inputs.dtype)
            inputs = torch.cat([inputs, fed], dim=1)
        answers.append(torch.cat(features))
    return answers


@torch.inference_mode()
def together(model: Any, rows: Sequence[Tensor], steps: int, feed: nn.Module) -> list[Tensor]:
    """All prompts at once, without the head."""
    inputs, features = torch.stack(list(rows)), []
    for _ in range(steps):
        out = model.base_model(inputs_embeds=inputs, use_cache=False)
        features.append(out.last_hidden_state[:, -1].float())
        inputs = torch.cat([inputs, feed(features[-1])[:, None].to(inputs.dtype)], dim=1)
    return list(torch.stack(features, dim=1))


def answered(engine: FrozenEngine, prompts: Sequence[Prompt]) -> list[Tensor]:
    """The engine's features."""
    features = []
    for answer in engine.run(prompts):
        if not isinstance(answer, Regressed):
            raise TypeError(f"no features but {answer!r}.")
        features.append(answer.features)
    return features


def timed(run: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Seconds, and what came out."""
    begun = time.perf_counter()
    out = run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=100, help="length of a prompt")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--vocabulary", type=int, default=2048)
    parser.add_argument("--features", type=int, default=128, help="width of the feed's middle")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    lm = CausalLM(model_of(options), NoTokenizer(), "random")
    feed = feed_of(lm.width, options.features, lm.device)
    draw = torch.Generator().manual_seed(2)
    rows = [
        (torch.randn(options.tokens, lm.width, generator=draw) / 10).to(lm.device, lm.dtype)
        for _ in range(options.prompts)
    ]
    prompts = [Prompt((Vectors(row),), Regress(options.steps, feed), bos=False) for row in rows]
    engine = FrozenEngine(One(lm))
    print(
        f"{len(rows)} prompts of {options.tokens} tokens, {options.steps} steps each; "
        f"{sum(p.numel() for p in lm.model.parameters()) / 1e6:.1f} M parameters on {lm.device}, "
        f"{options.dtype}; {engine.traits('llm')}"
    )
    loops: dict[str, Callable[[], list[Tensor]]] = {
        "naive, one prompt at a time": lambda: published(lm.model, rows, options.steps, feed),
        "naive, all prompts at once": lambda: together(lm.model, rows, options.steps, feed),
    }
    given = torch.stack(answered(engine, prompts))
    tolerance = TOLERANCE if lm.dtype == torch.float32 else HALF_TOLERANCE
    for name, loop in loops.items():
        wanted = torch.stack(loop())
        error = float((given - wanted).norm() / (wanted - wanted.mean()).norm())
        print(f"{name}: features differ by {error:.1e} of their spread")
        assert error <= tolerance, f"{name} gives other features than the engine"
    ratios: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(options.repeats):
        cached, _ = timed(lambda: answered(engine, prompts), lm.device)
        print(f"{'engine':30} {cached:8.3f} s")
        for name, loop in loops.items():
            seconds, _ = timed(loop, lm.device)
            ratios[name].append(seconds / cached)
            print(f"{name:30} {seconds:8.3f} s")
    print("their time divided by the engine's, median over turns:")
    for name, values in ratios.items():
        print(f"{name:30} {statistics.median(values):6.1f}")


if __name__ == "__main__":
    main()
