"""What differs in the things that two runs depend on, grouped by subject."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from frostbench.bench.printable import brief
from frostbench.bench.store.differences import Difference, differences, shortened
from frostbench.bench.store.manifest import Manifest, MethodEntry, TaskEntry

BATCHING = ("chunk", "engine", "isolate")
ASKED = ("preset", "departures", "controls", "most_waves", "most_seconds")
OF_BOTH = (
    "number types",
    "code",
)  # told of parts that both runs have; other subjects name the rest
LONGEST_CELL = 120  # characters of a value


@dataclass(frozen=True)
class Subject:
    """Something that results depend on, and where the two runs differ in it."""

    name: str
    differences: tuple[Difference, ...]


def subjects(one: Manifest, two: Manifest) -> tuple[Subject, ...]:
    """The subjects in which the two runs differ."""
    before, after = _parts(one), _parts(two)
    found = (
        Subject(
            name,
            tuple(
                one
                for one in differences(before[name], after[name])
                if one.kind == "changed" or name not in OF_BOTH
            ),
        )
        for name in before
    )
    return tuple(subject for subject in found if subject.differences)


def cells(difference: Difference) -> tuple[str, str, str]:
    """The place, and its values in both runs; empty where it is missing."""
    place = ".".join(difference.place)
    return place, _cell(difference.before), _cell(difference.after)


def gathered(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """The cells of a subject, with code and digests of many parts in one row."""
    alike: dict[tuple[str, str], list[str]] = {}
    for difference in subject.differences:
        place, before, after = cells(difference)
        if subject.name == "code" and difference.place[-1] == "code":
            before, after, place = "one", "another", ".".join(difference.place[:-1])
        alike.setdefault((before, after), []).append(brief(place, LONGEST_CELL))
    for (before, after), places in alike.items():
        yield _listed(places), before, after


def _listed(places: Sequence[str], most: int = 4) -> str:
    rest = len(places) - most
    return ", ".join(places[:most]) + (f" and {rest} more" if rest > 0 else "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping) and value:
        return "there"
    text = str(shortened(value))
    return brief(text, LONGEST_CELL)


def _parts(manifest: Manifest) -> Mapping[str, Any]:
    """Everything that a result can depend on, by subject, without mere places of files."""
    config, hardware = manifest.config, asdict(manifest.hardware)
    bytes_of_memory = hardware.pop("memory_bytes")
    engine = config.get("engine")
    batching: dict[str, Any] = {key: config.get(key) or None for key in BATCHING}
    batching["engine"] = dict(engine) if isinstance(engine, Mapping) else {"name": engine}
    return {
        "machine": {
            "device": manifest.device,
            **hardware,
            "memory": f"{bytes_of_memory / 1e9:.0f} GB" if bytes_of_memory else None,
            "several machines": len(manifest.machines) > 1,
        },
        "batching": batching,
        "number types": {role: about.dtype for role, about in manifest.backbones.items()},
        "versions": {
            "frostbench": manifest.frostbench,
            "contract": manifest.contract,
            **manifest.versions,
        },
        "code": {
            f"{kind} {name}": asdict(origin)
            for kind, parts in manifest.origins.items()
            for name, origin in parts.items()
        },
        "pack": {"name": manifest.pack.name, "files": manifest.pack.sha256},
        "models": {
            role: {"source": about.source, "kind": about.kind, "weights": about.sha256_before}
            for role, about in manifest.backbones.items()
        },
        "methods": {name: _method(about) for name, about in manifest.methods.items()},
        "data": {
            **manifest.data,
            **{f"corpus of {name}": t.corpus for name, t in manifest.tasks.items() if t.corpus},
        },
        "seed": {"seed": manifest.seed},
        "tasks": {name: _task(task) for name, task in manifest.tasks.items()},
        "asked": {key: config.get(key) or None for key in ASKED},
        "outcome": {
            "status": manifest.status,
            "failures": len(manifest.failures),
            "violations": len(manifest.violations),
        },
    }


def _method(about: MethodEntry) -> Mapping[str, Any]:
    return {
        "version": about.version,
        "settings": about.settings,
        "weights": about.weights,
        "status": about.status,
    }


def _task(task: TaskEntry) -> Mapping[str, Any]:
    return {
        "settings": task.settings,
        "samples": task.limit,
        "protocols": list(task.protocols),
        "ranks by": task.ranks_by,
        "controls": sorted(task.controls),
    }
