"""Calls the hooks of plugins that watch a run."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frostbench.bench.store.records import Record


@dataclass(frozen=True)
class PluginObserver:
    """One plugin that watches a run through its hooks; each gets the arguments that it names."""

    name: str
    hooks: Mapping[str, Callable[..., Any]]
    folder: Path

    def started(self, manifest: Mapping[str, Any]) -> None:
        """The run begins or resumes."""
        self._call("frostbench_run_started", manifest=manifest)

    def scored(self, record: Record) -> Mapping[str, float] | None:
        """The extra columns of a sample, None without any."""
        if "frostbench_sample_scored" not in self.hooks:
            return None
        columns: Mapping[str, float] | None = self._call(
            "frostbench_sample_scored", sample=asdict(record)
        )
        return columns

    def finished(self, manifest: Mapping[str, Any]) -> None:
        """The run is complete."""
        self._call("frostbench_run_finished", folder=str(self.folder))

    def _call(self, hook: str, **arguments: Any) -> Any:
        return self.hooks[hook](**arguments) if hook in self.hooks else None
