"""A small world for the runner's tests: two tasks, two methods, an engine, all deterministic.

The engine and the set metric answer slightly differently in another company of prompts or images. A
resumed run equals an uninterrupted one only if it repeats the same company.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from frostbench.bench.cli.assemble import open_controls
from frostbench.bench.runner.plan import Plan, PlannedMethod, PlannedTask, Provenance
from frostbench.bench.store.lines import read_lines
from frostbench.bench.store.manifest import PackEntry
from frostbench.bench.store.reader import samples_files
from frostbench.bench.store.sealed import read_sealed
from frostbench.plugins import (
    Card,
    Classify,
    Generate,
    Generated,
    Grid,
    HeldOutContext,
    Ids,
    Image,
    ImagePrediction,
    LabelledImage,
    Method,
    Metric,
    MetricFacts,
    OracleContext,
    Prompt,
    Reconstruct,
    Restore,
    RestoredPair,
    Setup,
    Shot,
    TaskCard,
    Text,
    TextPrediction,
    TokenSets,
    Trie,
    VisualTokens,
)
from frostbench.plugins.contract.completions import Cost
from frostbench.plugins.contract.task import Instance, Task
from frostbench.plugins.host.registry import Host

CONTROLS = open_controls(Host())
SIZE = 8
NAMES = ("red", "green", "blue", "grey")


def picture(name: str) -> Image:
    generator = torch.Generator().manual_seed(
        int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    )
    levels = torch.randint(0, 256, (3, SIZE, SIZE), generator=generator)
    return Image(levels.float() / 255, name)


@dataclass(frozen=True)
class Ways:
    ways: int = 2


class Naming(Task):
    card = TaskCard(
        name="naming",
        suite="understanding",
        request_type="Classify",
        reads="label",
        metrics=("accuracy[exact]",),
        ranks_by="accuracy[exact]",
        controls=("chance", "majority_vote", "token_overlap", "shuffled_tokens"),
    )
    data = "pictures"
    settings = Ways

    def __init__(self, settings: Ways) -> None:
        self.ways = settings.ways

    def instances(self, data: Callable[[str], Image], limit: int, seed: int) -> Iterator[Instance]:
        for i in range(limit):
            names = [NAMES[(i + k) % len(NAMES)] for k in range(self.ways)]
            shots = tuple(LabelledImage(data(f"shot {i % 5} {name}"), name) for name in names)
            request = Classify(str(i), data(f"query {seed} {i}"), shots, tuple(names), seed=i)
            yield Instance(request, names[i % self.ways], None, f"episode {i // 2}")

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Any]]:
        return {
            "chance": [
                TextPrediction(one.request.options[one.request.seed % len(one.request.options)])
                for one in instances
            ]
        }


class Mending(Task):
    card = TaskCard(
        name="mending",
        suite="restoration",
        request_type="Restore",
        reads="image",
        metrics=("mse", "distance[mean]"),
        ranks_by="mse",
        protocols=("oracle_context", "held_out_context"),
        controls=("copy", "majority_vote", "shuffled_tokens", "ceiling"),
    )
    data = "pictures"
    settings = Ways

    def __init__(self, settings: Ways) -> None:
        self.pairs = settings.ways

    def instances(self, data: Callable[[str], Image], limit: int, seed: int) -> Iterator[Instance]:
        for i in range(limit):
            clean = data(f"clean {seed} {i}")
            corrupted = Image((clean.pixels * 0.5), f"dark {i}")
            pairs = tuple(
                RestoredPair(Image(other.pixels * 0.5), other)
                for other in (data(f"other {k}") for k in range(self.pairs))
            )
            for context in (OracleContext(clean, 2), HeldOutContext(pairs)):
                protocol = "oracle_context" if isinstance(context, OracleContext) else None
                yield Instance(
                    Restore(str(i), corrupted, "dark", context, seed=i),
                    clean,
                    protocol or "held_out_context",
                    str(i),
                )

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Any]]:
        return {"copy": [ImagePrediction(one.request.image.pixels) for one in instances]}


class Blocks(Method):
    """Four cells an image, each the level of its mean; restores and names with the engine."""

    card = Card(
        name="blocks",
        paper="https://example.org/blocks",
        capabilities=frozenset({"Classify", "Reconstruct", "Restore"}),
        backbones=("llm",),
    )

    def __init__(self, levels: int = 16) -> None:
        self.levels = levels

    @classmethod
    def build(cls, setup: Setup) -> "Blocks":
        return cls()

    @classmethod
    def toy(cls) -> "Blocks":
        return cls()

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{type(self).__name__} {self.levels}".encode()).hexdigest()

    def tokenize(self, images: torch.Tensor, sizes: torch.Tensor) -> VisualTokens:
        cells = nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), 2)[:, 0]
        return VisualTokens({"local": Grid((cells * self.levels).long() % self.levels)})

    def prompt(self, request: Any, tokens: Mapping[Image, VisualTokens]) -> Any:
        def ids(image: Image) -> Ids:
            return Ids(tuple(tokens[image].grid("local").flatten().tolist()))

        if isinstance(request, Reconstruct):
            return list(ids(request.image).ids)
        if isinstance(request, Classify):
            shots = tuple(Shot((ids(e.image),), (Text(e.text),)) for e in request.examples)
            ask = Generate(4, Trie(request.options))
            (done,) = yield [Prompt((ids(request.image),), ask, shots)]
            return done.text
        if isinstance(request.context, OracleContext):
            pairs = [(request.image, request.context.clean)] * request.context.examples
        else:
            pairs = [(pair.corrupted, pair.clean) for pair in request.context.pairs]
        shots = tuple(Shot((ids(a),), (ids(b),)) for a, b in pairs)
        said: list[int] = []
        for half in range(2):
            ask = Generate(2, TokenSets((frozenset(range(self.levels)),) * 2))
            parts = tuple(
                replace(shot, answer=(Ids(shot.answer[0].ids[2 * half : 2 * half + 2]),))
                for shot in shots
            )
            (done,) = yield [Prompt((ids(request.image), Ids(tuple(said))), ask, parts)]
            said += done.ids
        return said

    def decode(self, requests: Sequence[Any], outcomes: Sequence[Any]) -> list[Any]:
        return [
            TextPrediction(outcome)
            if isinstance(request, Classify)
            else ImagePrediction(self.draw(outcome))
            for request, outcome in zip(requests, outcomes, strict=True)
        ]

    def draw(self, ids: Sequence[int]) -> torch.Tensor:
        cells = torch.tensor(ids).float().reshape(1, 1, 2, 2) / (self.levels - 1)
        return nn.functional.interpolate(cells, size=(SIZE, SIZE))[0].expand(3, -1, -1).clone()

    def words(self, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
        return {"local": [[f"w{i}" for i in row] for row in tokens.grid("local")[0].tolist()]}


class Fine(Blocks):
    """The same with more levels, and without understanding."""

    card = replace(
        Blocks.card,
        name="fine",
        capabilities=frozenset({"Reconstruct", "Restore"}),
        reasons={"Classify": "it knows no words"},
    )

    def __init__(self) -> None:
        super().__init__(64)


class Hashing:
    """Answers by a hash of the prompt and of the company it comes in."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.before = before

    def run(self, prompts: Sequence[Prompt]) -> list[Any]:
        self.before()
        return [self.answer(prompt, len(prompts)) for prompt in prompts]

    def answer(self, prompt: Prompt, company: int) -> Generated:
        content = repr([prompt.pieces, company]).encode()
        number = int(hashlib.sha256(content).hexdigest()[:8], 16)
        cost = Cost(0.001, prompt_tokens=len(prompt.pieces), generated_tokens=1)
        match prompt.ask:
            case Generate(allowed=Trie(strings)):
                return Generated((), strings[number % len(strings)], cost=cost)
            case Generate(allowed=TokenSets(sets)):
                choices = [sorted(one) for one in sets]
                return Generated(
                    tuple(c[(number + k) % len(c)] for k, c in enumerate(choices)), "", cost=cost
                )
        raise AssertionError(prompt.ask)


