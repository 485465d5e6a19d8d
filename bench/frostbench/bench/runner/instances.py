"""Divides the instances of a task into fixed chunks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.store.letters import in_whole_letters
from frostbench.plugins.contract.asked import phrases_of
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.requests import Request, images_of
from frostbench.plugins.contract.task import Instance, Sample, Target, Unreadable
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import clause_of


class DataError(Exception):
    """A task's data cannot be read any further; the message names the task and the cause."""


@dataclass(frozen=True)
class Chunk:
    """Instances that are run together.

    Instance `i` of the chunk is number `start + i` of its task and protocol. Tokens are exchanged
    among the images of `pool`: the chunk's own and those of the first chunk, so that even a last
    chunk of one instance has some. Words are exchanged among `phrases`, likewise.
    """

    protocol: str | None
    index: int
    start: int
    instances: tuple[Instance, ...]
    pool: tuple[Image, ...]
    phrases: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def names(self) -> list[str]:
        """The ids of its samples, also of those that cannot be read."""
        read = [instance.request.id for instance in self.instances]
        return [*read, *(one.id for one in self.unreadable)]


def chunks_of(planned: PlannedTask, seed: int, size: int) -> Iterator[Chunk]:
    """All instances of a task, in chunks of `size` for each protocol.

    A chunk depends only on the arguments. Only one chunk for each protocol is
    in memory at a time, and the first chunk's images.

    Raises:
        DataError: the data set cannot be opened or read; earlier instances are still given.
    """
    waiting: dict[str | None, list[Sample]] = {}
    done: dict[str | None, int] = {}
    first: dict[str | None, tuple[Image, ...]] = {}
    first_said: dict[str | None, tuple[str, ...]] = {}

    def chunk(protocol: str | None) -> Chunk:
        samples = waiting.pop(protocol)
        start = done.get(protocol, 0)
        done[protocol] = start + len(samples)
        instances = tuple(one for one in samples if isinstance(one, Instance))
        unreadable = tuple(one for one in samples if isinstance(one, Unreadable))
        own = _images(instances)
        pool = tuple(dict.fromkeys((*first.setdefault(protocol, own), *own)))
        said = tuple(phrase for one in instances for phrase in phrases_of(one.request))
        phrases = tuple(dict.fromkeys((*first_said.setdefault(protocol, said), *said)))
        return Chunk(protocol, start // size, start, instances, pool, phrases, unreadable)

    broken: DataError | None = None
    source = _checked(planned, seed)
    while True:
        try:
            sample = next(source)
        except StopIteration:
            break
        except DataError as error:
            broken = error
            break
        waiting.setdefault(sample.protocol, []).append(sample)
        if len(waiting[sample.protocol]) == size:
            yield chunk(sample.protocol)
    for protocol in list(waiting):
        yield chunk(protocol)
    if broken is not None:
        raise broken


def ended_early(planned: PlannedTask, samples: Mapping[str | None, Sequence[str]]) -> str:
    """A sentence where data ended before the limit, given the samples by protocol; else ""."""
    fewest = min(map(len, samples.values()), default=planned.limit)
    if fewest >= planned.limit:
        return ""
    return (
        f"task {planned.task.card.name!r}: the limit is {planned.limit}, and its data end with "
        f"{fewest} samples; all of them are run."
    )


def _images(instances: tuple[Instance, ...]) -> tuple[Image, ...]:
    images = [image for instance in instances for image in images_of(instance.request)]
    return tuple(dict.fromkeys(images))


def instances_of(planned: PlannedTask, limit: int, seed: int) -> Iterator[Sample]:
    """The instances of the task's own code, one after another."""
    call = Call("task", planned.task.card.name, "instances")
    data = contain(call, planned.data)
    several = contain(call, lambda: iter(planned.task.instances(data, limit, seed)))
    nothing = object()
    while (instance := contain(call, next, several, nothing)) is not nothing:
        yield instance


def _check(instance: Any) -> None:
    """Refuse instances that no method could be asked, or that could not be stored.

    Raises:
        TypeError: it is no instance, or a part of it is of a wrong type.
    """
    if isinstance(instance, Unreadable):
        said = (instance.id, instance.error, instance.protocol or "")
        if not all(isinstance(text, str) for text in said):
            raise TypeError("an unreadable sample has an id, error or protocol that is no text")
        return
    if not isinstance(instance, Instance):
        raise TypeError(f"the task gave {type(instance).__name__} where Instance was expected")
    texts = (instance.request.id, instance.cluster, instance.protocol or "")
    if not isinstance(instance.request, get_args(Request)) or not all(
        isinstance(text, str) for text in texts
    ):
        raise TypeError("an instance has no request, or an id, cluster or protocol that is no text")
    target = instance.target
    several = target if isinstance(target, tuple) else ()
    if not isinstance(target, (*_TARGETS, tuple)) or not all(isinstance(x, str) for x in several):
        raise TypeError(f"an instance has {type(target).__name__} for a target")


def _named(sample: Sample) -> Sample:
    """The sample with names that come back from the store unchanged."""
    if isinstance(sample, Unreadable):
        return replace(sample, id=in_whole_letters(sample.id))
    names = in_whole_letters(sample.request.id), in_whole_letters(sample.cluster)
    if names == (sample.request.id, sample.cluster):
        return sample
    return replace(sample, request=replace(sample.request, id=names[0]), cluster=names[1])


_TARGETS = tuple(kind for kind in get_args(Target) if isinstance(kind, type))


def _checked(planned: PlannedTask, seed: int) -> Iterator[Sample]:
    """The task's instances, refused where they break the task's promises."""
    card = planned.task.card
    seen: set[tuple[str | None, str]] = set()
    try:
        for instance in instances_of(planned, planned.limit, seed):
            _check(instance)
            instance = _named(instance)
            name = instance.id if isinstance(instance, Unreadable) else instance.request.id
            key = instance.protocol, name
            if key in seen:
                raise ValueError(f"two instances have the id {name!r}")
            if (instance.protocol or "") not in (card.protocols or ("",)):
                raise ValueError(f"the card names no protocol {instance.protocol!r}")
            seen.add(key)
            yield instance
        if not seen:
            raise ValueError("they hold no sample")  # an empty file is no finished task
    except Exception as error:
        raise DataError(
            f"task {card.name!r}: the data gave {len(seen)} samples and then failed, and the rest "
            f"is left out: {clause_of(error)}."
        ) from error
