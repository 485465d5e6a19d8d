"""Runs under torchrun or srun: the first process keeps the run, the others join it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from frostbench.bench.runner.joining import join
from frostbench.bench.runner.mail import LEADER
from frostbench.bench.runner.plan import Plan
from frostbench.bench.runner.resuming import refuse_strangers
from frostbench.bench.store.atomic import StoreError, write_whole
from frostbench.bench.store.leases import Leases
from frostbench.bench.store.reader import StoredRun, open_run, read_manifest

LOOK = 0.2  # seconds between two looks at what the first does


@contextmanager
def leading(plan: Plan) -> Iterator[None]:
    """A context in which the first process keeps the run; the others learn if it cannot."""
    refuse_strangers(plan.out)
    try:
        yield
    except BaseException:
        with suppress(StoreError):
            write_whole(_gone(plan), b"", sync=False)
        raise


def follow(plan: Plan, name: str) -> StoredRun:
    """Work on the run of this launch as a named worker, until it has ended.

    Raises:
        StoreError: the first process ended before it had begun the run, or while it was at work.
        PreflightError: a part of the plan cannot work.
        Interrupted: the user pressed Ctrl-C.
    """
    if not plan.again:  # the first process may be setting aside what is there
        refuse_strangers(plan.out)
    if _at_work(plan):
        join(plan, name)
    leases = Leases(plan.out, name, plan.lease)
    first = leases.session_of(LEADER)
    while leases.lives(LEADER, first):
        time.sleep(LOOK)
    return open_run(plan.out)


def _at_work(plan: Plan) -> bool:
    """Wait until the run was begun in this launch; return whether it is still going on."""
    while True:
        if _gone(plan).exists():
            raise StoreError(
                f"the process of rank 0 ended before the run in {plan.out} began, and says why."
            )
        with suppress(StoreError):  # there is none yet, or it is being set aside
            manifest = read_manifest(plan.out)
            if manifest.last_session.launch == plan.launch:
                return manifest.status == "running"
        time.sleep(LOOK)


def _gone(plan: Plan) -> Path:
    """The file that says that the first process is gone."""
    return plan.out / "workers" / f"{plan.launch}.gone"
