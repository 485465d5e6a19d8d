"""MLflow: a local SQLite file, unless a tracking URI is named."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image as Pillow

from frostbench.bench.tracking.kinds import About, TrackerSettings

LOCAL = "sqlite:///mlflow.db"
TAG = "frostbench.run"
_FORBIDDEN = re.compile(r"[^\w\-./ ]")


class Mlflow:
    """Hands a run on to MLflow: params, metrics by step, and tables as artifacts."""

    def __init__(self, settings: TrackerSettings) -> None:
        if not settings.to:
            # Otherwise it sends usage statistics to its makers.
            os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        import mlflow

        self._module = mlflow
        uri = settings.to or LOCAL
        self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        mlflow.set_tracking_uri(uri)  # artifacts are written by it
        self._project = settings.project
        self._run = ""

    def begin(self, about: About) -> None:
        """Open the run, or go on with it."""
        found = self._client.get_experiment_by_name(self._project)
        experiment = (
            self._client.create_experiment(self._project) if found is None else found.experiment_id
        )
        known = self._client.search_runs(
            [experiment], f"tags.`{TAG}` = '{about.id}'", max_results=1
        )
        if known:
            self._run = known[0].info.run_id
            self._client.set_terminated(self._run, "RUNNING")
            return
        made = self._client.create_run(experiment, tags={TAG: about.id}, run_name=about.name)
        self._run = made.info.run_id
        for name, value in about.config.items():
            self._client.log_param(self._run, _named(name), str(value)[:500])

    def points(self, values: Mapping[str, float], step: int) -> None:
        """One point of several curves."""
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        points = [Metric(_named(name), value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=points)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table with images."""
        data = {
            column: [self._cell(row[place]) for row in rows] for place, column in enumerate(columns)
        }
        self._client.log_table(self._run, data, f"{_named(name)}.json")

    def end(self, *, complete: bool) -> None:
        """Say how the run ended."""
        self._client.set_terminated(self._run, "FINISHED" if complete else "FAILED")

    def _cell(self, value: Any) -> Any:
        if isinstance(value, Pillow.Image):
            return self._module.Image(value.convert("RGB"))
        return "" if value is None else value


def _named(name: str) -> str:
    """A name with only characters that MLflow accepts."""
    return _FORBIDDEN.sub("_", name)
