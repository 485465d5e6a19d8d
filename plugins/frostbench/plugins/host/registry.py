"""The host: finds plugins and knows what they offer.

Built-in methods come through the same entry points as an outsider's; there is no private door.
A host is an object, not a module-level singleton: two can live side by side with other plugins.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

import pluggy

from frostbench.plugins.contract import CONTRACT_VERSION, hooks, serves
from frostbench.plugins.contract.cards import (
    Card,
    ControlCard,
    MetricFacts,
    Offer,
    PackCard,
    TaskCard,
)
from frostbench.plugins.contract.recipe import Recipe
from frostbench.plugins.host.errors import PluginError, missing

GROUP = "frostbench"

C = TypeVar("C")


@dataclass(frozen=True)
class Registered(Generic[C]):
    """What a plugin offered under a name, and who offered it.

    `distribution` is the name and version of the installed package that the plugin comes with.
    """

    name: str
    card: C
    offer: Offer[C]
    plugin: str
    file: str
    distribution: tuple[str, str] | None = None

    def load(self) -> Any:
        """The class or function itself.

        Raises:
            PluginError: it cannot be imported.
        """
        try:
            return self.offer.load()
        except Exception as error:
            raise PluginError(
                f"plugin {self.plugin!r} ({self.file}): {self.name!r} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error


class Host:
    """Everything installed plugins and the given plugin files offer, by name.

    Attributes:
        problems: one sentence for each installed plugin that could not be imported. Those are
            left out and said; a plugin *file* that fails raises, since somebody asked for it.

    Raises:
        PluginError: a plugin file fails, a hook raises or returns something else than its spec
            says, or a name is taken.
    """

    def __init__(self, files: Sequence[str | Path] = (), *, installed: bool = True) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hooks)
        self._files: dict[str, str] = {}
        self._distributions: dict[str, tuple[str, str]] = {}
        self.problems: list[str] = []
        if installed:
            for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
                self._add_installed(point)
        for file in files:
            self.register(_load_file(Path(file)), Path(file).stem)
        self.methods: Mapping[str, Registered[Card]] = self._collect(
            "frostbench_methods", Card, lambda card: card.name, _offer_of_method
        )
        self.tasks: Mapping[str, Registered[TaskCard]] = self._collect(
            "frostbench_tasks", TaskCard, lambda card: card.name
        )
        self.packs: Mapping[str, Registered[PackCard]] = self._collect(
            "frostbench_packs",
            PackCard,
            lambda card: card.name,
            lambda item: Offer(item, item) if isinstance(item, PackCard) else None,
        )
        self.metrics: Mapping[str, Registered[MetricFacts]] = self._collect(
            "frostbench_metrics", MetricFacts, lambda facts: facts.id
        )
        self.controls: Mapping[str, Registered[ControlCard]] = self._collect(
            "frostbench_controls", ControlCard, lambda card: card.name
        )
        self.datasets = self._named("frostbench_datasets")
        self.backbones = self._named("frostbench_backbones")
        self.engines = self._named("frostbench_engines")
        self.training_data = self._named("frostbench_training_data")
        self.recipes: Mapping[str, Registered[Recipe]] = self._collect(
            "frostbench_recipes",
            Recipe,
            lambda recipe: recipe.name,
            lambda item: Offer(item, item.target) if isinstance(item, Recipe) else None,
        )

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin object or module under a name.

        Raises:
            PluginError: the name is taken, or the plugin has none of the hooks.
        """
        file = getattr(plugin, "__file__", None) or repr(plugin)
        if self._manager.has_plugin(name):
            raise PluginError(
                f"plugin {name!r} ({file}): the name is taken by {self._files[name]}; "
                "rename one of them."
            )
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(f"plugin {name!r} ({file}): {error}") from error
        if not self._manager.get_hookcallers(plugin):
            known = ", ".join(key for key in vars(hooks) if key.startswith("frostbench_"))
            raise PluginError(
                f"plugin {name!r} ({file}) has no hook: mark a function with "
                f"frostbench.plugins.hookimpl, named like one of {known}."
            )
        self._files[name] = str(file)

    def notify(self, hook: str, **arguments: Any) -> list[Any]:
        """Call an observing hook of every plugin; answers that are not None.

        Raises:
            PluginError: a plugin's hook raised.
        """
        answers = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                answer = implementation.function(**wanted)
            except Exception as error:
                raise self._broken(implementation.plugin_name, hook, error) from error
            if answer is not None:
                answers.append(answer)
        return answers

    def pick(self, kind: str, name: str) -> Registered[Any]:
        """What is registered under a name, of a kind: "method", "task", "metric", "pack", ...

        Raises:
            LookupError: there is none; the message lists what there is.
        """
        kinds: Mapping[str, Mapping[str, Any]] = {
            "method": self.methods,
            "task": self.tasks,
            "metric": self.metrics,
            "control": self.controls,
            "data set": self.datasets,
            "pack": self.packs,
            "backbone kind": self.backbones,
            "engine": self.engines,
            "recipe": self.recipes,
            "training data": self.training_data,
        }
        known = kinds[kind]
        if name not in known:
            raise LookupError(missing(kind, name, known))
        registered: Registered[Any] = known[name]
        return registered

    def _add_installed(self, point: EntryPoint) -> None:
        try:
            plugin = _fitting(point.load())
        except Exception as error:
            self.problems.append(
                f"plugin {point.name!r} ({point.value}) cannot be imported and is left out: "
                f"{type(error).__name__}: {error}"
            )
            return
        self.register(plugin, point.name)
        if point.dist is not None:
            self._distributions[point.name] = point.dist.name, point.dist.version

    def _named(self, hook: str) -> Mapping[str, Registered[str]]:
        return self._collect(hook, str, lambda name: name)

    def _collect(
        self,
        hook: str,
        card_type: type[C],
        name_of: Callable[[C], str],
        offer_of: Callable[[object], Offer[C] | None] | None = None,
    ) -> Mapping[str, Registered[C]]:
        found: dict[str, Registered[C]] = {}
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            plugin = implementation.plugin_name
            try:
                items = list(cast(Iterable[object], implementation.function()))
            except Exception as error:
                raise self._broken(plugin, hook, error) from error
            for item in items:
                offer = item if isinstance(item, Offer) else offer_of(item) if offer_of else None
                if offer is None or not isinstance(offer.card, card_type):
                    raise PluginError(
                        f"plugin {plugin!r}, hook {hook} ({self._files[plugin]}): {item!r} is no "
                        f"offer of a {card_type.__name__}."
                    )
                name = name_of(offer.card)
                if name in found:
                    raise PluginError(
                        f"plugin {plugin!r}, hook {hook} ({self._files[plugin]}): the name "
                        f"{name!r} is taken by plugin {found[name].plugin!r} "
                        f"({found[name].file}); rename one of them."
                    )
                distribution = self._distributions.get(plugin)
                found[name] = Registered(
                    name, offer.card, offer, plugin, self._files[plugin], distribution
                )
        return dict(sorted(found.items()))

    def _broken(self, plugin: str, hook: str, error: Exception) -> PluginError:
        return PluginError(
            f"plugin {plugin!r}, hook {hook} ({self._files[plugin]}): "
            f"{type(error).__name__}: {error}"
        )


def _offer_of_method(item: object) -> Offer[Card] | None:
    card = getattr(item, "card", None)
    return Offer(card, item) if isinstance(item, type) and isinstance(card, Card) else None


def _fitting(plugin: Any) -> Any:
    """The plugin, if it was written for this contract; one that does not say so is taken.

    Raises:
        PluginError: it says that it was written for another.
    """
    wanted = getattr(plugin, "FROSTBENCH_CONTRACT", CONTRACT_VERSION)
    if not serves(wanted):
        raise PluginError(
            f"it is written for version {wanted} of the contract, and this frostbench has "
            f"{CONTRACT_VERSION}."
        )
    return plugin


def _load_file(path: Path) -> ModuleType:
    """Import a plugin that is a single file."""
    if not path.is_file():
        raise PluginError(f"no plugin file at {path}.")
    name = f"frostbench_plugin_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin file {path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        _fitting(module)
    except Exception as error:
        del sys.modules[name]
        raise PluginError(
            f"plugin file {path} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module
