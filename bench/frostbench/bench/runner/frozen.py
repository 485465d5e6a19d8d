"""Frozen means frozen: every backbone before a run and after it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frostbench.bench.runner.plan import FrozenBackbones
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.manifest import BackboneFacts


class Watch:
    """Remembers each backbone's tensors when it is first seen loaded.

    Attributes:
        before: digests of tensors by role.
    """

    def __init__(self, backbones: FrozenBackbones) -> None:
        self._backbones = backbones
        self.before: dict[str, Mapping[str, str]] = {}

    def load(self, roles: tuple[str, ...]) -> None:
        """Load backbones and remember them before a method gets hold of them.

        A role that cannot be loaded is passed over: the method that needs it fails when it is
        built, with the same message.
        """
        for role in roles:
            try:
                self._backbones.get(role)
            except Exception:
                continue
        self.look()

    def look(self) -> None:
        """Remember the backbones that were loaded since the last look."""
        for role in self._backbones.loaded():
            if role not in self.before:
                self.before[role] = self._backbones.fingerprints(role)

    def describe(self, known: Mapping[str, BackboneFacts]) -> dict[str, BackboneFacts]:
        """The manifest's `backbones`, with checksums as of now; `known` are earlier entries.

        Raises:
            StoreError: a backbone is another than the one that the run began with.
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
                parameters=self._backbones.parameters(role),
                sha256_before=begun,
                sha256_after=digest(self._backbones.fingerprints(role)),
            )
        return described

    def violations(self, methods: list[str]) -> list[str]:
        """One sentence for each backbone that somebody wrote to, naming whom it can have been."""
        sentences = []
        for role, before in self.before.items():
            changed = self._backbones.changed(role, before)
            if changed:
                more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
                sentences.append(
                    f"the frozen backbone {role!r} was written to: its tensor {changed[0]!r}{more} "
                    f"changed while {', '.join(methods) or 'no method'} ran; the run's numbers "
                    "cannot be trusted. Run the methods one at a time to find which it was."
                )
        return sentences


def named(entry: Any) -> dict[str, str]:
    """The source and dtype of a backbone's entry, as a manifest tells them."""
    source = str(getattr(entry, "source", ""))
    return {
        # Where a pack lies on this machine is nobody's business.
        "source": Path(source).name if Path(source).exists() else source,
        "dtype": str(getattr(entry, "dtype", "")),
    }


def digest(tensors: Mapping[str, str]) -> str:
    """One SHA-256 over the digests of all tensors."""
    return hashlib.sha256(json.dumps(dict(tensors), sort_keys=True).encode()).hexdigest()
