"""Sentences on what was run, made from the manifest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from frostbench.bench.leaderboard.numbers import NONE, count, duration, readable
from frostbench.bench.printable import brief
from frostbench.bench.store.hardware import Hardware
from frostbench.bench.store.manifest import (
    BackboneFacts,
    Failure,
    Manifest,
    MethodEntry,
    TaskEntry,
    TokenizerCounts,
)

MOST_FAILURES = 50  # that a page lists


@dataclass(frozen=True)
class Frozen:
    """Whether the shared backbones are unchanged; `holds` is None while this is not known."""

    holds: bool | None
    sentence: str


@dataclass(frozen=True)
class RunFacts:
    """One run in words; `methods` are notes by the methods themselves."""

    number: int
    pairs: tuple[tuple[str, str], ...]
    warning: str
    frozen: Frozen
    cache: tuple[str, ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    methods: tuple[str, ...]
    pack: str
    short: str


def facts(number: int, manifest: Manifest) -> RunFacts:
    """Everything that the page says about a run."""
    pack, limit, tasks = manifest.pack, manifest.limit, manifest.tasks.values()
    pairs = (
        ("pack", _joined([pack.name, pack.summary], ": ")),
        ("language model", _language_model(manifest.backbones.get("llm"))),
        ("seed", str(manifest.seed)),
        ("samples", f"at most {limit} a task and protocol" if limit else _samples(tasks)),
        ("device", manifest.device),
        ("hardware", _hardware(manifest.hardware)),
        ("versions", ", ".join(f"{name} {value}" for name, value in _versions(manifest))),
        ("date", _dates(manifest)),
        ("wall time", duration(manifest.seconds)),
    )
    return RunFacts(
        number,
        pairs,
        _warning(manifest),
        _frozen(manifest),
        tuple(_cache(manifest.tokenizer)),
        tuple(_failures(manifest.failures)),
        tuple(_notes(manifest)),
        tuple(_of_methods(manifest.methods)),
        pack.name,
        ", ".join(
            [
                _language_model(manifest.backbones.get("llm")),
                _dates(manifest),
                duration(manifest.seconds),
                manifest.device,
            ]
        ),
    )


def frozen(backbones: Mapping[str, BackboneFacts]) -> Frozen:
    """Compare the checksums of every shared backbone before and after the run."""
    before = {role: about.sha256_before for role, about in sorted(backbones.items())}
    after = {role: about.sha256_after for role, about in sorted(backbones.items())}
    changed = [role for role in before if after[role] and after[role] != before[role]]
    if changed:
        return Frozen(False, f"Not frozen: {', '.join(changed)} changed during the run.")
    checked = [role for role in before if before[role] and after[role]]
    if not checked:
        return Frozen(None, "Frozen: not checked yet; the run has not ended.")
    listed = ", ".join(f"{role} {before[role][:8]}" for role in checked)
    left = [role for role in before if role not in checked]
    rest = f" Not checked: {', '.join(left)}." if left else ""
    same = "checksum is" if len(checked) == 1 else "checksums are"
    number = "one shared backbone" if len(checked) == 1 else f"{len(checked)} shared backbones"
    return Frozen(
        None if left else True,
        f"Frozen: of {number} the SHA-256 {same} the same before and after ({listed}).{rest}",
    )


def _frozen(manifest: Manifest) -> Frozen:
    if manifest.imported:
        return Frozen(None, f"Imported from {manifest.imported}: nothing of it was computed here.")
    if manifest.status == "finished" and not manifest.backbones:
        return Frozen(None, "Frozen: no shared backbone was used.")
    return frozen(manifest.backbones)


def backbones(manifest: Manifest) -> list[tuple[str, ...]]:
    """Role, kind, source, dtype, parameters and checksum of each backbone."""
    return [
        (
            role,
            about.kind,
            _source(about.source),
            about.dtype,
            count(about.parameters),
            about.sha256_before[:8],
        )
        for role, about in sorted(manifest.backbones.items())
    ]


def _hardware(hardware: Hardware) -> str:
    memory, cores = hardware.memory_bytes, hardware.cores
    return _joined(
        [
            hardware.accelerator,
            hardware.cpu,
            f"{cores} core{'s' if cores != 1 else ''}" if cores else None,
            f"{memory / 1e9:.0f} GB" if memory else None,
        ],
        ", ",
    )


def _versions(manifest: Manifest) -> Iterable[tuple[str, str]]:
    versions = manifest.versions
    yield "frostbench", manifest.frostbench
    first = ["python", "torch", "transformers"]
    for name in [*(n for n in first if n in versions), *sorted(set(versions) - {*first})]:
        if name != "frostbench":
            yield name, versions[name]


def _dates(manifest: Manifest) -> str:
    created, finished = (_minute(time) for time in (manifest.created, manifest.finished))
    if not finished:
        return created or NONE
    same_day = created[:10] == finished[:10]
    return f"{created} to {finished[11:] if same_day else finished}"


def _minute(moment: str | None) -> str:
    return (moment or "")[:16].replace("T", " ")


def _warning(manifest: Manifest) -> str:
    if manifest.status == "finished":
        return ""
    if manifest.status == "failed":
        why = " ".join(manifest.violations)
        return f"This run failed, and its numbers do not count. {why}".rstrip()
    return "This run is not finished; numbers will change as samples come in."


def _samples(tasks: Iterable[TaskEntry]) -> str:
    """The most samples of each task and protocol; tasks with equal numbers are listed together."""
    suites: dict[str, dict[int, list[str]]] = {}
    for task in tasks:
        suites.setdefault(task.suite, {}).setdefault(task.limit, []).append(readable(task.name))
    said = []
    for suite, limits in suites.items():
        most = max(limits, key=lambda limit: len(limits[limit]))
        apart = [f"{', '.join(names)} {n}" for n, names in limits.items() if n != most]
        said.append(f"{readable(suite)} {most}" + (f" ({', '.join(apart)})" if apart else ""))
    return f"at most, a task and protocol: {', '.join(said)}" if said else NONE


def _cache(tokenizer: Mapping[str, TokenizerCounts]) -> Iterable[str]:
    """Counts of the methods' tokenizers; methods with the same counts are listed together."""
    alike: dict[str, list[str]] = {}
    for method, tally in sorted(tokenizer.items()):
        images, forwards, kept = tally.images, tally.forwards, tally.cached
        done = (
            f"{count(images)} image{'s' if images != 1 else ''} tokenized in "
            f"{count(forwards)} forward{'s' if forwards != 1 else ''}, {count(kept)} served from "
            "the token cache"
        )
        alike.setdefault(done, []).append(method)
    for done, methods in alike.items():
        yield f"{', '.join(methods)}: {done}"


