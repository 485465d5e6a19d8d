"""What one plugin offers, read and checked completely before any of it is used."""

import dataclasses
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pluggy

from frostbench.plugins.contract import CONTRACT_VERSION, hooks, serves
from frostbench.plugins.contract.cards import (
    Card,
    ControlCard,
    MetricFacts,
    Offer,
    PackCard,
    PresetCard,
    TaskCard,
)
from frostbench.plugins.contract.converter import Converter
from frostbench.plugins.contract.recipe import Recipe
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import PluginError, describe, text_of

GROUP = OWN = "frostbench"
FILE_MODULE = "frostbench_plugin_file_"
"""Prefix of the module name under which a plugin file is imported."""
MOST_OFFERS = 10_000
"""The most offers of one hook; a plugin with more is taken to have no end."""
LONGEST_NAME = 200
PATIENCE = 300.0
"""Seconds that a plugin may take to be imported, and each of its hooks to say what it offers."""

C = TypeVar("C")


@dataclass(frozen=True)
class Registered(Generic[C]):
    """What a plugin offered under a name, and who offered it.

    `kind` is "method", "task", "data set", ...; `distribution` is the name and version of the
    installed package that the plugin comes with.
    """

    name: str
    card: C
    offer: Offer[C]
    plugin: str
    file: str
    distribution: tuple[str, str] | None = None
    kind: str = "part"

    @property
    def own(self) -> bool:
        """Whether it comes with frostbench."""
        return self.distribution is not None and self.distribution[0] == OWN

    def load(self) -> Any:
        """The class or function itself.

        Raises:
            PluginError: it cannot be imported.
        """
        try:
            return contain(Call(self.kind, self.name, "import"), self.offer.load)
        except Exception as error:
            raise PluginError(
                f"plugin {self.plugin!r} ({self.file}): {self.kind} {self.name!r} cannot be "
                f"loaded: {describe(error)}"
            ) from error


@dataclass(frozen=True)
class Offered:
    """A hook that offers parts: their kind, the class of their cards, and how a card is named.

    `offer_of` turns a value that is no offer into one, or gives None where it cannot.
    """

    kind: str
    card: type
    name_of: Callable[[Any], object]
    offer_of: Callable[[Any], Offer[Any] | None] = lambda item: None


def _of_method(item: Any) -> Offer[Card] | None:
    card = getattr(item, "card", None)
    return Offer(card, item) if isinstance(item, type) and isinstance(card, Card) else None


def _of_target(item: Any) -> Offer[Any] | None:
    return Offer(item, item.target) if isinstance(item, Recipe | Converter) else None


def _by_name(card: Any) -> object:
    return card.name


def _itself(name: Any) -> object:
    return name


OFFERING: Mapping[str, Offered] = {
    "frostbench_methods": Offered("method", Card, _by_name, _of_method),
    "frostbench_tasks": Offered("task", TaskCard, _by_name),
    "frostbench_packs": Offered(
        "pack", PackCard, _by_name, lambda item: Offer(item, item) if _is(item, PackCard) else None
    ),
    "frostbench_presets": Offered(
        "preset",
        PresetCard,
        _by_name,
        lambda item: Offer(item, item) if _is(item, PresetCard) else None,
    ),
    "frostbench_metrics": Offered("metric", MetricFacts, lambda facts: facts.id),
    "frostbench_controls": Offered("control", ControlCard, _by_name),
    "frostbench_datasets": Offered("data set", str, _itself),
    "frostbench_backbones": Offered("backbone kind", str, _itself),
    "frostbench_engines": Offered("engine", str, _itself),
    "frostbench_training_data": Offered("training data", str, _itself),
    "frostbench_recipes": Offered("recipe", Recipe, _by_name, _of_target),
    "frostbench_converters": Offered("converter", Converter, _by_name, _of_target),
}


def _is(item: object, kind: type) -> bool:
    return isinstance(item, kind)


@dataclass(frozen=True)
class Plugin:
    """A plugin that keeps its promises, with what it offers, and its hooks that watch runs."""

    name: str
    file: str
    offers: tuple[Registered[Any], ...]
    watching: Mapping[str, pluggy.HookImpl]


def read_plugin(
    plugin: object, name: str, file: str, distribution: tuple[str, str] | None = None
) -> Plugin:
    """Call all hooks of a plugin that offer something, and check what they give.

    Raises:
        PluginError: a hook is unknown, has wrong arguments, fails, or returns something else than
            its spec says; the plugin is of another contract, or has no hook; a clause.
    """
    try:
        manager = contain(Call("plugin", name, "its hooks"), _managed, plugin, name)
    except pluggy.PluginValidationError as error:
        raise PluginError(" ".join(text_of(error).split())) from error
    except PluginError:
        raise
    except Exception as error:
        raise PluginError(f"its hooks cannot be read: {describe(error)}") from error
    module = str(getattr(plugin, "__name__", ""))
    offers: list[Registered[Any]] = []
    for hook, offered in OFFERING.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            read = _Hook(Call("plugin", name, hook), offered)
            pairs = read.offers(implementation.function)
            offers += [
                Registered(
                    one, offer.card, _here(offer, module), name, file, distribution, offered.kind
                )
                for one, offer in pairs
            ]
    watching = {
        hook: implementation
        for hook in vars(hooks)
        if hook.startswith("frostbench_") and hook not in OFFERING
        for implementation in getattr(manager.hook, hook).get_hookimpls()
    }
    return Plugin(name, file, tuple(offers), watching)


