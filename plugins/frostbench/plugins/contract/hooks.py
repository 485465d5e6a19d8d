"""Hook specs: where a plugin joins the bench. Each hook is called once, when the host starts.

A plugin is a module (or object) with functions of these names, marked with `hookimpl`. It is found
through the entry-point group `frostbench`, or as a single file (`plugins=[my_method.py]`).
No hook may load weights; the built-in ones do not import torch either. An offer names its object as
"module:attribute" ("mine:attribute" in a single file `mine.py`), or holds the object itself.

Settings that users type reach what is offered as plain values by key; with a dataclass,
`frostbench.plugins.host.settings.read_settings` checks them and says what is wrong.
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
"""Marks a function of a plugin as one of the hooks below, by its name."""


@hookspec
def frostbench_methods() -> "Iterable[type[Method] | Offer[Card]]":
    """Offer methods.

    Return classes, which carry their card, or an `Offer` of a card and "module:Class", which is
    imported only when the method runs. The host refuses a name that is taken.
    """
    return ()


@hookspec
def frostbench_tasks() -> Iterable[Offer[TaskCard]]:
    """Offer tasks: cards with their classes (see `contract.task.Task`)."""
    return ()


@hookspec
def frostbench_metrics() -> Iterable[Offer[MetricFacts]]:
    """Offer metrics: their facts with the function that computes them.

    `frostbench.plugins.contract.metric.Metric` says what kind of function that is. Tasks show the
    metrics that their cards name, and those whose facts name the task.
    """
    return ()


@hookspec
def frostbench_controls() -> Iterable[Offer[ControlCard]]:
    """Offer controls: cards with the change that they make (see `contract.control.Change`).

    A control stands in the tasks whose cards name it and in those that its own card names, in
    every run (`controls=false` leaves all out). It must not write to what it is given.
    """
    return ()


@hookspec
def frostbench_datasets() -> Iterable[Offer[str]]:
    """Offer readers of data sets by name: a callable `(folder: Path) -> object`.

    What it returns offers the methods of one or more of the protocols that tasks ask for. They
    stand in `frostbench.plugins.contract.datasets`, and `help` of each says what its methods give:
    `ImageSet` images; `PairSet` degraded and clean ones; `CaptionSet` captions; `QuestionSet`
    questions with answers; `YesNoSource` questions with a yes or no; `DetailSource` questions about
    a part of an image; `LabelSet` classes; `EpisodeSource` few-shot episodes; `BoxSet` things with
    boxes; `ReferringSource` expressions with masks; `NarrativeSource` narratives with masks. In
    `frostbench.plugins.contract.scenes` stands `SceneSet`, scenes made to order. A set that is also
    `Browsable` has images for `frostbench look`.

    A callable with an attribute `settings`, a frozen dataclass, gets these settings as its second
    argument. A folder that is not as it should be raises a `ValueError` with one sentence. Asked
    the same twice, a data set gives the same twice.
    """
    return ()


@hookspec
def frostbench_packs() -> Iterable[PackCard]:
    """Offer packs: cards that name a folder with a `pack.json` (see docs/use/packs.md)."""
    return ()


@hookspec
def frostbench_presets() -> Iterable[PresetCard]:
    """Offer presets: cards that name a YAML file with every setting of a published table.

    Or, for `frostbench train`, with the sizes and schedules of a new pack's parts.
    """
    return ()


@hookspec
def frostbench_backbones() -> Iterable[Offer[str]]:
    """Offer kinds of backbones: a callable `(entry, device) -> object` that loads one, frozen.

    The object is a torch module or has one as its attribute `model`, whose checksum is taken
    before and after a run. Nothing that is reached from the object may change meanwhile but the
    caches (dicts) that its attribute `grows` names.

    An attribute `toys` may map roles to callables that make a tiny backbone; then `frostbench
    check` can try methods that need such a role, and a method's own `toy` gets it as
    `frostbench.plugins.kit.toys.backbones().get(role)`.
    """
    return ()


@hookspec
def frostbench_engines() -> Iterable[Offer[str]]:
    """Offer engines by name: a callable `(backbones, settings) -> Engine`.

    `settings` are those under `engine`, as plain values by key; `FrozenEngine` and its subclasses
    read them by themselves.

    A run that finds a changed backbone drops all backbones and makes the engine again.
    """
    return ()


@hookspec
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer recipes, which train parts of a pack (see `contract.recipe.Recipe`)."""
    return ()


@hookspec
def frostbench_converters() -> Iterable[Converter]:
    """Offer converters (see `contract.converter.Converter`).

    They make folders of weights out of published files.
    """
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
    """A run is complete in its folder, which `frostbench.bench.store.reader.open_run` reads."""
