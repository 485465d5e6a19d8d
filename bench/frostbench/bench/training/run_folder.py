"""The folder of a training on a user's own data: manifest, losses, curve, checkpoints, weights.

`manifest.json` says what the training depends on and how it ended; `losses.csv` has a line for each
loss at each note; `losses.png` draws them; the weights lie in the folder with the recipe's name.
"""

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from frostbench.bench.store.atomic import StoreError, regular, write_json, write_whole
from frostbench.bench.store.hardware import Hardware
from frostbench.bench.store.typed import typed
from frostbench.plugins.contract.recipe import Report
from frostbench.plugins.host.packs import sha256_of

NAME = "manifest.json"
SCHEMA = 1
IDENTITY = ("recipe", "seed", "published", "settings", "crop", "data", "validation", "needs")
"""What must not change when a training is resumed; processes, device and folder may."""


@dataclass(frozen=True, kw_only=True)
class TrainingManifest:
    """What a training depends on, and how it ended.

    `settings` are the given ones, `used` all of the recipe's. `data`, `validation` and
    `needs` (parts of the pack) are SHA-256 by name, `seals` those of the weights by file.
    `processes` and `accumulate` are of the last session.
    """

    schema: int = SCHEMA
    kind: Literal["training"] = "training"
    frostbench: str
    recipe: str
    command: str
    created: str = ""
    finished: str | None = None
    status: Literal["running", "finished"] = "running"
    seed: int = 0
    device: str = "cpu"
    published: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    processes: int = 1
    accumulate: int = 1
    crop: int = 0
    data: Mapping[str, str] = field(default_factory=dict)
    validation: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Hardware = field(default_factory=Hardware)
    steps: int = 0
    seconds: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)
    used: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seals: Mapping[str, str] = field(default_factory=dict)


class TrainingRun:
    """The folder, written by one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, manifest: TrainingManifest, *, again: bool) -> bool:
        """Begin or resume; False where the same training is finished.

        Raises:
            StoreError: the folder holds something else, or the training of another setting.
        """
        known = self._known()
        if known is not None and not again:
            before, now = asdict(known), asdict(manifest)
            changed = [key for key in IDENTITY if before[key] != now[key]]
            if changed:
                raise StoreError(
                    f"{self.folder} holds another training: its {changed[0]} is "
                    f"{before[changed[0]]!r}, and now {now[changed[0]]!r}; name another folder "
                    "with out=, or begin it anew with again=true."
                )
            if known.status == "finished":
                return False
            manifest = replace(manifest, created=known.created)
        elif known is not None:
            for path in (self.folder / "scratch", self.folder / known.recipe):
                shutil.rmtree(path, ignore_errors=True)
            (self.folder / "losses.csv").unlink(missing_ok=True)
        self._write(replace(manifest, created=manifest.created or _now()))
        return True

    def is_finished(self) -> bool:
        """Whether the folder's training has ended."""
        known = self._known()
        return known is not None and known.status == "finished"

    def finish(self, report: Report, files: Sequence[Path]) -> None:
        """Say how the training ended, seal its weights, and draw its losses."""
        known = self._known()
        assert known is not None
        seals = {path.relative_to(self.folder).as_posix(): sha256_of(path) for path in files}
        self._write(
            replace(
                known,
                finished=_now(),
                status="finished",
                steps=report.steps,
                seconds=report.seconds,
                figures=report.figures,
                used=report.settings,
                notes=report.notes,
                seals=seals,
            )
        )
        self.draw()

    def losses(self) -> list[tuple[str, int, str, float]]:
        """Training, step, name and value of every recorded loss."""
        path = self.folder / "losses.csv"
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            next(rows, None)
            return [(row[0], int(row[1]), row[2], float(row[3])) for row in rows if len(row) == 4]

    def rewrite(self, kept: Sequence[tuple[str, int, str, float]]) -> None:
        """Replace the losses."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("training", "step", "loss", "value"))
        writer.writerows(kept)
        write_whole(self.folder / "losses.csv", text.getvalue().encode())

    def note(self, training: str, step: int, losses: Mapping[str, float]) -> None:
        """Add the losses of a note."""
        with (self.folder / "losses.csv").open("a", encoding="utf-8", newline="") as file:
            rows = [(training, step, name, value) for name, value in losses.items()]
            csv.writer(file, lineterminator="\n").writerows(rows)

    def draw(self) -> None:
        """Draw `losses.png`: a panel for each loss."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        curves: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for training, step, name, value in self.losses():
            curves.setdefault((training, name), []).append((step, value))
        if not curves:
            return
        columns = min(3, len(curves))
        rows = -(-len(curves) // columns)
        figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
        for place, ((training, name), points) in enumerate(curves.items(), 1):
            axis = figure.add_subplot(rows, columns, place)
            axis.plot(*zip(*points, strict=True), linewidth=1.2)
            axis.set_title(f"{training}: {name}", fontsize=9)
            axis.set_xlabel("step", fontsize=8)
            axis.tick_params(labelsize=8)
        image = io.BytesIO()
        FigureCanvasAgg(figure).print_png(image)
        write_whole(self.folder / "losses.png", image.getvalue())

    def _known(self) -> TrainingManifest | None:
        path = self.folder / NAME
        if not path.exists():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise StoreError(
                    f"{self.folder} holds something else than a training; name another folder "
                    "with out=."
                )
            return None
        try:
            values = json.loads(path.read_bytes())
            if values.get("kind") != "training" or values.get("schema") != SCHEMA:
                raise ValueError("it is of no training, or of a later frostbench")
            made: TrainingManifest = typed(TrainingManifest, values)
            return made
        except (ValueError, AttributeError) as error:
            raise StoreError(f"{path} cannot be read: {error}.") from error

    def _write(self, manifest: TrainingManifest) -> None:
        values = {one.name: getattr(manifest, one.name) for one in fields(manifest)}
        write_json(self.folder / NAME, {**values, "hardware": asdict(manifest.hardware)})


def told_of(folder: Path) -> list[str]:
    """The outcome of a training, in lines; none where the folder holds no training.

    Raises:
        StoreError: its manifest cannot be read.
    """
    try:
        kind = json.loads(regular(folder / NAME).read_bytes()).get("kind")
    except (OSError, ValueError, AttributeError, RuntimeError, StoreError):
        return []  # reading it as a run reports what is wrong
    if kind != "training":
        return []
    run = TrainingRun(folder)
    manifest, losses = run._known(), run.losses()
    assert manifest is not None
    last = {name: value for _, _, name, value in losses}
    step = max((step for _, step, _, _ in losses), default=0)
    shown = ((f"step {step}", last), ("measured", manifest.figures))
    return [
        f"{folder}: {manifest.recipe}, {manifest.status}, seed {manifest.seed}, "
        f"{manifest.processes} process(es) on {manifest.device}",
        *(
            f"  {what}: " + "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            for what, values in shown
            if values
        ),
    ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