def accuracy(prediction: Any, target: Any) -> float:
    return float(prediction.text == target)


def squares(prediction: Any, target: Any) -> float:
    return float((prediction.pixels - target.pixels).square().mean())


def mean_colours(images: Sequence[Image]) -> Any:
    rows = torch.stack([image.pixels.mean((1, 2)) for image in images])
    return (rows + len(images) * 1e-3).numpy()


ACCURACY = Metric(MetricFacts("accuracy[exact]", lower=0.0, upper=1.0, percent=True), accuracy)
SQUARES = Metric(MetricFacts("mse", lower=0.0, upper=1.0, direction="lower"), squares)
DISTANCE = Metric(
    MetricFacts("distance[mean]", lower=0.0, direction="lower", pooling="features"), mean_colours
)


def by_id(*metrics: Metric) -> dict[str, Metric]:
    return {metric.facts.id: metric for metric in metrics}


@dataclass
class Entry:
    role: str
    kind: str = "linear"
    source: str = "nowhere"
    dtype: str = "float32"


class OneBackbone:
    """A single frozen layer under the role "llm"."""

    def __init__(self) -> None:
        self.entries = {"llm": Entry("llm")}
        self.opened: dict[str, Any] = {}
        self.drop()

    def drop(self, roles: Any = None) -> None:
        if roles is not None and "llm" not in roles:
            return
        self.layer = nn.Linear(3, 3)
        nn.init.eye_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.opened.clear()

    def get(self, role: str) -> Any:
        if role != "llm":
            raise LookupError(f"no backbone named {role!r}; there are llm.")
        return self.opened.setdefault(role, self.layer)

    def loaded(self) -> Mapping[str, Any]:
        return dict(self.opened)

    def fingerprints(self, role: str) -> Mapping[str, str]:
        return {
            name: hashlib.sha256(tensor.detach().numpy().tobytes()).hexdigest()
            for name, tensor in self.layer.state_dict().items()
        }

    def changed(self, role: str, before: Mapping[str, str]) -> list[str]:
        return [name for name, now in self.fingerprints(role).items() if before[name] != now]

    def parameters(self, role: str) -> int:
        return 12


