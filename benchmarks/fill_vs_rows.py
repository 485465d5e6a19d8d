"""How much faster `Fill` is than reading each group of placeholders with the whole prompt.

    python benchmarks/fill_vs_rows.py [--layers 4] [--width 256] [--heads 4] [--tokens 200]
        [--groups 100] [--slots 5] [--threads 1] [--repeats 5] [--device cpu]

The model is a random Llama, or with `--convolutions` a random LFM2 whose every other layer is a
short convolution. Three ways give the same states: rows, each the prompt and one group, read at
once as far as the engine's budget of tokens goes; branches, which read the prompt once and each
group after a copy of its cache; and one packed sequence, which is what `Fill` does for these
models. They take turns. Seconds on a CPU are those of the process itself.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from alone import NoTokenizer, One
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.devices import device_of
from frostbench.plugins.contract.completions import Filled
from frostbench.plugins.contract.prompts import Fill, Prompt, Vectors
from frostbench.plugins.engine import EngineSettings, FrozenEngine
from frostbench.plugins.engine.fill import fill
from frostbench.plugins.engine.forward import States
from frostbench.plugins.engine.reader import CachedReader
from frostbench.plugins.engine.resolve import resolve

TOLERANCE = 1e-5


def model_of(options: argparse.Namespace) -> Any:
    """A random model."""
    import transformers as hf

    torch.manual_seed(0)
    sizes = {
        "vocab_size": 512,
        "hidden_size": options.width,
        "intermediate_size": options.width * 43 // 16,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "num_key_value_heads": options.heads,
        "max_position_embeddings": 4096,
    }
    with torch.device(device_of(options.device)):
        if not options.convolutions:
            return hf.LlamaForCausalLM(hf.LlamaConfig(**sizes))
        kinds = [("conv", "full_attention")[at % 2] for at in range(options.layers)]
        return hf.Lfm2ForCausalLM(hf.Lfm2Config(**sizes, layer_types=kinds))


@torch.inference_mode()
def by_rows(lm: CausalLM, prompt: Tensor, groups: Tensor, budget: int) -> Tensor:
    """Each group in a row of its own with the prompt."""
    most = max(1, budget // (len(prompt) + groups.shape[1]))
    states = []
    for some in groups.split(most):
        rows = torch.cat([prompt.expand(len(some), -1, -1), some], dim=1)
        out = lm.model.base_model(inputs_embeds=rows, use_cache=False)
        states.append(out.last_hidden_state[:, len(prompt) :])
    return torch.cat(states).float()


@torch.inference_mode()
def by_branches(lm: CausalLM, prompt: Prompt, budget: int) -> Tensor:
    """Each group after a branch of the prompt's cache."""
    item = resolve(prompt, lm, "llm")
    reader = CachedReader(lm, States, continues=True)
    most = max(1, budget // (item.length + item.new))
    (answer,) = fill([item], reader, lm, "llm", most)
    return states_of(answer)


def states_of(answer: Any) -> Tensor:
    """The states of an answer that has some."""
    if not isinstance(answer, Filled):
        raise TypeError(f"no states but {answer!r}.")
    return answer.states


def seconds(run: Callable[[], Tensor], device: torch.device) -> float:
    """How long a run takes."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    begun = clock()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - begun


def options_of() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, size in (("layers", 4), ("width", 256), ("heads", 4), ("tokens", 200)):
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--slots", type=int, default=5, help="placeholders of a group")
    parser.add_argument("--convolutions", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def main() -> None:
    options = options_of()
    torch.set_num_threads(options.threads)
    lm = CausalLM(model_of(options), NoTokenizer(), "random")
    draw = torch.Generator().manual_seed(2)
    row = torch.randn(options.tokens, lm.width, generator=draw).to(lm.device)
    groups = torch.randn(options.groups, options.slots, lm.width, generator=draw).to(lm.device)
    prompt = Prompt((Vectors(row),), Fill(groups), bos=False)
    engine = FrozenEngine(One(lm))
    budget = EngineSettings().budget(lm.device.type)
    runs: dict[str, Callable[[], Tensor]] = {
        "rows": lambda: by_rows(lm, row, groups, budget),
        "branches": lambda: by_branches(lm, prompt, budget),
        "Fill": lambda: states_of(engine.run([prompt])[0]),
    }
    found = {name: run() for name, run in runs.items()}
    for name, states in found.items():
        error = float((states - found["rows"]).norm() / found["rows"].norm())
        print(f"{name}: states differ by {error:.1e} of their size from those of rows")
        assert error <= TOLERANCE, f"{name} gives other states than rows"
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.repeats):
        for name, run in runs.items():
            taken[name].append(seconds(run, lm.device))
    for name in runs:
        print(f"{name:10}{statistics.median(taken[name]):9.3f} s")
    for name in ("rows", "branches"):
        ratios = [one / fill for one, fill in zip(taken[name], taken["Fill"], strict=True)]
        print(f"{name}: time divided by that of Fill, median: {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
