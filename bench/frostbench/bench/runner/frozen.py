"""Checks that backbones stay frozen: before a run, between its steps, and after it."""

import gc
import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from frostbench.bench.runner.plan import FrozenBackbones
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.manifest import BackboneFacts
from frostbench.plugins.backbones.certificate import Certificate
from frostbench.plugins.backbones.devices import is_out_of_memory
from frostbench.plugins.backbones.surroundings import EVERY, Surroundings
from frostbench.plugins.contract.completions import Completion, Failed
from frostbench.plugins.contract.engine import Engine, Holds
from frostbench.plugins.contract.prompts import Adapter, Prompt, Regress
from frostbench.plugins.engine.resolve import Feed, feed_identity

Place: TypeAlias = tuple[str, Adapter | None]
"""A backbone as a prompt names it: its role, and the adapter over it."""


class ChangedError(Exception):
    """A frozen model was changed; `suspects` are the methods that ran since the last check."""

    def __init__(self, changes: Sequence[str], suspects: Sequence[str]) -> None:
        super().__init__(changes[0])
        self.changes = tuple(changes)
        self.suspects = tuple(suspects)


@dataclass
class Spent:
    """What the checks cost: their number, and seconds."""

    seconds: float = 0.0
    looks: int = 0


class Watch:
    """Certifies each backbone when it is first loaded, and checks that all are unchanged.

    Attributes:
        before: digests of tensors by role, from when the role was first loaded.
        spent: the cost of all looks, without full checksums.
    """

    def __init__(self, backbones: FrozenBackbones, engine: Engine | None = None) -> None:
        self._backbones = backbones
        self._engine = engine
        self._surroundings = Surroundings()
        self._certificates: dict[Place, Certificate] = {}
        self.before: dict[str, Mapping[str, str]] = {}
        self._after: dict[str, str] = {}  # digests of those that were let go
        self._parameters: dict[str, int] = {}
        self.spent = Spent()

    def load(self, roles: Collection[str]) -> None:
        """Load backbones and certify them before a method gets hold of them.

        A role that cannot be loaded is skipped: the method that needs it fails when it is built,
        with the same message. Only a lack of memory is raised.
        """
        for role in roles:
            try:
                self._backbones.get(role)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
        self.look()

    def look(self) -> None:
        """Certify what was loaded since the last look.

        Raises:
            StoreError: a backbone that was loaded again differs from the first time.
        """
        for role, backbone in self._backbones.loaded().items():
            if (role, None) not in self._certificates:
                now = self._backbones.fingerprints(role)
                if self.before.setdefault(role, now) != now:
                    raise StoreError(
                        f"the backbone {role!r} was loaded again and is not what it was when the "
                        "run began: its files were changed. Put the old ones back."
                    )
                self._certify((role, None), backbone)
                self._parameters[role] = self._backbones.parameters(role)
        if isinstance(self._engine, Holds):
            for place, model in self._engine.held().items():
                if place not in self._certificates:
                    self._certify(place, model)

    def _certify(self, place: Place, backbone: Any) -> None:
        self._certificates[place] = certificate = Certificate(backbone)
        self._surroundings.cover(_called(place), certificate.classes)

    def changes(
        self, *, thorough: bool = True, places: Collection[Place] | None = None
    ) -> list[str]:
        """A clause for each change since things were certified; empty where all hold.

        About everything, or about backbones as prompts name them. A look that is not `thorough` is
        for between two steps.
        """
        begun = time.perf_counter()
        said = []
        loaded = self._backbones.loaded()
        mine = self._of(places)
        for (role, adapter), one in mine.items():
            if adapter is None and loaded.get(role) is not one.backbone:
                said.append(f"the backbone {role!r}: another was put in its place")
            which = _called((role, adapter))
            said += [f"the {which}: {clause}" for clause in one.changes(thorough=thorough)]
        around = [None] if thorough else [EVERY] if places is None else list(map(_called, mine))
        for around_which in around:
            said += [one for one in self._surroundings.changes(around_which) if one not in said]
        self._spend(begun)
        return said

    @property
    def bytes_read(self) -> int:
        """Bytes of tensors that a look at everything compares."""
        return sum(one.bytes_read for one in self._certificates.values())

    def numbers_hold(self, places: Collection[Place]) -> bool:
        """Whether no tensor of these backbones is seen to have changed: the quickest look."""
        begun = time.perf_counter()
        hold = all(one.numbers_hold() for one in self._of(places).values())
        self._spend(begun)
        return hold

    def _of(self, places: Collection[Place] | None) -> Mapping[Place, Certificate]:
        """The certificates of these places, and of the backbones under their adapters."""
        if places is None:
            return self._certificates
        known = dict.fromkeys((role, None) for role, _ in places) | dict.fromkeys(places)
        return {place: self._certificates[place] for place in known if place in self._certificates}

    def _spend(self, begun: float) -> None:
        self.spent.seconds += time.perf_counter() - begun
        self.spent.looks += 1

    def check(self, suspects: Sequence[str], thorough: bool = False) -> None:
        """Check everything, after code of these methods ran.

        Raises:
            ChangedError: something is not what it was.
        """
        changes = self.changes(thorough=thorough)
        if changes:
            raise ChangedError(changes, suspects)
        self.look()

    def renew(self, engine: Callable[[], Engine]) -> list[str]:
        """Drop everything that is loaded, after a change was seen; then `engine` makes another.

        Returns:
            The roles of backbones with more changed tensors than looks had seen: it is not known
            since when.
        """
        unseen = []
        for role, before in self.before.items():
            certificate = self._certificates.get((role, None))
            if certificate is None or self._backbones.loaded().get(role) is None:
                continue
            if certificate.unseen(self._backbones.changed(role, before)):
                unseen.append(role)
        self._surroundings.restore()
        self._certificates.clear()
        self._backbones.drop()
        self._engine = engine()
        gc.collect()  # dropped objects refer to each other, and hold memory that is needed now
        self.look()
        return unseen

    def release(self, roles: Collection[str], engine: Callable[[], Engine]) -> list[str]:
        """Release backbones, and all that the engine holds; then `engine` makes another.

        Returns:
            The roles of those that have changed.
        """
        changed = []
        for role in self.before.keys() & self._backbones.loaded().keys() & set(roles):
            now = self._backbones.fingerprints(role)
            self._after[role] = digest(now)
            if now != self.before[role]:
                changed.append(role)
        for place in list(self._certificates):
            if place[0] in roles or place[1] is not None:
                del self._certificates[place]
        self._backbones.drop(roles)
        self._engine = engine()
        return sorted(changed)

    def settle(self) -> None:
        """Certify what caches hold now, if nothing has changed."""
        for certificate in self._certificates.values():
            certificate.look_at_caches()

    def describe(
        self, known: Mapping[str, BackboneFacts], *, after: bool = False
    ) -> dict[str, BackboneFacts]:
        """The manifest's `backbones`; `known` are earlier entries.

        With current checksums if `after` is set.

        Raises:
            StoreError: a backbone differs from the one that the run began with.
        """
        described = dict(known)
        for role, before in self.before.items():
            entry = self._backbones.entries.get(role)
            begun = digest(before)
            if role in known and known[role].sha256_before != begun:
                raise StoreError(
                    f"the backbone {role!r} is not the one that this run began with; choose "
                    "another folder with out=, or put the old weights back."
                )
            described[role] = BackboneFacts(
                kind=getattr(entry, "kind", ""),
                **named(entry),
                parameters=self._parameters[role],
                sha256_before=begun,
                sha256_after=self._now(role) if after else None,
            )
        return described

    def _now(self, role: str) -> str:
        """The digest of a backbone as it is, or as it was when it was released."""
        if role in self._backbones.loaded() or role not in self._after:
            return digest(self._backbones.fingerprints(role))
        return self._after[role]

    def violations(self, methods: Sequence[str]) -> list[str]:
        """One sentence for each backbone whose full checksum differs, naming who ran."""
        sentences = []
        for role, before in self.before.items():
            if role in self._after and role not in self._backbones.loaded():
                continue  # it was compared when it was released
            changed = self._backbones.changed(role, before)
            if changed:
                more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
                sentences.append(
                    f"the frozen backbone {role!r} was written to: its tensor {changed[0]!r}{more} "
                    f"changed while {', '.join(methods) or 'no method'} ran; the run's numbers "
                    "cannot be trusted. Run the methods one at a time to find which it was."
                )
        return sentences


