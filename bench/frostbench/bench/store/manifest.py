"""The manifest of a run: everything that its results depend on, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from frostbench.bench.store.hardware import Hardware, MethodMemory
from frostbench.bench.store.migration import SCHEMA, migrated
from frostbench.bench.store.typed import BlobName, Name, Unbounded, typed
from frostbench.bench.store.visual import VisualSize


@dataclass(frozen=True)
class Origin:
    """The plugin that gave a part of the run, and `code`: SHA-256 over the part's code.

    `distribution` and `version` are of the installed package that the plugin comes with; where
    there is none, `file` is the name of the plugin's file. Code is the part's module and all that
    it imports, other packages by their version.
    """

    plugin: str
    distribution: str = ""
    version: str = ""
    file: str = ""
    code: str = ""


@dataclass(frozen=True)
class PackEntry:
    """The pack; `sha256` is over all of its files that results can depend on."""

    name: str
    summary: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """A method: its card, its weights (SHA-256 by file) and settings, and whether it was built.

    `identity` is one digest over its code, weights and settings; `fingerprint` is the method's own
    addition. `violation` says what it changed of the frozen models: it takes no further part.
    """

    title: str
    summary: str = ""
    paper: str = ""
    version: str = ""
    capabilities: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()
    trained_on: str = ""
    adapters: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    identity: str = ""
    fingerprint: str | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    status: Literal["ok", "failed"] = "ok"
    error: str | None = None
    notes: tuple[str, ...] = ()
    violation: str | None = None


@dataclass(frozen=True)
class BackboneFacts:
    """A shared backbone, with the checksums of its tensors before the run and now."""

    kind: str
    source: str
    dtype: str
    parameters: int
    sha256_before: str
    sha256_after: str | None = None


@dataclass(frozen=True)
class ControlEntry:
    """A control: its meaning in a sentence, whether it is a ceiling, and whether curves show it."""

    meaning: str
    ceiling: bool = False
    drawn: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskEntry:
    """A task as it was run.

    `limit` is for each protocol; `grown_from` are earlier, smaller limits. `samples` counts the
    requests of each protocol ("" where there is none) when the task was complete. `corpus` is the
    hash of the corpus that its metrics learned from, if any did. Among the protocols, `levels` are
    of rising difficulty, and `variants` are other ways to ask.
    """

    name: Name
    suite: Name
    metrics: tuple[Name, ...]
    ranks_by: Name
    request_type: str = ""
    reads: str = ""
    protocols: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    controls: Mapping[str, ControlEntry] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
    limit: int = 0
    complete: bool = False
    samples: Mapping[str, int] = field(default_factory=dict)
    grown_from: tuple[int, ...] = ()
    corpus: BlobName | None = None

    @property
    def ways(self) -> tuple[str | None, ...]:
        """The protocols; (None,) where there is only one way."""
        return self.protocols or (None,)

    @property
    def series(self) -> tuple[str, ...]:
        """The protocols that stand side by side."""
        return (*self.levels, *self.variants)

    @property
    def ceilings(self) -> tuple[str, ...]:
        """Controls that a method is not meant to beat."""
        return tuple(name for name, control in self.controls.items() if control.ceiling)

    @property
    def columns(self) -> tuple[str, ...]:
        """The metrics, first the one that ranks."""
        return tuple(dict.fromkeys((self.ranks_by, *self.metrics)))


@dataclass(frozen=True)
class MetricEntry:
    """A metric, as far as readers of its numbers need it.

    `percent` are shares that are shown times 100; `networks` are roles of the pack's backbones that
    the metric looks through; `pooling` says how samples become one value (their mean, a ratio or
    BLEU of summed counts, a distance of features, an average precision, a number of the whole).
    A metric with a `corpus` weighs words by their rarity.
    """

    id: str
    unit: str = ""
    lower: Unbounded | None = None
    upper: Unbounded | None = None
    direction: Literal["higher", "lower", "neither"] = "higher"
    percent: bool = False
    networks: tuple[str, ...] = ()
    pooling: Literal["mean", "ratio", "bleu", "features", "average_precision", "whole"] = "mean"
    corpus: bool = False

    @property
    def higher_is_better(self) -> bool:
        """Whether higher values are listed first; also true if neither end is better."""
        return self.direction != "lower"

    @property
    def counted(self) -> bool:
        """Whether a formula over summed counts is the value."""
        return self.pooling in ("ratio", "bleu")

    @property
    def unit_range(self) -> bool:
        """Whether scores lie between 0 and 1."""
        return (self.lower, self.upper) == (0, 1)


@dataclass(frozen=True)
class Dash:
    """A method that does not answer a task, and why."""

    method: str
    task: str
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """A control that a method does not have in a task, with the reason."""

    method: str
    task: str
    control: str
    reason: str


@dataclass(frozen=True)
class Failure:
    """A failure: of some samples of a row or, without samples, of a method, a task or the run."""

    error: str
    method: str | None = None
    control: str | None = None
    task: str | None = None
    protocol: str | None = None
    samples: int = 0


@dataclass(frozen=True)
class TokenizerCounts:
    """Calls of `tokenize`, images that went through one, images served from the cache."""

    forwards: int = 0
    images: int = 0
    cached: int = 0

    def __add__(self, more: "TokenizerCounts") -> "TokenizerCounts":
        return TokenizerCounts(
            self.forwards + more.forwards, self.images + more.images, self.cached + more.cached
        )


@dataclass(frozen=True)
class LastSession:
    """What the last process did in the run; `launch` marks processes that were started together."""

    seconds: float = 0.0
    samples: int = 0
    tokenizer: Mapping[str, TokenizerCounts] = field(default_factory=dict)
    launch: str = ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The manifest, by name where it has many of a kind.

    `schema` is that of the file, `contract` the version of the contract with plugins ("" for older
    runs). `config`, `identity` and all `settings` are plain values. `identity` is what must not
    change while a run is resumed, `data` is SHA-256 by data set, and `violations` are sentences on
    frozen backbones that were written to. `origins` are the plugins of the run's parts, by kind and
    name; `machines` is the hardware of all sessions, by the digest that their records carry, and
    `hardware` that of the last. `deaths` are parts in which the process died ("method 'mine'"),
    which are not called again, with clauses that say how. `memory` is the methods' device memory,
    `visual` the size of an image in their tokens. `imported` names the file of another bench that
    the run was read from; then nothing here was computed by this bench. `seals` are SHA-256 of the
    sealed files, as the run wrote them.
    """

    schema: int = SCHEMA
    frostbench: str
    contract: str = ""
    created: str = ""
    finished: str | None = None
    status: Literal["running", "finished", "failed"]
    config: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    limit: int | None = None
    device: str = "cpu"
    pack: PackEntry
    methods: Mapping[str, MethodEntry]
    backbones: Mapping[str, BackboneFacts] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, TaskEntry]
    metrics: Mapping[str, MetricEntry]
    dashes: tuple[Dash, ...] = ()
    controls_left_out: tuple[LeftOut, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, Origin]] = field(default_factory=dict)
    hardware: Hardware = field(default_factory=Hardware)
    machines: Mapping[str, Hardware] = field(default_factory=dict)
    tokenizer: Mapping[str, TokenizerCounts] = field(default_factory=dict)
    seconds: float = 0.0
    failures: tuple[Failure, ...] = ()
    violations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    deaths: Mapping[str, str] = field(default_factory=dict)
    memory: Mapping[str, MethodMemory] = field(default_factory=dict)
    visual: Mapping[str, VisualSize] = field(default_factory=dict)
    imported: str = ""
    seals: Mapping[str, str] = field(default_factory=dict)
    last_session: LastSession = LastSession()
    identity: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as manifest.json holds them."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Manifest":
        """The manifest that `to_json` described, or that an older frostbench wrote.

        Raises:
            ValueError: a part is missing or wrong, a task has a metric that is not described, or
                the schema is a later one; the clause goes on from "the manifest cannot be read".
        """
        if values.get("kind") == "training":
            raise ValueError("it is of a training, which frostbench show tells of")
        try:
            current = migrated(values)
        except KeyError as error:
            raise ValueError(f"it lacks {error}") from error
        except (AttributeError, TypeError) as error:
            raise ValueError(f"a part of it is no mapping ({error})") from error
        manifest: Manifest = typed(Manifest, current)
        for name, task in manifest.tasks.items():
            if task.name != name:
                raise ValueError(f"its task {name!r} calls itself {task.name!r}")
            unknown = sorted({*task.columns} - set(manifest.metrics))
            if unknown:
                raise ValueError(
                    f"its task {name!r} has metrics that it does not describe: "
                    f"{', '.join(unknown)}; there are {', '.join(sorted(manifest.metrics))}"
                )
        return manifest

    def with_method(self, name: str, **changes: Any) -> "Manifest":
        """The manifest with other fields of a method."""
        return replace(self, methods={**self.methods, name: replace(self.methods[name], **changes)})

    def with_task(self, name: str, **changes: Any) -> "Manifest":
        """The manifest with other fields of a task."""
        return replace(self, tasks={**self.tasks, name: replace(self.tasks[name], **changes)})

    def with_violation(self, sentence: str, methods: Sequence[str]) -> "Manifest":
        """The manifest of a run in which these methods, or nobody, changed what is frozen."""
        new = replace(self, violations=(*self.violations, sentence))
        for name in methods:
            new = new.with_method(name, status="failed", error=sentence, violation=sentence)
        return new

    @property
    def guilty(self) -> dict[str, str]:
        """The methods that changed what is frozen, and what each changed."""
        every = self.methods.items()
        return {name: entry.violation for name, entry in every if entry.violation is not None}

    def dash(self, method: str | None, task: str) -> str | None:
        """Why a method shows a dash; None where it shows none."""
        return next((d.reason for d in self.dashes if (d.method, d.task) == (method, task)), None)

    def has_adapter(self, method: str | None, task: str) -> bool:
        """Whether a method's card names an adapter for a task."""
        entry = self.methods.get(method or "")
        return entry is not None and task in entry.adapters
