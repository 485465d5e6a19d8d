"""Old import paths: each forwards to its new place, with a deprecation warning.

The whole file goes in the next minor version, with `forward` in `plugins` and in `plugins.host`.
"""

import importlib
import sys
import warnings
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from types import ModuleType

from frostbench.plugins.contract import GoingAwayWarning

# Modules that kept their names, by their old and new packages.
_KEPT = {
    ("plugins", "plugins.contract"): "cards completions hooks images method predictions prompts "
    "requests tokens",
    ("plugins", "plugins.host"): "packs settings",
    ("plugins", "plugins.backbones"): "devices perceptual precision published weights",
    ("plugins", "plugins.parts"): "hiding",
    ("plugins", "plugins.parts.training"): "pool",
    ("plugins.discrete", "plugins.parts.prompting"): "captioning classification examples language "
    "masked method restoration windows",
    ("plugins.discrete", "plugins.parts.tokenizing"): "fingerprint resizing",
    ("baselines.autoencoder", "plugins.parts.autoencoder"): "average blocks clusters decoder "
    "discriminator encoder initial losses projection quantizer reconstruction settings training",
}

# Each old module, and where its names are looked for, in this order: the lowest package first,
# since higher ones import from it.
MOVED: dict[str, tuple[str, ...]] = {
    f"{old}.{name}": (f"{new}.{name}",)
    for (old, new), names in _KEPT.items()
    for name in names.split()
} | {
    "plugins": (),
    "plugins.builtin": ("plugins.plugin",),
    "plugins.discrete": ("plugins.parts.prompting",),
    "plugins.discrete.borrowing": ("plugins.parts.prompting.shared_vocabulary",),
    "plugins.discrete.lending": ("plugins.parts.prompting.token_map",),
    "plugins.discrete.rows": ("plugins.parts.tokenizing.one_by_one",),
    "plugins.engine.plan": ("plugins.engine.batches",),
    "plugins.host": ("plugins.host.errors", "plugins.host.registry"),
    "plugins.recipe": ("plugins.contract.recipe", "plugins.parts.training.loop"),
    "plugins.task": ("plugins.contract.metric", "plugins.contract.task"),
    "plugins.waves": ("plugins.contract.engine", "plugins.host.errors", "plugins.engine.waves"),
    "baselines.autoencoder": ("plugins.parts.autoencoder",),
    "baselines.autoencoder.stored": ("plugins.parts.training.folder",),
}

# Names that changed, by the old module.
_RENAMED = {
    "plugins.Picture": "plugins.contract.prompts.ImagePiece",
    "plugins.prompts.Picture": "plugins.contract.prompts.ImagePiece",
    "plugins.prompts.Segment": "plugins.contract.prompts.Piece",
    "plugins.recipe.Pictures": "plugins.contract.recipe.TrainingImages",
    "plugins.recipe.Progress": "plugins.parts.training.loop.TrainingProgress",
    "plugins.discrete.method.refusal": "plugins.contract.method.refusal",
    "plugins.packs.PackBackbone": "plugins.host.packs.BackboneEntry",
    "plugins.discrete.captioning.Shown": "plugins.parts.prompting.captioning.ShowImage",
    "plugins.discrete.borrowing.Borrowed": "plugins.parts.prompting.shared_vocabulary."
    "SharedVocabulary",
    "plugins.discrete.borrowing.borrow": "plugins.parts.prompting.shared_vocabulary."
    "share_vocabulary",
    "plugins.discrete.lending.Lending": "plugins.parts.prompting.token_map.TokenMap",
    "plugins.discrete.lending.lend": "plugins.parts.prompting.token_map.map_codes",
    "plugins.discrete.examples.Example": "plugins.parts.prompting.examples.CodeExample",
    "plugins.discrete.restoration.RestorationSettings": "plugins.parts.prompting.restoration."
    "WindowSettings",
    "baselines.autoencoder.reconstruction.Reconstruction": "plugins.parts.autoencoder."
    "reconstruction.AutoencoderOutput",
    "baselines.autoencoder.stored.read_settings": "plugins.parts.training.folder.stored_settings",
    "baselines.autoencoder.training.Forward": "plugins.parts.autoencoder.training."
    "AutoencoderForward",
    "baselines.autoencoder.training.TrainingSettings": "plugins.parts.autoencoder.training."
    "AdversarialTrainingSettings",
}

_ROOT = "frostbench."


def forward(module: str, name: str) -> object:
    """The object that was called `module.name`, with a warning at the line that asked for it.

    Raises:
        AttributeError: there was no such name.
    """
    old = f"{module.removeprefix(_ROOT)}.{name}"
    homes = [f"{home}.{name}" for home in MOVED[module.removeprefix(_ROOT)]]
    for new in filter(None, (_RENAMED.get(old), *homes)):
        home, _, attribute = new.rpartition(".")
        loaded = vars(importlib.import_module(_ROOT + home))
        if attribute in loaded and not name.startswith("__"):
            warnings.warn(
                f"{_ROOT}{old} is {_ROOT}{new} now; the old path goes in the next minor version.",
                GoingAwayWarning,
                stacklevel=3,  # past this function and the module's `__getattr__`
            )
            return loaded[attribute]
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


class _OldPaths:
    """Finds the modules of `MOVED`, after all other finders: a module that is there wins."""

    @staticmethod
    def find_spec(
        name: str, path: Iterable[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.removeprefix(_ROOT) not in MOVED:
            return None
        return ModuleSpec(name, _OldPaths, is_package=True)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Let every name lead to its new place."""
        module.__getattr__ = lambda name: forward(module.__name__, name)  # type: ignore[method-assign]


sys.meta_path.append(_OldPaths)
