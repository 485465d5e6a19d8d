"""Joins a run that another process keeps, as one of its workers."""

from dataclasses import replace

from frostbench.bench.machine import hardware
from frostbench.bench.runner.mail import ERRORS, LEADER, Post, ended_by, new_report
from frostbench.bench.runner.manifest import different, identity
from frostbench.bench.runner.plan import Plan
from frostbench.bench.runner.worker import Worker
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.leases import Leases
from frostbench.bench.store.reader import read_manifest, read_records
from frostbench.plugins.host.containment import failed_by_death, interruptible, overdue
from frostbench.plugins.host.limits import limited

GRACE = 30.0  # seconds for which a call may ignore its time limit and count as alive
PREFLIGHT = "preflight"


def join(plan: Plan, name: str) -> int:
    """Work on a run as a named worker until nothing is left; return the number of stored samples.

    Raises:
        StoreError: no process keeps the run, it is not this plan's run, or it cannot be written.
        PreflightError: a part of the plan cannot work.
        Interrupted: the user pressed Ctrl-C.
    """
    manifest = read_manifest(plan.out)
    leases = Leases(plan.out, name, plan.lease)
    if manifest.status != "running" or not leases.session_of(LEADER):
        raise StoreError(
            f"no process keeps the run in {plan.out} (it is {manifest.status}); `frostbench run` "
            "begins one or goes on with it, and `frostbench work` joins it then."
        )
    if others := different(manifest.identity, identity(plan)):
        raise StoreError(f"{plan.out} holds another run than this process would do: {others[0]}.")
    done = {record.key for record in read_records(plan.out)}
    limits = limited(plan.limits), failed_by_death(manifest.deaths), interruptible()
    with limits[0], limits[1], limits[2], leases.beating(lambda: overdue() < GRACE):
        report = new_report(leases, plan.device, hardware(plan.device))
        post = Post(plan.out, leases)
        worker = Worker(plan, manifest, done, leases, post, report)
        try:
            _preflight(worker, leases, post)
            worker.go()
            worker.finished(read_manifest(plan.out))
        except tuple(ERRORS.values()) as error:
            sentence = f"worker {name} ended: {error}"
            told = replace(worker.report, ended=ended_by(error))
            post.told(replace(told, notes=(*told.notes, sentence), said=(*told.said, sentence)))
            raise
        post.told(replace(worker.report, finished=True))
        return worker.report.stored


def _preflight(worker: Worker, leases: Leases, post: Post) -> None:
    """Check whether the run can work at all; one worker does this for all."""
    while leases.state(PREFLIGHT) != "done":
        if leases.claim(PREFLIGHT):
            worker.preflight()
            leases.finish(PREFLIGHT)
        else:
            post.wait()