def plain(run: Any) -> list[dict[str, Any]]:
    """The run's records without what a clock says, in a fixed order."""
    lines = [record.to_json() for record in run.records()]
    for line in lines:
        line["cost"] = {
            key: value for key, value in line["cost"].items() if key.endswith("_tokens")
        }
    return sorted(lines, key=lambda line: repr([line[key] for key in KEY]))


def written(folder: Path) -> int:
    """How many samples stand in a run's files, those that stand twice among them."""
    files = samples_files(folder)
    return sum(len((read_sealed if f.suffix == ".parquet" else read_lines)(f)) for f in files)


KEY = ("task", "protocol", "method", "control", "sample")


def method(kind: type[Blocks], build: Callable[[], Any] | None = None) -> PlannedMethod:
    return PlannedMethod(kind.card, build or kind)


def plan_of(out: Path, tokens: Path, *, limit: int = 4, **changes: Any) -> Plan:
    metrics = by_id(ACCURACY, SQUARES, DISTANCE)
    tasks = (
        PlannedTask(Naming(Ways()), lambda: picture, limit, {"ways": 2}),
        PlannedTask(Mending(Ways()), lambda: picture, limit, {"pairs": 2}),
    )
    plan = Plan(
        out=out,
        methods=(method(Blocks), method(Fine)),
        tasks=tasks,
        metrics=metrics,
        engine=Hashing(),
        backbones=OneBackbone(),
        facts=Provenance("0", PackEntry("world", "", "0" * 64)),
        tokens=tokens,
        config={"seed": 0},
        controls=CONTROLS,
        chunk=3,
        tokenize_batch=4,
        gallery=2,
    )
    return replace(plan, **changes)
