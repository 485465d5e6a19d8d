"""Trackio and wandb, which share an interface."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image as Pillow

from frostbench.bench.tracking.kinds import About, TrackerSettings


class _WandbLike:
    """What both have in common: `init`, `log`, `Table`, `Image`, `finish`."""

    quiet: ClassVar[tuple[str, ...]]
    """Environment variables that would send results elsewhere."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings
        if not settings.to:
            for name in self.quiet:
                os.environ.pop(name, None)
        self._module = self._imported()
        self._run: Any = None

    @staticmethod
    def _imported() -> Any:
        """The package."""
        raise NotImplementedError

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table with images."""
        data = [[self._cell(value) for value in row] for row in rows]
        # Answers are texts in one row and missing in another.
        made = self._module.Table(columns=list(columns), data=data, allow_mixed_types=True)
        self._run.log({name: made})

    def end(self, *, complete: bool) -> None:
        """Write what is left."""
        self._module.finish()

    def _cell(self, value: Any) -> Any:
        if isinstance(value, Pillow.Image):
            return self._module.Image(value.convert("RGB"))
        return value


class Trackio(_WandbLike):
    """Trackio: SQLite and images in its own folder on this machine, unless `to` names a place."""

    quiet = (
        "TRACKIO_SPACE_ID",
        "TRACKIO_SERVER_URL",
        "TRACKIO_BUCKET_ID",
        "TRACKIO_WEBHOOK_URL",
    )

    @staticmethod
    def _imported() -> Any:
        import trackio

        return trackio

    def begin(self, about: About) -> None:
        """Open the run, or go on with it."""
        to = self._settings.to
        server = to.startswith(("http://", "https://"))
        place = {"server_url" if server else "space_id": to} if to else {}
        self._run = self._module.init(
            project=self._settings.project,
            name=about.name,
            config=dict(about.config),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
            **place,
        )

    def points(self, values: Mapping[str, float], step: int) -> None:
        """One point of several curves."""
        self._run.log(dict(values), step=step)


class Wandb(_WandbLike):
    """Wandb: offline into ./wandb, unless `to=online`."""

    quiet = ("WANDB_MODE", "WANDB_BASE_URL")

    @staticmethod
    def _imported() -> Any:
        import wandb

        return wandb

    def __init__(self, settings: TrackerSettings) -> None:
        if settings.to not in ("", "online"):
            raise ValueError(f"tracker.wandb.to={settings.to}: it is online, or left out.")
        if not settings.to:
            os.environ["WANDB_ERROR_REPORTING"] = "false"
        super().__init__(settings)
        self._axes: set[str] = set()

    def begin(self, about: About) -> None:
        """Open the run, or go on with it."""
        self._run = self._module.init(
            project=self._settings.project,
            name=about.name,
            id=about.id[:32],
            config=dict(about.config),
            resume="allow",
            mode=self._settings.to or "offline",
        )

    def points(self, values: Mapping[str, float], step: int) -> None:
        """One point of several curves; wandb's own steps only ever grow, so samples are an axis."""
        for name in values.keys() - self._axes:
            self._run.define_metric(name, step_metric="samples")
        self._axes |= values.keys()
        self._run.log({**values, "samples": step})
