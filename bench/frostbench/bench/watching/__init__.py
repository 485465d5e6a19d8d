"""How far a run is, by what its folder holds, for whoever looks at it from outside."""

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
