"""A plugin that is a whole bench of toys: two methods, a task, a metric, an engine, no model.

The environment says where the second method sins, and how: SIN="tokenize exit 0".
"""

import ctypes
import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from frostbench.plugins import (
    Card,
    Classify,
    Generate,
    Generated,
    Grid,
    Image,
    Method,
    MetricFacts,
    Offer,
    Prompt,
    TaskCard,
    Text,
    TextPrediction,
    Trie,
    VisualTokens,
    hookimpl,
)
from frostbench.plugins.contract.task import Instance, Task

PLUGIN = Path(__file__)


def pack(folder: Path) -> Path:
    """Write a pack without models."""
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "any.txt").write_text("drawn when asked for")
    entry = {"name": "light", "summary": "nothing", "backbones": {}, "methods": {}}
    (folder / "pack.json").write_text(json.dumps({**entry, "data": {"light_pictures": "pictures"}}))
    return folder


def words(folder: Path, out: str = "run") -> list[str]:
    """The command of a run in a folder that `pack` was written to."""
    lines = ["run", f"plugins={PLUGIN}", f"pack={folder}", "methods=light,sinner", "limit=2"]
    lines += ["tasks=light_naming", "controls=false", "engine.name=echo", "quiet=true"]
    return [*lines, f"out={folder.parent / out}", f"cache={folder.parent / 'cache'}"]


def sin(verb: str) -> None:
    place, _, how = os.environ.get("SIN", "").partition(" ")
    if place != verb:
        return
    match how:
        case "exit 0":
            os._exit(0)
        case "crash":
            ctypes.string_at(0)
        case "sys.exit":
            raise SystemExit(0)
        case "interrupt":
            raise KeyboardInterrupt
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "slow" | "together":
            worked = Path(os.environ["WORKED"])
            with worked.open("a") as file:
                file.write(f"{os.getpid()}\n")
            time.sleep(0.2 if how == "slow" else 0)
            while how == "together" and len(set(worked.read_text().split())) < 2:
                time.sleep(0.02)
        case "wait":
            Path(os.environ["WAITING"]).write_text(str(os.getpid()))
            while True:
                time.sleep(0.02)


class Light(Method):
    card = Card("light", "none", capabilities=frozenset({"Classify"}))

    @classmethod
    def build(cls, setup):
        return cls()

    @classmethod
    def toy(cls):
        return cls()

    @property
    def fingerprint(self):
        return hashlib.sha256(self.card.name.encode()).hexdigest()

    def tokenize(self, images, sizes):
        return VisualTokens({"word": Grid((images.mean((1, 2, 3)) * 9).long()[:, None, None])})

    def prompt(self, request, tokens):
        code = int(tokens[request.image].grid("word")[0, 0, 0])
        (done,) = yield [Prompt((Text(str(code)),), Generate(3, Trie(request.options)))]
        return done.text

    def decode(self, requests, outcomes):
        return [TextPrediction(text) for text in outcomes]


class Sinner(Light):
    card = replace(Light.card, name="sinner")

    @classmethod
    def build(cls, setup):
        sin("build")
        return cls()

    def tokenize(self, images, sizes):
        sin("tokenize")
        return super().tokenize(images, sizes)

    def prompt(self, request, tokens):
        sin("prompt")
        while os.environ.get("SIN") == "prompt endless":
            yield []
        return (yield from super().prompt(request, tokens))

    def decode(self, requests, outcomes):
        sin("decode")
        return super().decode(requests, outcomes)


@dataclass(frozen=True)
class Nothing:
    pass


class LightNaming(Task):
    card = TaskCard("light_naming", "light", "Classify", "label", ("right",), "right")
    data = "light_pictures"
    settings = Nothing

    def __init__(self, settings):
        pass

    def instances(self, data, limit, seed):
        for index in range(limit):
            image = Image(torch.full((3, 4, 4), (index % 10) / 10), str(index))
            yield Instance(
                Classify(str(index), image, (), ("dark", "light")), "dark", None, str(index)
            )


class Echo:
    def run(self, prompts):
        return [Generated((), prompt.ask.allowed.strings[0]) for prompt in prompts]


def right(prediction, target):
    return float(prediction.text == target)


@hookimpl
def frostbench_methods():
    return [Light, Sinner]


@hookimpl
def frostbench_tasks():
    return [Offer(LightNaming.card, LightNaming)]


@hookimpl
def frostbench_metrics():
    return [Offer(MetricFacts("right", lower=0.0, upper=1.0), right)]


@hookimpl
def frostbench_engines():
    return [Offer("echo", lambda backbones, settings: Echo())]


@hookimpl
def frostbench_datasets():
    return [Offer("light_pictures", lambda folder: folder)]
