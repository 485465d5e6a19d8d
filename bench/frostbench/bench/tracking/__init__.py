"""Trackers: observers that hand a run's curves and samples on to trackio, wandb or MLflow.

None is imported before the user names it.
"""

from frostbench.bench.tracking.following import follow
from frostbench.bench.tracking.kinds import TRACKERS, TrackerSettings, open_sink
from frostbench.bench.tracking.tracker import Tracker

__all__ = ["TRACKERS", "Tracker", "TrackerSettings", "follow", "open_sink"]