def _failures(failures: Iterable[Failure]) -> Iterable[str]:
    for number, failure in enumerate(failures):
        if number == MOST_FAILURES:
            yield "and more, which manifest.json lists"
            return
        where = _joined([failure.method, failure.control, failure.task, failure.protocol], ", ")
        samples = failure.samples
        many = f" ({samples} sample{'s' if samples != 1 else ''})" if samples else ""
        error = brief(failure.error or "no reason is stored")
        yield f"{where}{many}: {error}" if where != NONE else error


def _notes(manifest: Manifest) -> Iterable[str]:
    yield from manifest.notes
    for left in manifest.controls_left_out:
        yield f"{left.task}: no {readable(left.control)} of {left.method}, which {left.reason}."


def _of_methods(methods: Mapping[str, MethodEntry]) -> Iterable[str]:
    for name, about in sorted(methods.items()):
        yield from (f"{name}: {sentence}" for sentence in about.notes)


def _language_model(about: BackboneFacts | None) -> str:
    if about is None:
        return NONE
    size = f"{count(about.parameters)} parameters" if about.parameters else None
    return _joined([_source(about.source), about.dtype, size], ", ")


def _source(source: str) -> str:
    """A path's last two parts; anything else as it stands."""
    path = PurePosixPath(source)
    return "/".join(path.parts[-2:]) if path.is_absolute() else source


def _joined(parts: Iterable[Any], between: str) -> str:
    return between.join(str(part) for part in parts if part) or NONE
