"""Computes metrics of a whole set when all its samples are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from frostbench.bench.statistics import lifts
from frostbench.bench.store.blobs import Blobs, DamagedError
from frostbench.bench.store.records import Record
from frostbench.bench.store.values import load_prediction, load_target
from frostbench.plugins.contract.metric import Metric, WholeSet
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe

Number: TypeAlias = tuple[float, float]


def with_wholes(
    records: Sequence[Record], metrics: Mapping[str, Metric], blobs: Blobs
) -> tuple[list[Record], list[str]]:
    """The records whose numbers have changed, and why a row has no number.

    `metrics` are those of the records' task; records may be of several rows and protocols.
    """
    wholes = {name: one.whole for name, one in metrics.items() if one.facts.pooling == "whole"}
    rows: dict[tuple[str | None, ...], list[Record]] = {}
    for record in records if wholes else ():
        if record.status == "scored":
            rows.setdefault((record.protocol, *record.row), []).append(record)
    changed: list[Record] = []
    sentences: list[str] = []
    for members in rows.values():
        ordered = sorted(members, key=lambda record: record.sample)
        found: list[dict[str, Number]] = [{} for _ in ordered]
        for name, whole in wholes.items():
            try:
                numbers = _numbers(name, whole, ordered, blobs)
            except Exception as error:  # a metric's code: its failure is a result
                first = ordered[0]
                who = "/".join(part for part in first.row if part)
                sentences.append(f"{first.task}: no {name} of {who}: {describe(error)}.")
                continue
            for place, number in numbers.items():
                found[place][name] = number
        for record, own in zip(ordered, found, strict=True):
            kept = {name: one for name, one in record.whole.items() if name not in wholes}
            if {**kept, **own} != dict(record.whole):
                changed.append(replace(record, whole={**kept, **own}))
    return changed, sentences


def _numbers(
    name: str, whole: WholeSet, records: Sequence[Record], blobs: Blobs
) -> dict[int, Number]:
    """For the place of each record that the metric applies to: number and lift."""
    values: dict[int, Any] = {}
    for place, record in enumerate(records):
        try:
            prediction = load_prediction(record.prediction, blobs)
            target = load_target(record.target, blobs)
        except (DamagedError, LookupError) as error:
            raise ValueError(f"sample {record.sample!r}: {error.args[0]}") from error
        assert prediction is not None
        value = contain(Call("metric", name, "read"), whole.read, prediction, target)
        if value is not None:
            values[place] = value
    if not values:
        return {}
    clusters = [records[place].cluster for place in values]
    call = Call("metric", name, "value")
    number, lift = contain(call, lifts, clusters, list(values.values()), whole.value)
    return {place: (number, one) for place, one in zip(values, lift, strict=True)}
