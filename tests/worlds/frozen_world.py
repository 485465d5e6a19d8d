"""A run over a tiny Llama: a method that asks it, and one beside it that does it harm."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from language_models import model, tokenizer
from runner_world import Blocks, Naming, Ways, picture, plain, plan_of

from frostbench.bench.runner.plan import Plan, PlannedMethod, PlannedTask
from frostbench.plugins import Generate, Grid, Ids, Prompt, Text, Trie, VisualTokens
from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.engine.frozen import FrozenEngine


def load_llama(entry: BackboneEntry, device: str) -> CausalLM:
    return CausalLM(model("llama"), copy.deepcopy(tokenizer()), "llama")


def llama() -> CausalLM:
    return load_llama(BackboneEntry("llm", "llama", ""), "cpu")


def backbones() -> SharedBackbones:
    return SharedBackbones([BackboneEntry("llm", "llama", "")], "cpu", {"llama": load_llama})


Deed = Callable[[CausalLM], Any]
"""What is done to a language model; what comes back takes it back."""


class Honest(Blocks):
    """Asks the language model twice for each request."""

    card = replace(Blocks.card, name="honest")

    def tokenize(self, images: Any, sizes: Any) -> Any:
        """The same in any company: preflight looks at the first image alone."""
        twice = super().tokenize(torch.cat([images, images]), torch.cat([sizes, sizes]))
        return VisualTokens({"local": Grid(twice.grid("local")[: len(images)])})

    def prompt(self, request: Any, tokens: Any) -> Any:
        ids = Ids(tuple(tokens[request.image].grid("local").flatten().tolist()))
        (first,) = yield [Prompt((ids, Text(" a cat")), Generate(3))]
        asked = (ids, Ids(first.ids), Text(" is a"))
        (said,) = yield [Prompt(asked, Generate(4, Trie(request.options)))]
        return said.text


class Harmful(Honest):
    """Does its deed at `at`, and takes it back at `until`, for one sample of all."""

    card = replace(Blocks.card, name="harmful")
    sample = "1"  # the first one is prompted before the run begins

    def __init__(self, shared: SharedBackbones, deed: Deed, at: str, until: str = "") -> None:
        super().__init__()
        self.lm = shared.get("llm")
        self.deed, self.at, self.until = deed, at, until
        self.back: Any = None

    def now(self, moment: str) -> None:
        if moment == self.at and self.back is None:
            self.back = self.deed(self.lm) or (lambda: None)
        elif moment == self.until and self.back is not None:
            self.back()

    def tokenize(self, images: Any, sizes: Any) -> Any:
        self.now("tokenize")
        return super().tokenize(images, sizes)

    def prompt(self, request: Any, tokens: Any) -> Any:
        waves = super().prompt(request, tokens)
        mine = request.id == self.sample
        completions = None
        for wave in range(3):
            if mine:
                self.now(f"wave {wave}")
            try:
                completions = yield (waves.send(completions))
            except StopIteration as stop:
                return stop.value

    def decode(self, requests: Any, outcomes: Any) -> Any:
        if any(request.id == self.sample for request in requests):
            self.now("decode")
        made = super().decode(requests, outcomes)
        self.now("decoded")
        return made


def honest() -> PlannedMethod:
    return PlannedMethod(Honest.card, Honest)


def harmful(
    shared: SharedBackbones, deed: Deed, at: str, until: str = "", kind: type[Harmful] = Harmful
) -> PlannedMethod:
    return PlannedMethod(kind.card, lambda: kind(shared, deed, at, until))


def frozen_plan(
    folder: Path, shared: SharedBackbones, *methods: PlannedMethod, limit: int = 2, **changes: Any
) -> Plan:
    return replace(
        plan_of(folder / "run", folder / "tokens"),
        methods=methods,
        tasks=(PlannedTask(Naming(Ways()), lambda: picture, limit, {"ways": 2}),),
        backbones=shared,
        engine=FrozenEngine(shared),
        renew=lambda: (FrozenEngine(shared), plan_of(folder, folder).metrics),
        controls=None,
        chunk=2,
        **changes,
    )


def rows_of(run: Any, method: str | None) -> list[dict[str, Any]]:
    """A method's records, without what names the run."""
    lines = [line for line in plain(run) if line["method"] == method]
    for line in lines:
        line["made_by"] = ""
    return lines


def halve(weight: torch.Tensor) -> Callable[[], object]:
    """Halve a weight as torch counts it; doubling gives back the very numbers."""
    with torch.no_grad():
        weight.mul_(0.5)

    def back() -> None:
        with torch.no_grad():
            weight.mul_(2.0)

    return back
