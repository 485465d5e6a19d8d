"""`frostbench watch`: how far a run is, read from its folder."""

from frostbench.bench.watching.crew import CrewStanding, WorkerStanding
from frostbench.bench.watching.standing import RowStanding, RunStanding, RunWatch, TaskStanding

__all__ = [
    "CrewStanding",
    "RowStanding",
    "RunStanding",
    "RunWatch",
    "TaskStanding",
    "WorkerStanding",
]
