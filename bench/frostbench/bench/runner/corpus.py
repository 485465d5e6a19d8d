"""The corpus of a task: all references, from which metrics learn which words are rare."""

from collections.abc import Mapping, Sequence

from frostbench.bench.runner.instances import DataError
from frostbench.bench.runner.plan import Plan, PlannedTask
from frostbench.bench.runner.scoring import Scoring
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.blobs import Blobs
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import Metric
from frostbench.plugins.contract.task import Target
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe


def scoring_of(
    plan: Plan, planned: PlannedTask, blobs: Blobs, known: str | None = None
) -> tuple[Scoring, str | None]:
    """The metrics of a task, and the blob of their corpus, None without one.

    The data set is opened only where a metric asks for a corpus. `known` is the blob of the
    corpus with which the run began.

    Raises:
        DataError: the task cannot give its corpus, or a metric cannot learn from it.
        StoreError: the corpus differs from the one that the run began with.
    """
    metrics = plan.metrics_of(planned)
    if not learners(metrics):
        return Scoring(metrics, blobs), None
    name = planned.task.card.name
    try:
        call = Call("task", name, "corpus")
        corpus = contain(call, lambda: tuple(planned.task.corpus(planned.data(), plan.seed)))
        kept = keep_corpus(corpus, blobs)
        scoring = contain(call, Scoring, metrics, blobs, corpus)
    except Exception as error:  # a plugin's code: its failure is a result
        raise DataError(
            f"task {name!r}: no metric can learn from its corpus: {describe(error)}."
        ) from error
    if known not in (None, kept):
        raise StoreError(
            f"task {name!r} gives another corpus than when the run in {plan.out} began (its data, "
            "settings or code changed); choose another folder with out=, or remove this one."
        )
    return scoring, kept


class TaskScoring:
    """The scoring of a task, made again when a plan's metrics are.

    Attributes:
        corpus: the blob of what its metrics learned from, None where they learn from nothing.

    Raises:
        DataError, StoreError: see `scoring_of`.
    """

    def __init__(
        self, plan: Plan, planned: PlannedTask, blobs: Blobs, known: str | None = None
    ) -> None:
        self._planned = planned
        self._metrics = plan.metrics
        self._now, self.corpus = scoring_of(plan, planned, blobs, known)

    def under(self, plan: Plan) -> Scoring:
        """The scoring with the metrics of a plan."""
        if plan.metrics is not self._metrics:
            blobs = self._now.blobs
            self._now, _ = scoring_of(plan, self._planned, blobs, self.corpus)
            self._metrics = plan.metrics
        return self._now


def learners(metrics: Mapping[str, Metric]) -> list[str]:
    """Those metrics that learn from a corpus."""
    return [name for name, metric in metrics.items() if metric.facts.corpus]


def keep_corpus(corpus: Sequence[Target], blobs: Blobs) -> str:
    """Keep a corpus, so that the run can be scored again without the data set; its hash.

    Raises:
        ValueError: a target is an image.
    """
    if any(isinstance(target, Image) for target in corpus):
        raise ValueError("a corpus holds texts, and this one holds an image")
    return blobs.put_json(list(corpus))


def load_corpus(name: str, blobs: Blobs) -> tuple[Target, ...]:
    """A corpus that was kept.

    Raises:
        LookupError: the run's folder does not hold it.
    """
    values = blobs.json(name)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)
