"""`frostbench data`: what files a data set needs, and what it finds in a folder."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from frostbench.bench.cli.config import PluginConfig, UsageError, read_config, split_words
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import say

FIRST = 3  # samples that are shown


def data_command(words: list[str]) -> int:
    """List readers, say what one needs, or open a folder with it; 2 where it cannot be read."""
    plain, overrides = split_words(words, PluginConfig)
    ours = [one for one in overrides if one.startswith(("plugins=", "plugins."))]
    host = open_host(read_config(PluginConfig, ours))
    if not plain:
        for name, item in host.datasets.items():
            say(f"{name:<24}{told(item.load())[0]}".rstrip())
        return 0
    if len(plain) > 2:
        raise UsageError("name one data set and one folder: frostbench data NAME FOLDER.")
    reader = host.pick("data set", plain[0])
    kind = reader.load()
    say("\n\n".join(told(kind)))
    if hasattr(kind, "settings"):
        say(f"\nSettings, with their defaults: {kind.settings()}")
    if len(plain) == 2:
        from frostbench.bench.cli.data import opened_by

        own = dict(one.split("=", 1) for one in overrides if one not in ours)
        say("")
        try:
            for line in _found(opened_by(reader, plain[1], own)):
                say(line)
        except ValueError as error:
            raise UsageError(str(error)) from error
    return 0


def told(kind: Any) -> list[str]:
    """The paragraphs of a reader's own description, without the errors that it raises."""
    text = inspect.getdoc(kind.func if isinstance(kind, partial) else kind) or "It says nothing."
    whole = text.split("\n\n")
    told = [one for one in whole if not one.startswith("Raises:")]
    return [told[0].replace("\n", " "), *told[1:]]


def _found(data: Any) -> Iterator[str]:
    """The contents of a data set, by protocol: how many samples, and the first of them."""
    from frostbench.plugins.contract import datasets, scenes

    kinds: Mapping[type[Any], Callable[[Any], Iterator[str]]] = {
        datasets.ImageSet: _images,
        datasets.PairSet: _pairs,
        datasets.CaptionSet: _captions,
        datasets.QuestionSet: _questions,
        datasets.LabelSet: _classes,
        datasets.BoxSet: _boxes,
        scenes.SceneSet: lambda data: iter([f"scenes of {len(data.names)} classes, made to order"]),
        datasets.ReferringSource: _referred,
        datasets.NarrativeSource: _narratives,
    }
    given = [lines for protocol, lines in kinds.items() if isinstance(data, protocol)]
    for lines in given:
        yield from lines(data)
    if not given:
        yield "It opens without a fault; its samples are for tasks of its own."


def _images(data: Any) -> Iterator[str]:
    yield f"images: {'without end' if data.size is None else data.size}"
    numbers = range(FIRST if data.size is None else min(FIRST, data.size))
    yield from (_image(data.get(0, number).image) for number in numbers)


def _pairs(data: Any) -> Iterator[str]:
    yield f"pairs: {len(data.pairs())}"
    for one in _some(data.pairs()):
        yield f"{_image(one.degraded)} of {one.clean.name}"


def _captions(data: Any) -> Iterator[str]:
    yield f"images with captions: {len(data.references())}"
    for one in _some(data.captioned()):
        yield f"{_image(one.image)}: {' | '.join(one.captions)}"


def _questions(data: Any) -> Iterator[str]:
    yield f"questions: {len(data.asked())}"
    for one in _some(data.asked()):
        yield f"{_image(one.image)}: {one.question} {' | '.join(one.answers)}"


def _classes(data: Any) -> Iterator[str]:
    yield f"classes: {len(data.names)}"
    for name in data.names[:FIRST]:
        count = data.count(name)
        of = "images without end" if count is None else f"{count} images"
        yield f"{_image(data.portrait(name, 0))}: {name}, {of}"


def _boxes(data: Any) -> Iterator[str]:
    yield f"images with boxes: {len(data.boxed())}, of {len(data.classes)} classes"
    for one in _some(data.boxed()):
        found = Counter(thing.name for thing in one.things)
        shown = ", ".join(f"{count} {name}" for name, count in found.items())
        yield f"{_image(one.image)}: {shown or 'nothing'}"


def _referred(data: Any) -> Iterator[str]:
    yield "images with expressions"
    for one in islice(data.referred(0), FIRST):
        said = [sentence for referent in one.referents for sentence in referent.sentences]
        yield f"{_image(one.image)}: {' | '.join(said)}"


def _narratives(data: Any) -> Iterator[str]:
    yield "narratives"
    yield from (f"{_image(one.image)}: {one.text}" for one in islice(data.narratives(0), FIRST))


def _some(samples: Sequence[Any]) -> Iterator[Any]:
    return (samples[number] for number in range(min(FIRST, len(samples))))


def _image(image: Any) -> str:
    height, width = image.size
    return f"  {image.name} ({width} x {height})"