class Guarded:
    """An engine that answers nothing more once a backbone that it would ask has changed.

    Attributes:
        found: what was changed.
    """

    def __init__(self, engine: Engine, watch: Watch) -> None:
        self._engine = engine
        self._watch = watch
        self.found: list[str] = []

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """The engine's answers, after a look at the backbones of these prompts."""
        places = {(prompt.backbone, prompt.adapter) for prompt in prompts}
        if self._broken(places):
            return [Failed("a frozen backbone was changed.") for _ in prompts]
        feeds: dict[object, _Looked] = {}
        completions = self._engine.run([self._fed(prompt, feeds) for prompt in prompts])
        self._watch.look()
        return completions

    def _broken(self, places: Collection[Place]) -> bool:
        self.found = self.found or self._watch.changes(thorough=False, places=places)
        return bool(self.found)

    def _numbers_hold(self, places: Collection[Place]) -> bool:
        return not self.found and (self._watch.numbers_hold(places) or not self._broken(places))

    def _fed(self, prompt: Prompt, feeds: "dict[object, _Looked]") -> Prompt:
        """The prompt, with a look after each call of a method's function inside the engine.

        Prompts with one feed get one wrapper, so that they are still fed together.
        """
        if not isinstance(prompt.ask, Regress):
            return prompt
        place = prompt.backbone, prompt.adapter
        key = feed_identity(prompt.ask.feed), place
        if key not in feeds:
            feeds[key] = _Looked(prompt.ask.feed, partial(self._numbers_hold, {place}))
        return replace(prompt, ask=replace(prompt.ask, feed=feeds[key]))


@dataclass(frozen=True, eq=False)
class _Looked:
    """A feed, and a look after each of its calls."""

    feed: Feed
    holds: Callable[[], bool]

    def __call__(self, features: Any) -> Any:
        made = self.feed(features)
        if not self.holds():
            raise RuntimeError("a frozen backbone was changed")
        return made


def _called(place: Place) -> str:
    role, adapter = place
    return f"backbone {role!r}" + (f" under adapter {adapter.name!r}" if adapter else "")


def named(entry: Any) -> dict[str, str]:
    """The source and dtype of a backbone's entry, as a manifest tells them."""
    source = str(getattr(entry, "source", ""))
    return {
        # The place of a pack on this machine is private.
        "source": Path(source).name if Path(source).exists() else source,
        "dtype": str(getattr(entry, "dtype", "")),
    }


def digest(tensors: Mapping[str, str]) -> str:
    """One SHA-256 over the digests of all tensors."""
    return hashlib.sha256(json.dumps(dict(tensors), sort_keys=True).encode()).hexdigest()