def _here(offer: Offer[Any], module: str) -> Offer[Any]:
    """The offer, with a target in the plugin file itself under its full module name."""
    if not isinstance(offer.target, str) or not module.startswith(FILE_MODULE):
        return offer
    named, _, attribute = offer.target.partition(":")
    own = module.removeprefix(FILE_MODULE)
    return dataclasses.replace(offer, target=f"{module}:{attribute}") if named == own else offer


def _managed(plugin: Any, name: str) -> pluggy.PluginManager:
    """A manager that knows this plugin alone, so that a faulty plugin leaves no trace."""
    wanted = getattr(plugin, "FROSTBENCH_CONTRACT", CONTRACT_VERSION)
    if not isinstance(wanted, str) or wanted.count(".") != 1 or not _digits(wanted):
        raise PluginError(f"its FROSTBENCH_CONTRACT is no version like {CONTRACT_VERSION!r}")
    if not serves(wanted):
        raise PluginError(
            f"it is written for version {wanted} of the contract, and this frostbench has "
            f"{CONTRACT_VERSION}"
        )
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hooks)
    manager.register(plugin, name)
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        known = ", ".join(key for key in vars(hooks) if key.startswith("frostbench_"))
        raise PluginError(
            f"it has no hook: mark a function with frostbench.plugins.hookimpl, named like one of "
            f"{known}"
        )
    return manager


def _digits(version: str) -> bool:
    return all(part.isdecimal() for part in version.split("."))


@dataclass(frozen=True)
class _Hook:
    """One hook of a plugin, as it is called."""

    call: Call
    offered: Offered

    def offers(self, function: Callable[[], Any]) -> list[tuple[str, Offer[Any]]]:
        """Names and offers.

        Raises:
            PluginError: the hook fails, or gives what is no offer, or a name twice.
        """
        try:
            pairs = contain(self.call, self._read, function, seconds=PATIENCE, key="")
        except PluginError as error:
            raise PluginError(f"hook {self.call.verb}: {error}") from error
        except Exception as error:
            raise PluginError(f"hook {self.call.verb}: {describe(error)}") from error
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PluginError(f"hook {self.call.verb}: it offers the name {twice[0]!r} twice")
        return pairs

    def _read(self, function: Callable[[], Iterable[Any]]) -> list[tuple[str, Offer[Any]]]:
        several = function()
        if several is None:
            raise PluginError("it returns None, and offers are a list")
        if not isinstance(several, Iterable):
            raise PluginError(f"it returns {_shown(several)}, and offers are a list")
        items = list(islice(several, MOST_OFFERS + 1))
        if len(items) > MOST_OFFERS:
            raise PluginError(f"it offers more than {MOST_OFFERS} {self.offered.kind}s")
        return [self._named(item) for item in items]

    def _named(self, item: Any) -> tuple[str, Offer[Any]]:
        offered = self.offered
        offer = item if isinstance(item, Offer) else offered.offer_of(item)
        if offer is None or not isinstance(offer.card, offered.card):
            raise PluginError(f"{_shown(item)} is no offer of a {offered.card.__name__}")
        wrong = _misfit(offer.card)
        if wrong:
            raise PluginError(f"of a {offered.card.__name__}, {wrong} is of a wrong type")
        name = offered.name_of(offer.card)
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise PluginError(f"a {offered.kind} has no name of 1 to {LONGEST_NAME} characters")
        return name, offer


def _shown(item: object) -> str:
    """A value, shown as its author would recognise it."""
    if isinstance(item, type):
        return f"the class {item.__qualname__}"
    return repr(item)[:LONGEST_NAME]


def _misfit(card: Any) -> str:
    """The first field of a card that is not what its type says; "" where all fit."""
    if not dataclasses.is_dataclass(card):
        return ""
    hints = get_type_hints(type(card))
    fields = [field.name for field in dataclasses.fields(card)]
    return next((one for one in fields if not _fits(getattr(card, one), hints[one])), "")


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple or origin is frozenset:
        # A list where a tuple should stand has always worked.
        several = isinstance(value, Sequence | set | frozenset) and not isinstance(value, str)
        return several and all(_fits(one, parts[0]) for one in value)
    if origin is not None and issubclass(origin, Mapping):
        pairs = value.items() if isinstance(value, Mapping) else [(None, None)]
        return all(_fits(key, parts[0]) and _fits(one, parts[1]) for key, one in pairs)
    if hint is float:
        return isinstance(value, int | float)
    return not isinstance(hint, type) or isinstance(value, hint)
