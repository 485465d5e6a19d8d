"""Builds methods when their first sample is due."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from frostbench.bench.runner.chunk import Built
from frostbench.bench.runner.frozen import Watch, digest
from frostbench.bench.runner.memory import Ledger, devices_of
from frostbench.bench.runner.plan import Plan, PlannedMethod
from frostbench.bench.runner.tokenizing import Tokenizing
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.hardware import MethodMemory
from frostbench.bench.store.tokens import TokenStore
from frostbench.plugins.backbones.devices import is_out_of_memory
from frostbench.plugins.contract.method import Method
from frostbench.plugins.host.containment import Call, DeathError, contain
from frostbench.plugins.host.errors import cut, describe, text_of
from frostbench.plugins.host.packs import digest_of

PREPARING = 3600.0  # seconds for a method's own process to start and to load backbones


class Methods:
    """The plan's methods.

    Attributes:
        ready: those that are built, by name.
        failed: why the others take no part, by name, in one sentence.
        unbuilt: those among them that cannot be built; in the others the process died earlier.
        guilty: those of the failed that changed what is frozen.
        waiting: those that did not fit into memory beside the ready ones.
        ledger: what methods and backbones hold of the device.
    """

    def __init__(
        self,
        plan: Plan,
        tokens: Path,
        watch: Watch,
        note: Callable[[str], None],
        guilty: Mapping[str, str] | None = None,
        memory: Mapping[str, MethodMemory] | None = None,
    ) -> None:
        self._planned = {method.card.name: method for method in plan.methods}
        self._plan = plan
        self._tokens = tokens
        self._watch = watch
        self.note = note
        self.ready: dict[str, Built] = {}
        self._notes: dict[str, tuple[str, ...]] = {}
        self._fingerprints: dict[str, str] = {}
        self.guilty: dict[str, str] = dict(guilty or {})
        self.failed: dict[str, str] = dict(self.guilty)
        self.unbuilt: dict[str, str] = {}
        self._before: dict[str, Tokenizing] = {}
        self.waiting: set[str] = set()
        self.ledger = Ledger(devices_of(plan), memory)

    def get(self, names: Iterable[str]) -> dict[str, Built]:
        """Those of the named methods that can be built, ordered by name.

        Where memory is short, some wait until others are released.

        Raises:
            ChangedError: one changed what is frozen while it was built.
        """
        wanted = sorted(set(names))
        self.waiting -= set(wanted)
        for name in wanted:
            if name not in self.ready and name not in self.failed:
                if self._must_wait(name):
                    self.waiting.add(name)
                else:
                    self._build(name, self._planned[name])
        return {name: self.ready[name] for name in wanted if name in self.ready}

    def let_go(self, kept: Iterable[str]) -> list[str]:
        """Release the methods that are not kept, to be built again later; return their names."""
        gone = sorted(set(self.ready) - set(kept))
        for name in gone:
            self._before[name] = self.ready.pop(name).tokenizing
            self._before[name].retire()
        return gone

    def idle(self, names: Iterable[str]) -> list[str]:
        """The roles of loaded backbones that none of these methods needs."""
        needed = {role for name in names for role in self._planned[name].card.backbones}
        return [role for role in self._plan.backbones.loaded() if role not in needed]

    def _must_wait(self, name: str) -> bool:
        """Whether a method must wait, since it or one before it would not fit."""
        if not self.ready:
            return False
        roles, loaded = self._planned[name].card.backbones, self._plan.backbones.loaded()
        missing = [role for role in roles if role not in loaded]
        return bool(self.waiting) or not self.ledger.fits(name, missing)

    def mark(self) -> None:
        """Mark the beginning of tokenizing that `drop` can undo."""
        for built in self.ready.values():
            built.tokenizing.mark()

    def drop(self) -> list[str]:
        """Forget all built methods, and the tokens that they made since the mark.

        Returns:
            Their names.
        """
        for name, built in self.ready.items():
            built.tokenizing.undo()
            self._before[name] = built.tokenizing
        names = list(self.ready)
        self.ready.clear()
        return names

    def exclude(self, name: str, sentence: str) -> None:
        """Exclude a method that changed what is frozen, and its tokens."""
        self.guilty[name] = self.failed[name] = sentence
        built = self.ready.pop(name, None)
        tokenizing = self._before.get(name) if built is None else built.tokenizing
        if tokenizing is not None:
            tokenizing.forget()

    def fingerprint(self, name: str) -> str:
        """The fingerprint of a method that is ready."""
        return self._fingerprints[name]

    def notes(self, name: str) -> tuple[str, ...]:
        """What a reader of the numbers of a method that is ready must know."""
        return self._notes[name]

    def _build(self, name: str, planned: PlannedMethod) -> None:
        call = Call("method", name, "build")
        try:
            for role in planned.card.backbones:
                with self.ledger.loading(role):
                    contain(call, self._watch.load, (role,))
            if planned.prepare is not None:
                contain(call, planned.prepare, seconds=PREPARING, key="")
            with self.ledger.building(name):
                method, notes, fingerprint = contain(call, _made, planned)
            self._notes[name] = tuple(map(cut, notes))
            kept = TokenStore(self._tokens, fingerprint, self.note, self._made_of(planned))
            controls = {one: _control(method, one) for one in planned.card.controls}
        except StoreError:
            raise
        except DeathError as error:
            self.failed[name] = f"method {name!r} is left out: {text_of(error)}."
            return
        except Exception as error:  # an author's code: its failure is a result
            self._watch.check((name,), thorough=True)
            if is_out_of_memory(error) and (self.ready or self.idle([name])):
                self.waiting.add(name)
                return
            self.failed[name] = f"method {name!r} cannot be built: {describe(error)}."
            self.unbuilt[name] = self.failed[name]
            return
        self._watch.check((name,), thorough=True)
        self._fingerprints[name] = fingerprint
        size = self._plan.tokenize_batch
        tokenizing = Tokenizing(
            method, kept, self._plan.device, size, self.note, self.ledger.energy
        )
        if name in self._before:
            tokenizing.follow(self._before.pop(name))
        self.ready[name] = Built(method, tokenizing, controls)
        self._watch.look()

    def _made_of(self, planned: PlannedMethod) -> str:
        """Everything that tokens can depend on: the method's identity, and its frozen backbones."""
        before = self._watch.before
        roles = {role: digest(before[role]) for role in planned.card.backbones if role in before}
        return digest_of([planned.identity, roles])


def _made(planned: PlannedMethod) -> tuple[Method, list[str], str]:
    """The method, its notes, and its fingerprint."""
    method = planned.build()
    if not isinstance(method, Method):
        raise TypeError(f"build returned a {type(method).__name__}, not a Method")
    return method, [str(sentence) for sentence in method.notes], method.fingerprint


def _control(method: Method, name: str) -> Method | str:
    """A control that the method makes itself, or why it cannot; the method's own row stays."""
    try:
        made = contain(Call("method", method.card.name, "control"), method.control, name)
        if not isinstance(made, Method):
            raise TypeError(f"control returned a {type(made).__name__}, not a Method")
    except Exception as error:  # an author's code: its failure is a result
        return f"the method cannot make it: {describe(error)}"
    return made
