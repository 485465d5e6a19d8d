"""Records: one sample as stored. Statistics and the leaderboard read these and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from frostbench.bench.store.typed import AnyFloat, BlobName, Name, Unbounded, typed

Status = Literal["scored", "failed"]

Key: TypeAlias = tuple[str, str | None, str | None, str | None, str]
"""Task, protocol, method, control, sample."""


@dataclass(frozen=True)
class StoredCost:
    """What a sample cost; see `frostbench.plugins.contract.completions.Cost`."""

    seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    peak_bytes: int | None = None
    joules: float | None = None


@dataclass(frozen=True)
class StoredMatches:
    """What a sample adds for a class; see `frostbench.plugins.contract.matches.ClassMatches`.

    Raises:
        ValueError: not every detection has a score and marks.
    """

    name: str
    things: int
    scores: tuple[float, ...] = ()
    marks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.marks):
            raise ValueError(f"{len(self.scores)} scores have {len(self.marks)} rows of marks.")


@dataclass(frozen=True)
class Stored:
    """A prediction or a target: a text itself, anything else as the hash of its blob.

    `accepted` are all texts of a target that accepts several; `text` is then the first. "reasoned"
    is a text itself and the box of its thought as a blob.
    """

    kind: Literal["text", "image", "masks", "boxes", "instances", "things", "reasoned", "none"]
    text: str | None = None
    blob: BlobName | None = None
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One request with its prediction, scores and cost.

    A row of the leaderboard is (`method`, `control`): a method alone, a control that needs no
    method (`method` None), or a control that is made of a method (its ceiling, majority vote).
    `scores` are by metric id; a failed sample has none, never a 0, and says why in `error`.
    `features` name, for set metrics, the blobs of prediction and target; `counts` hold, for pooled
    metrics, what the sample adds to the sums, and `matches` what it adds to an average precision,
    class by class; `whole` holds, for numbers of a whole set, the number of the sample's row, and
    how much it exceeds the number without the sample's part of the set. `images` are blobs to look
    at, by role ("input", "corrupted"); `words` is the input image as words, by part; `asked` is the
    request's text, and `phrases` are the places in it of phrases that masks answer. `extra` are
    columns that plugins added. `made_by` is the digest of everything that the sample could depend
    on except the metrics, and `machine` that of the hardware, which the manifest describes; both
    are empty in older runs.
    """

    suite: Name
    task: Name
    protocol: Name | None
    method: Name | None
    control: Name | None
    sample: Name
    cluster: Name
    status: Status
    error: str | None = None
    prediction: Stored = Stored("none")
    target: Stored = Stored("none")
    scores: Mapping[str, Unbounded] = field(default_factory=dict)
    features: Mapping[str, tuple[BlobName, BlobName]] = field(default_factory=dict)
    cost: StoredCost = StoredCost()
    pictures: Mapping[str, BlobName] = field(default_factory=dict)
    words: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    extra: Mapping[str, AnyFloat] = field(default_factory=dict)
    counts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    matches: Mapping[str, tuple[StoredMatches, ...]] = field(default_factory=dict)
    whole: Mapping[str, tuple[float, AnyFloat]] = field(default_factory=dict)
    asked: str = ""
    phrases: tuple[tuple[int, int], ...] = ()
    made_by: str = ""
    machine: str = ""

    @property
    def row(self) -> tuple[str | None, str | None]:
        """Which row of the leaderboard this sample belongs to."""
        return self.method, self.control

    @property
    def values(self) -> Mapping[str, tuple[float, ...]]:
        """The numbers of each metric: one score, or what the sample adds to a pooled one."""
        singles = {name: (score,) for name, score in self.scores.items()}
        matched = {name: _numbers(several) for name, several in self.matches.items()}
        return {**singles, **self.counts, **matched}

    @property
    def blobs(self) -> tuple[str, ...]:
        """The hashes of all files that belong to the sample."""
        features = (name for pair in self.features.values() for name in pair)
        names = (self.prediction.blob, self.target.blob, *features, *self.pictures.values())
        return tuple(name for name in names if name is not None)

    @property
    def key(self) -> Key:
        """The key of a sample within a run, which is unique."""
        return self.task, self.protocol, self.method, self.control, self.sample

    def to_json(self) -> dict[str, Any]:
        """Plain values, as one line of the samples file; mappings are the record's own."""
        # `asdict` would copy every value of them, which takes thirty times as long.
        matched = self.matches.items()
        return {
            **vars(self),
            "prediction": dict(vars(self.prediction)),
            "target": dict(vars(self.target)),
            "cost": dict(vars(self.cost)),
            "matches": {name: [dict(vars(one)) for one in several] for name, several in matched},
        }

    @staticmethod
    def from_json(line: Mapping[str, Any]) -> "Record":
        """The record that `to_json` described; runs of before lack what has a default.

        Raises:
            ValueError: a part is missing, or is not what it should be.
        """
        record: Record = typed(Record, line)
        return record


def _numbers(matches: Sequence[StoredMatches]) -> tuple[float, ...]:
    """For each class its number of things, and each detection's score and right thresholds.

    In the order of the classes' names.
    """
    return tuple(
        number
        for one in sorted(matches, key=lambda one: one.name)
        for number in (
            float(one.things),
            *one.scores,
            *(float(mark.count("+")) for mark in one.marks),
        )
    )
