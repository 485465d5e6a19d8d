"""What was run, said in sentences: from the manifest, for the head and the foot of the page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from frostbench.bench.leaderboard.numbers import NONE, count, duration, readable


@dataclass(frozen=True)
class Frozen:
    """Whether the shared backbones are what they were; `holds` is None while nobody can say."""

    holds: bool | None
    sentence: str


@dataclass(frozen=True)
class RunFacts:
    """One run in words; `methods` are what methods say of themselves."""

    number: int
    pairs: tuple[tuple[str, str], ...]
    warning: str
    frozen: Frozen
    cache: tuple[str, ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    methods: tuple[str, ...]
    pack: str


def facts(number: int, manifest: Mapping[str, Any]) -> RunFacts:
    """Everything the page says of a run."""
    pack, hardware = manifest.get("pack", {}), manifest.get("hardware", {})
    versions = manifest.get("versions", {})
    limit = manifest.get("limit")
    pairs = (
        ("pack", _joined([pack.get("name"), pack.get("summary")], ": ")),
        ("language model", _language_model(manifest.get("backbones", {}).get("llm", {}))),
        ("seed", str(manifest.get("seed", NONE))),
        ("samples", f"at most {limit} a task and protocol" if limit else "each suite's own limit"),
        ("device", str(manifest.get("device", NONE))),
        ("hardware", _hardware(hardware)),
        ("versions", ", ".join(f"{name} {value}" for name, value in _versions(versions, manifest))),
        ("date", _dates(manifest)),
        ("wall time", duration(manifest.get("seconds"))),
    )
    return RunFacts(
        number,
        pairs,
        _warning(manifest),
        frozen(manifest.get("backbones", {})),
        tuple(_cache(manifest.get("tokenizer", {}))),
        tuple(_failures(manifest.get("failures", ()))),
        tuple(_notes(manifest)),
        tuple(_of_methods(manifest.get("methods", {}))),
        str(pack.get("name", "")),
    )


def frozen(backbones: Mapping[str, Mapping[str, Any]]) -> Frozen:
    """Compare the checksums of every shared backbone before and after the run."""
    before = {role: about.get("sha256_before") for role, about in sorted(backbones.items())}
    after = {role: about.get("sha256_after") for role, about in sorted(backbones.items())}
    changed = [role for role in before if after[role] and after[role] != before[role]]
    if changed:
        return Frozen(False, f"Not frozen: {', '.join(changed)} changed during the run.")
    checked = [role for role in before if before[role] and after[role]]
    if not checked:
        return Frozen(None, "Frozen: not checked yet; the run has not ended.")
    listed = ", ".join(f"{role} {_short(before[role])}" for role in checked)
    left = [role for role in before if role not in checked]
    rest = f" Not checked: {', '.join(left)}." if left else ""
    same = "checksum is" if len(checked) == 1 else "checksums are"
    number = "one shared backbone" if len(checked) == 1 else f"{len(checked)} shared backbones"
    return Frozen(
        None if left else True,
        f"Frozen: of {number} the SHA-256 {same} the same before and after ({listed}).{rest}",
    )


def backbones(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Role, kind, source, dtype, parameters and checksum of each backbone."""
    return [
        (
            role,
            str(about.get("kind", NONE)),
            _source(str(about.get("source", NONE))),
            str(about.get("dtype", NONE)),
            count(about.get("parameters")),
            _short(about.get("sha256_before")) or NONE,
        )
        for role, about in sorted(manifest.get("backbones", {}).items())
    ]


def _hardware(hardware: Mapping[str, Any]) -> str:
    memory = hardware.get("memory_bytes")
    cores = hardware.get("cores")
    return _joined(
        [
            hardware.get("accelerator"),
            hardware.get("cpu"),
            f"{cores} core{'s' if cores != 1 else ''}" if cores else None,
            f"{memory / 1e9:.0f} GB" if memory else None,
        ],
        ", ",
    )


def _versions(
    versions: Mapping[str, Any], manifest: Mapping[str, Any]
) -> Iterable[tuple[str, str]]:
    if manifest.get("frostbench"):
        yield "frostbench", str(manifest["frostbench"])
    first = ["python", "torch", "transformers"]
    for name in [*(n for n in first if n in versions), *sorted(set(versions) - {*first})]:
        if name != "frostbench":
            yield name, str(versions[name])


def _dates(manifest: Mapping[str, Any]) -> str:
    created, finished = (_minute(manifest.get(key)) for key in ("created", "finished"))
    if not finished:
        return created or NONE
    same_day = created[:10] == finished[:10]
    return f"{created} to {finished[11:] if same_day else finished}"


def _minute(moment: Any) -> str:
    return str(moment or "")[:16].replace("T", " ")


def _warning(manifest: Mapping[str, Any]) -> str:
    status = manifest.get("status")
    if status == "finished":
        return ""
    if status == "failed":
        why = " ".join(str(sentence) for sentence in manifest.get("violations", ()))
        return f"This run failed, and its numbers do not count. {why}".rstrip()
    return "This run is not finished; numbers will change as samples come in."


def _cache(tokenizer: Mapping[str, Mapping[str, int]]) -> Iterable[str]:
    for method, tally in sorted(tokenizer.items()):
        images, kept = tally.get("images", 0), tally.get("cached", 0)
        forwards = tally.get("forwards", 0)
        yield (
            f"{method}: {count(images)} image{'s' if images != 1 else ''} tokenized in "
            f"{count(forwards)} forward{'s' if forwards != 1 else ''}, {count(kept)} served from "
            "the token cache"
        )


def _failures(failures: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for failure in failures:
        where = _joined(
            [failure.get(key) for key in ("method", "control", "task", "protocol")], ", "
        )
        samples = failure.get("samples")
        many = f" ({samples} sample{'s' if samples != 1 else ''})" if samples else ""
        error = failure.get("error") or "no reason is stored"
        yield f"{where}{many}: {error}" if where != NONE else str(error)


def _notes(manifest: Mapping[str, Any]) -> Iterable[str]:
    yield from (str(note) for note in manifest.get("notes", ()))
    for left in manifest.get("controls_left_out", ()):
        name = readable(left["control"])
        yield f"{left['task']}: no {name} of {left['method']}, which {left['reason']}."


def _of_methods(methods: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for name, about in sorted(methods.items()):
        yield from (f"{name}: {sentence}" for sentence in about.get("notes", ()))


def _language_model(about: Mapping[str, Any]) -> str:
    parameters = about.get("parameters")
    size = f"{count(parameters)} parameters" if parameters else None
    return _joined([_source(str(about.get("source", ""))), about.get("dtype"), size], ", ")


def _source(source: str) -> str:
    """A path's last two parts; anything else as it stands."""
    path = PurePosixPath(source)
    return "/".join(path.parts[-2:]) if path.is_absolute() else source


def _short(digest: Any) -> str:
    return digest[:8] if isinstance(digest, str) else ""


def _joined(parts: Iterable[Any], between: str) -> str:
    return between.join(str(part) for part in parts if part) or NONE
