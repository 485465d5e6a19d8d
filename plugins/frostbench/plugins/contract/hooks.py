"""Hook specs: where a plugin joins the bench. Each hook is called once, when the host starts.

A plugin is a module (or object) with functions of these names, marked with `hookimpl`. It is found
through the entry-point group `frostbench`, or as a single file (`plugins=[my_method.py]`).
No hook may load weights; the built-in ones do not import torch either.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

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

if TYPE_CHECKING:
    from frostbench.plugins.contract.method import Method

hookspec = pluggy.HookspecMarker("frostbench")
hookimpl = pluggy.HookimplMarker("frostbench")


@hookspec
def frostbench_methods() -> "Iterable[type[Method] | Offer[Card]]":
    """Offer methods.

    Return classes, which carry their card, or an `Offer` of a card and "module:Class", which is
    imported only when the method runs. The host refuses a name that is taken.
    """
    return ()


@hookspec
def frostbench_tasks() -> Iterable[Offer[TaskCard]]:
    """Offer tasks: cards with the class behind them (see `contract.task.Task`)."""
    return ()


@hookspec
def frostbench_metrics() -> Iterable[Offer[MetricFacts]]:
    """Offer metrics: their facts, and the function that they are true of.

    What kind of function that is, `frostbench.plugins.contract.metric.Metric` says. Tasks show the
    metrics that their cards name, and those whose facts name the task.
    """
    return ()


@hookspec
def frostbench_controls() -> Iterable[Offer[ControlCard]]:
    """Offer controls: cards with the change behind them (see `contract.control.Change`).

    A control stands in the tasks whose cards name it and in those that its own card names, in
    every run (`controls=false` leaves all out). It must not write to what it is given.
    """
    return ()


@hookspec
def frostbench_datasets() -> Iterable[Offer[str]]:
    """Offer data sets by name: a callable `(folder: Path) -> object` that tasks ask for."""
    return ()


@hookspec
def frostbench_packs() -> Iterable[PackCard]:
    """Offer packs: folders with a `pack.json`."""
    return ()


@hookspec
def frostbench_presets() -> Iterable[PresetCard]:
    """Offer presets: YAML files that state every setting behind a table once."""
    return ()


@hookspec
def frostbench_backbones() -> Iterable[Offer[str]]:
    """Offer kinds of backbones: a callable `(entry, device) -> object` that loads one, frozen.

    The object is a torch module or has one as its attribute `model`, whose checksum is taken
    before and after a run. Nothing that is reached from the object may change meanwhile but the
    caches (dicts) that its attribute `grows` names.
    """
    return ()


@hookspec
def frostbench_engines() -> Iterable[Offer[str]]:
    """Offer engines by name: a callable `(backbones, settings) -> Engine`.

    A run that found a backbone changed drops all of them and makes the engine again.
    """
    return ()


@hookspec
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer recipes, which train parts of a pack."""
    return ()


@hookspec
def frostbench_converters() -> Iterable[Converter]:
    """Offer converters, which make folders of weights out of published files."""
    return ()


@hookspec
def frostbench_training_data() -> Iterable[Offer[str]]:
    """Offer what recipes are trained on, by name: a callable `(workshop: Workshop) -> object`.

    It is called when a recipe first asks `workshop.data.get(name)`, and may ask for other training
    data in turn. "images" are `TrainingImages`, "pairs" `Pairs`, "grounded" `GroundedScenes`.
    """
    return ()


@hookspec
def frostbench_run_started(manifest: Mapping[str, Any]) -> None:
    """A run begins or resumes; `manifest` is what its numbers depend on. Must not change it."""


@hookspec
def frostbench_sample_scored(sample: Mapping[str, Any]) -> Mapping[str, float] | None:
    """A sample was scored and is about to be stored; may return extra columns for it."""


@hookspec
def frostbench_run_finished(folder: str) -> None:
    """A run is complete in its folder."""
