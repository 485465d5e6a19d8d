"""Synthetic runs: folders as the runner leaves them, with records and small images."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frostbench.bench.store.hardware import Hardware
from frostbench.bench.store.manifest import (
    BackboneFacts,
    ControlEntry,
    Dash,
    Failure,
    Manifest,
    MethodEntry,
    MetricEntry,
    PackEntry,
    TaskEntry,
    TokenizerCounts,
)
from frostbench.bench.store.reader import StoredRun, open_run
from frostbench.bench.store.records import Record, Stored, StoredCost
from frostbench.bench.store.writer import RunWriter

WORDS = ("red", "sky", "leaf", "cat", "stone", "wheel", "star", "moon", "ear", "fur", "sea", "sun")
LABELS = ("lion", "rocket", "teapot", "cactus", "violin")
CONTROLS = {
    "chance": "a seeded, uniform guess among the options",
    "copy": "the corrupted image, handed back as it came",
    "majority_vote": "the method's own prompts answered by their most frequent answers",
    "token_overlap": "the answer of the example that shares most visual tokens with the query",
    "shuffled_tokens": "the method with each image's visual tokens exchanged for another's",
    "ceiling": "the method's own reconstruction of the clean image",
}
METRICS = (
    MetricEntry("accuracy[exact]", "", 0.0, 1.0, percent=True),
    MetricEntry("accuracy[prefix]", "", 0.0, 1.0, percent=True),
    MetricEntry("psnr[rgb]", "dB", 0.0, 100.0),
    MetricEntry("ssim", "", -1.0, 1.0),
    MetricEntry("lpips[mini]", "", 0.0, None, "lower", networks=("perceptual",)),
    MetricEntry("fid[mini]", "", 0.0, None, "lower", False, ("perceptual",), "features"),
)
IMAGE_METRICS = ["psnr[rgb]", "ssim", "lpips[mini]", "fid[mini]"]
SHOTS = ["2-way 1-shot induction", "2-way 1-shot", "5-way 1-shot induction", "5-way 1-shot"]
CONTEXTS = ["held_out_context", "oracle_context"]
METHODS = ("v2l", "vqgan")


@dataclass(frozen=True)
class Synthetic:
    """What the generator is asked for."""

    seed: int = 0
    samples: int = 12
    skill: float = 1.0  # of v2l
    order: int = 0  # in which records are written
    failed: tuple[str, ...] = ()  # ids of restorations that fail for vqgan
    outsider: bool = False  # a third method with dashes
    status: str = "finished"
    side: int = 16  # pixels


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., StoredRun]:
    """Open a run of these settings, `synthetic(samples=8)`; it is written once and never changed.

    Runs that differ in their name alone are written apart.
    """

    @functools.cache
    def write(name: str = "run", **settings: Any) -> StoredRun:
        return write_run(tmp_path_factory.mktemp(name), Synthetic(**settings))

    return write


def write_run(folder: Path, asked: Synthetic) -> StoredRun:
    writer = RunWriter(folder)
    records = list(_records(writer, asked))
    order = np.random.default_rng(asked.order).permutation(len(records))
    writer.append([records[i] for i in order] if asked.order else records)
    writer.write_manifest(manifest(asked))
    return open_run(folder)


def manifest(asked: Synthetic) -> Manifest:
    finished = asked.status == "finished"
    about = {
        "v2l": ("an image as words that a frozen LLM already knows", "2403.07874", ("decoder",)),
        "vqgan": ("a learned codebook, its ids read by the LLM", "2012.09841", ("encoder",)),
        "outsider": ("a plugin of one file", "0000.00000", ()),
    }
    counts = TokenizerCounts(forwards=9, images=262, cached=1480)
    no_decoder = "outsider has no decoder: it gives no image back"
    tasks = (
        _task(
            "few_shot_classification",
            "Name the class of an image from a few labelled ones.",
            SHOTS,
            ["accuracy[exact]", "accuracy[prefix]"],
            ["chance", "shuffled_tokens", "token_overlap"],
        ),
        _task(
            "reconstruction",
            "Give the image back through the method's own visual tokens.",
            [],
            IMAGE_METRICS,
            [],
        ),
        _task(
            "inpainting",
            "Fill in the centre of the image.",
            CONTEXTS,
            IMAGE_METRICS,
            ["ceiling", "copy", "majority_vote", "shuffled_tokens"],
        ),
        _task(
            "deblurring",
            "Undo a Gaussian blur.",
            CONTEXTS,
            IMAGE_METRICS,
            ["ceiling", "copy", "majority_vote"],
        ),
    )
    return Manifest(
        frostbench="0.1.0",
        created="2026-11-20T09:12:03+00:00",
        finished="2026-11-20T09:15:40+00:00" if finished else None,
        status=asked.status,
        config={"pack": "mini"},
        seed=asked.seed,
        limit=asked.samples,
        pack=PackEntry("mini", "small models, really trained", "5e" * 32),
        methods={
            name: MethodEntry(
                title=name,
                summary=about[name][0],
                paper=f"https://arxiv.org/abs/{about[name][1]}",
                version="1",
                capabilities=("Classify", "Restore"),
                backbones=("clip", "llm"),
                trained=about[name][2],
                trained_on="base glyph scenes",
                fingerprint=f"{len(name)}" * 64,
                weights={"model.safetensors": "ab" * 32},
            )
            for name in [*METHODS, *(["outsider"] if asked.outsider else [])]
        },
        backbones={
            role: BackboneFacts(
                kind=kind,
                source=f"packs/mini/{role}",
                dtype="float32",
                parameters=parameters,
                sha256_before=digest * 32,
                sha256_after=digest * 32 if finished else None,
            )
            for role, kind, parameters, digest in (
                ("clip", "open_clip", 4_210_000, "c1"),
                ("llm", "causal_lm", 5_120_000, "11"),
                ("perceptual", "perceptual", 310_000, "9e"),
            )
        },
        data={"glyph_portraits": "da" * 32, "photo_crops": "db" * 32},
        tasks={task.name: task for task in tasks},
        metrics={metric.id: metric for metric in METRICS},
        dashes=tuple(
            Dash("outsider", task, no_decoder)
            for task in ("reconstruction", "inpainting", "deblurring")
            if asked.outsider
        ),
        versions={"python": "3.11.2", "torch": "2.15.0", "transformers": "5.23.0"},
        hardware=Hardware("Some CPU at 2.9 GHz", 2, 8_200_000_000),
        tokenizer={"v2l": counts, "vqgan": counts},
        seconds=217.4,
        failures=(
            Failure(
                "decode returned NaN.",
                method="vqgan",
                task="inpainting",
                protocol="held_out_context",
                samples=len(asked.failed),
            ),
        )
        if asked.failed
        else (),
    )


def _task(
    name: str, summary: str, protocols: list[str], metrics: list[str], controls: list[str]
) -> TaskEntry:
    words = name == "few_shot_classification"
    return TaskEntry(
        name=name,
        suite="understanding" if words else "restoration",
        request_type="Classify" if words else "Restore",
        reads="label" if words else "image",
        protocols=tuple(protocols),
        metrics=tuple(metrics),
        ranks_by=metrics[0],
        controls={
            name: ControlEntry(CONTROLS[name], name == "ceiling", name in ("ceiling", "copy"))
            for name in controls
        },
        settings={"side": 64},
        summary=summary,
    )


def _records(writer: RunWriter, asked: Synthetic) -> Iterator[Record]:
    generator = np.random.default_rng([asked.seed, 7])
    clean = [_image(generator, asked.side) for _ in range(asked.samples)]
    for ways in SHOTS:
        yield from _episodes(writer, asked, ways, generator)
    yield from _restorations(writer, asked, "reconstruction", None, clean, generator)
    for task in ("inpainting", "deblurring"):
        for context in CONTEXTS:
            yield from _restorations(writer, asked, task, context, clean, generator)


def _episodes(
    writer: RunWriter, asked: Synthetic, protocol: str, generator: np.random.Generator
) -> Iterator[Record]:
    options = LABELS[: int(protocol[0])]
    chance = 1 / len(options)
    rates = {
        ("v2l", None): chance + (0.92 - chance) * 0.8 * asked.skill,
        ("vqgan", None): chance + (0.92 - chance) * 0.25,
        ("outsider", None): chance,
        (None, "chance"): chance,
        ("v2l", "token_overlap"): chance + (0.92 - chance) * 0.6,
        ("v2l", "shuffled_tokens"): chance,
        ("vqgan", "token_overlap"): chance + (0.92 - chance) * 0.35,
        ("vqgan", "shuffled_tokens"): chance,
    }
    for index in range(2 * asked.samples):
        image = _image(generator, asked.side)
        query = _keep(writer, image)
        label = options[index % len(options)]
        wrong = options[(index + 1) % len(options)]
        hardness = generator.uniform()
        for (method, control), rate in rates.items():
            if method == "outsider" and not asked.outsider:
                continue
            right = 0.7 * hardness + 0.3 * generator.uniform() < rate
            shown = method in METHODS and control is None
            yield Record(
                suite="understanding",
                task="few_shot_classification",
                protocol=protocol,
                method=method,
                control=control,
                sample=f"episode-{index:04}",
                cluster=f"episode-{index:04}",
                status="scored",
                prediction=Stored("text", text=label if right else wrong),
                target=Stored("text", text=label),
                scores={"accuracy[exact]": float(right), "accuracy[prefix]": float(right)},
                cost=_cost(generator, method, 60 * len(options), 5),
                pictures={"input": query},
                words=_words(generator, method) if shown else {},
            )


def _restorations(
    writer: RunWriter,
    asked: Synthetic,
    task: str,
    protocol: str | None,
    clean: list[np.ndarray],
    generator: np.random.Generator,
) -> Iterator[Record]:
    noise = {("v2l", None): 0.10 / max(asked.skill, 0.1), ("vqgan", None): 0.11}
    if task != "reconstruction":
        noise |= {(None, "copy"): 0.16, ("v2l", "ceiling"): 0.07, ("vqgan", "ceiling"): 0.06}
        noise |= {("v2l", "majority_vote"): 0.09, ("vqgan", "majority_vote"): 0.14}
        if task == "inpainting":
            noise |= {("v2l", "shuffled_tokens"): 0.3, ("vqgan", "shuffled_tokens"): 0.3}
    for index, image in enumerate(clean):
        target, corrupted = _keep(writer, image), _corrupt(image, task)
        given = {} if task == "reconstruction" else {"corrupted": _keep(writer, corrupted)}
        known = _features(image)
        for (method, control), strength in noise.items():
            sample = f"{task}-{index:03}"
            failed = method == "vqgan" and not control and sample in asked.failed
            smooth = 4 * _blur(generator.normal(size=image.shape), 5)
            output = (image + strength * smooth).clip(0, 1)
            if control == "copy":
                output = corrupted
            error = float(np.square(output - image).mean())
            yield Record(
                suite="restoration",
                task=task,
                protocol=protocol,
                method=method,
                control=control,
                sample=sample,
                cluster=f"photo-{index // 2:02}",
                status="failed" if failed else "scored",
                error="decode returned NaN." if failed else None,
                prediction=Stored("none")
                if failed
                else Stored("image", blob=_keep(writer, output)),
                target=Stored("image", blob=target),
                scores={}
                if failed
                else {
                    "psnr[rgb]": -10 * float(np.log10(error)),
                    "ssim": max(0.0, 1 - 12 * error),
                    "lpips[mini]": 3 * error,
                },
                features={}
                if failed
                else {
                    "fid[mini]": (
                        writer.blobs.put_array(_features(output)),
                        writer.blobs.put_array(known),
                    )
                },
                cost=_cost(generator, method, 344, 64),
                pictures={"input": target, **given},
                words=_words(generator, method) if method and not control else {},
            )


def _cost(
    generator: np.random.Generator, method: str | None, prompt: int, generated: int
) -> StoredCost:
    if method is None:
        return StoredCost()
    return StoredCost(float(generator.uniform(0.02, 0.2)), prompt, generated, 212_000_000)


def _words(generator: np.random.Generator, method: str | None) -> dict[str, list[list[str]]]:
    grid = [[str(word) for word in row] for row in generator.choice(WORDS, size=(8, 8))]
    ranked = [str(word) for word in generator.choice(WORDS, size=6, replace=False)]
    return {"local": grid} if method == "vqgan" else {"global": [ranked], "local": grid}


def _keep(writer: RunWriter, image: np.ndarray) -> str:
    return writer.blobs.put_image(torch.from_numpy(image.astype(np.float32)))


def _features(image: np.ndarray) -> np.ndarray:
    step = image.shape[-1] // 4
    return image.reshape(3, 4, step, 4, step).mean(axis=(2, 4)).ravel()


def _image(generator: np.random.Generator, side: int) -> np.ndarray:
    """A disc on a gradient."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    first, second, third = generator.uniform(0.1, 0.95, size=(3, 3, 1, 1))
    image = first * rows + second * (1 - rows)
    x, y = generator.uniform(0.3, 0.7, size=2)
    disc = np.hypot(rows - y, columns - x) < generator.uniform(0.15, 0.3)
    return np.where(disc, third + 0.15 * np.sin(20 * columns), image).clip(0, 1)


def _corrupt(image: np.ndarray, task: str) -> np.ndarray:
    if task != "inpainting":
        return _blur(image, 7)
    hidden, quarter = image.copy(), image.shape[-1] // 4
    hidden[:, quarter:-quarter, quarter:-quarter] = 0.5
    return hidden


def _blur(image: np.ndarray, width: int) -> np.ndarray:
    around = range(-(width // 2), width // 2 + 1)
    rows = np.mean([np.roll(image, shift, 1) for shift in around], axis=0)
    return np.mean([np.roll(rows, shift, 2) for shift in around], axis=0)
