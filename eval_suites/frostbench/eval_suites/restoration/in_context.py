"""Restoration tasks whose prompts may show example pairs of corrupted and clean images."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from frostbench.eval_suites.restoration.cases import Case, CleanImages, MakeCase, given
from frostbench.eval_suites.restoration.example_pool import ExamplePool
from frostbench.eval_suites.restoration.settings import (
    GIVEN,
    InContextSettings,
    restoration_card,
)
from frostbench.plugins.contract.datasets import ImageSet, PairSet
from frostbench.plugins.contract.predictions import ImagePrediction, Prediction
from frostbench.plugins.contract.requests import (
    HeldOutContext,
    OracleContext,
    Restore,
    RestoredPair,
)
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, read_or_not

NEEDS_PAIRS = f"its protocol {GIVEN!r} needs pairs, degraded and clean, and there are clean images"


class InContext(Task):
    """Undo one corruption; all protocols use the same images.

    A query's corruption is drawn from (seed, task, number of the query) alone, an example's from
    (seed, task, number of the example).
    """

    settings: ClassVar[type[InContextSettings]]
    asks: ClassVar[tuple[type[Any], ...]] = (ImageSet,)
    shortened_by: ClassVar[tuple[str, ...]] = ("others",)

    def __init__(self, settings: InContextSettings) -> None:
        self._settings = settings
        self.card = restoration_card(type(self).card.name, settings)
        self.data = settings.data

    @abstractmethod
    def cases(self, images: ImageSet, protocol: str) -> MakeCase:
        """The function that makes cases from a data set; the same for the same arguments."""

    def variant(self, protocol: str) -> str:
        """What a method is told about how the corruption was done."""
        return ""

    def copies(self, protocol: str) -> int:
        """How many examples are disturbed copies of the clean image; 0 shows other images."""
        return 0

    @classmethod
    def suited(cls, settings: Any, data: Any) -> Any:
        """Pairs are asked in the protocol `given` alone, and nothing else is."""
        if not isinstance(data, ImageSet):
            return replace(settings, protocols=(GIVEN,))
        if GIVEN in settings.protocols:
            raise ValueError(NEEDS_PAIRS)
        return settings

    def instances(self, data: ImageSet | PairSet, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` images for each protocol, one protocol after the other."""
        images = data if isinstance(data, ImageSet) else CleanImages(data.pairs())
        examples = ExamplePool(images, self._settings.pool, self._settings.others, seed)
        for protocol in self._settings.protocols:
            case_of, copies = self._cases(data, protocol), self.copies(protocol)
            for index in examples.queries[:limit]:
                make = partial(self._instance, protocol, case_of, copies, examples, seed, index)
                yield read_or_not(f"{self.card.name}-{index:05d}", protocol, make)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`copy`: the corrupted image as it came; hidden pixels are mid-grey."""
        return {"copy": [ImagePrediction(instance.request.image.pixels) for instance in instances]}

    def _instance(
        self,
        protocol: str,
        case_of: MakeCase,
        copies: int,
        examples: ExamplePool,
        seed: int,
        index: int,
    ) -> Instance:
        own = seed_of(seed, self.card.name, index)
        case = case_of(seed, index, own)
        request = Restore(
            id=f"{self.card.name}-{case.id or format(index, '05d')}",
            image=case.corrupted,
            corruption=self.card.name,
            context=(
                OracleContext(case.clean, copies)
                if copies
                else self._others(case, case_of, examples, own)
            ),
            hidden=case.hidden,
            seed=own,
            variant=self.variant(protocol),
        )
        return Instance(request, case.clean, protocol, case.cluster)

    def _cases(self, data: ImageSet | PairSet, protocol: str) -> MakeCase:
        if isinstance(data, ImageSet):
            if protocol == GIVEN:
                raise ValueError(NEEDS_PAIRS)
            return self.cases(data, protocol)
        pairs = data.pairs()
        return given(pairs) if protocol == GIVEN else self.cases(CleanImages(pairs), protocol)

    def _others(
        self, case: Case, case_of: MakeCase, examples: ExamplePool, own: int
    ) -> HeldOutContext:
        numbers = examples.choose(case.cluster, self._settings.others, own)
        cases = [
            case_of(examples.seed, n, seed_of(examples.seed, self.card.name, "example", n))
            for n in numbers
        ]
        return HeldOutContext(tuple(RestoredPair(case.corrupted, case.clean) for case in cases))
