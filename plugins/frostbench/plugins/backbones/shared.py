"""The backbones of a pack: loaded on first use, once, and shared by all methods."""

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch

from frostbench.plugins.backbones.checksum import changed, checksum, fingerprints
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.host.errors import missing
from frostbench.plugins.plugin import frostbench_backbones

Loader: TypeAlias = Callable[[BackboneEntry, str], Any]
"""Loads a backbone, frozen, onto a device ("cpu", "cuda", "cuda:N", "mps")."""


class SharedBackbones:
    """Frozen models by role.

    `kinds` says which loader reads which kind, as plugins offer them (hook `frostbench_backbones`);
    without it, the built-in ones do.
    """

    def __init__(
        self,
        entries: Iterable[BackboneEntry],
        device: str = "cpu",
        kinds: Mapping[str, Loader] | None = None,
    ) -> None:
        self.device = device
        self.entries = {entry.role: entry for entry in entries}
        self._kinds = built_in() if kinds is None else dict(kinds)
        self._loaded: dict[str, Any] = {}
        self._lock = threading.RLock()

    def get(self, role: str) -> Any:
        """The loaded backbone of a role; the same object every time.

        Raises:
            LookupError: there is no such role, or no loader of its kind.
            ValueError: the source is missing, damaged, or no such model.
        """
        with self._lock:
            if role not in self._loaded:
                if role not in self.entries:
                    raise LookupError(missing("backbone", role, self.entries))
                entry = self.entries[role]
                if entry.kind not in self._kinds:
                    raise LookupError(
                        f"backbone {role!r}: {missing('kind of backbone', entry.kind, self._kinds)}"
                    )
                self._loaded[role] = self._kinds[entry.kind](entry, self.device)
            return self._loaded[role]

    def loaded(self) -> Mapping[str, Any]:
        """The backbones that were asked for, by role."""
        return dict(self._loaded)

    def drop(self, roles: Iterable[str] | None = None) -> None:
        """Forget the backbones of all or some roles; they are loaded again when asked for."""
        with self._lock:
            for role in tuple(self._loaded) if roles is None else roles:
                self._loaded.pop(role, None)

    def checksum(self, role: str) -> str:
        """SHA-256 over names, shapes, types and bytes of all parameters and buffers."""
        return checksum(module_of(self.get(role)))

    def fingerprints(self, role: str) -> Mapping[str, str]:
        """A digest of every parameter and buffer, for `changed`."""
        return fingerprints(module_of(self.get(role)))

    def changed(self, role: str, before: Mapping[str, str]) -> list[str]:
        """The names of tensors that are not what they were when `before` was taken."""
        return changed(before, self.fingerprints(role))

    def parameters(self, role: str) -> int:
        """How many numbers the backbone's parameters hold; tied ones count once."""
        return sum(p.numel() for p in module_of(self.get(role)).parameters())


def built_in() -> dict[str, Loader]:
    """The loaders that come with frostbench, by kind."""
    return {offer.card: cast(Loader, offer.load()) for offer in frostbench_backbones()}


def module_of(backbone: Any) -> torch.nn.Module:
    """The network of a backbone: itself, or its attribute `model`.

    Raises:
        TypeError: it has none.
    """
    module = backbone if isinstance(backbone, torch.nn.Module) else getattr(backbone, "model", None)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"a {type(backbone).__name__} is no torch module and has none as its attribute "
            "'model', so it cannot be checked that it stays frozen."
        )
    return module


def load_causal_lm(entry: BackboneEntry, device: str) -> Any:
    """A frozen causal language model of transformers."""
    from frostbench.plugins.backbones.causal_lm import CausalLM

    return CausalLM.load(entry, device)


def load_masked_lm(entry: BackboneEntry, device: str) -> Any:
    """A frozen masked language model of transformers."""
    _check_no_settings(entry)
    from frostbench.plugins.backbones.masked_lm import MaskedLM

    return MaskedLM.load(entry, device)


def load_lmm(entry: BackboneEntry, device: str) -> Any:
    """A frozen multimodal model of transformers."""
    from frostbench.plugins.backbones.lmm import LMM

    return LMM.load(entry, device)


def load_open_clip(entry: BackboneEntry, device: str) -> Any:
    """A frozen open_clip model."""
    _check_no_settings(entry)
    from frostbench.plugins.backbones.clip import Clip

    return Clip.load(entry, device)


def load_mae(entry: BackboneEntry, device: str) -> Any:
    """A frozen masked autoencoder of transformers."""
    from frostbench.plugins.backbones.mae import MAE

    return MAE.load(entry, device)


def load_perceptual(entry: BackboneEntry, device: str) -> Any:
    """The pack's perceptual network, frozen."""
    _check_no_settings(entry)
    from frostbench.plugins.backbones.devices import device_of
    from frostbench.plugins.backbones.perceptual import Perceptual

    network = Perceptual.load(Path(entry.source))
    return network.eval().requires_grad_(False).to(device_of(device))


def load_sam(entry: BackboneEntry, device: str) -> Any:
    """A frozen SAM."""
    from frostbench.plugins.backbones.sam import Sam

    _check_no_settings(entry)
    return Sam.load(entry, device)


def load_timm(entry: BackboneEntry, device: str) -> Any:
    """A frozen image encoder of timm."""
    from frostbench.plugins.backbones.timm_encoder import TimmEncoder

    return TimmEncoder.load(entry, device)


def _check_no_settings(entry: BackboneEntry) -> None:
    if entry.settings:
        raise ValueError(
            f"backbone {entry.role!r} of kind {entry.kind!r} has no settings; it was given "
            f"{', '.join(map(repr, entry.settings))}."
        )
