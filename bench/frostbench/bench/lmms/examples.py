"""In-context examples with their images; lmms-eval's own examples are texts only."""

import random
from collections.abc import Sequence
from typing import Any

from frostbench.bench.lmms.asking import LmmsSample
from frostbench.bench.lmms.version import LmmsError
from frostbench.plugins.contract.seeds import seed_of


def support_split(task: Any, asked: str) -> str:
    """The split that examples are drawn from: the task's own, or another than the asked one.

    Raises:
        LmmsError: there is none.
    """
    splits = list(task.dataset)
    named = [task.config.fewshot_split, task.config.training_split, task.config.validation_split]
    found = [one for one in (*named, *splits) if one in splits and one != asked]
    if not found:
        raise LmmsError(
            f"task {task.config.task!r} has no split but {asked!r}, which is asked, and examples "
            "are of another; leave shots and --num_fewshot out."
        )
    return str(found[0])


def examples_of(
    task: Any, asked: str, number: int, shots: int, seed: int
) -> tuple[list[LmmsSample], list[str]]:
    """Examples for a sample with their answers, drawn by the seed and the sample's number.

    Raises:
        LmmsError: there is no split to draw them from, or it has too few documents.
    """
    if not shots:
        return [], []
    split = support_split(task, asked)
    docs = task.dataset[split]
    name = task.config.task
    if len(docs) < shots:
        raise LmmsError(
            f"task {name!r}: {shots} examples are asked, and {split!r} has {len(docs)}."
        )
    draw = random.Random(seed_of(seed, name, "examples", number))
    places = draw.sample(range(len(docs)), shots)
    samples = [sample_of(task, split, place) for place in places]
    return samples, [target_text(task, docs[place]) for place in places]


def sample_of(task: Any, split: str, number: int) -> LmmsSample:
    """A document as lmms-eval shows it to models, without any few shots."""
    doc = task.dataset[split][number]
    return LmmsSample(task.config.task, number, str(task.doc_to_text(doc)), task.doc_to_visual(doc))


def target_text(task: Any, doc: Any) -> str:
    """The right answer of a document, as a text: the first of several."""
    target = task.doc_to_target(doc)
    if isinstance(target, Sequence) and not isinstance(target, str):
        target = target[0] if target else ""
    if isinstance(target, int) and task.config.doc_to_choice is not None:
        return str(task.doc_to_choice(doc)[target])
    return str(target)
