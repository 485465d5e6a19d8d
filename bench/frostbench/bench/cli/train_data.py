"""Trains a recipe on a user's own data sets, into a run folder."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import UsageError, cache_folder
from frostbench.bench.cli.data import DataSets
from frostbench.bench.cli.train_config import TrainConfig
from frostbench.bench.machine import hardware, versions
from frostbench.bench.printable import say
from frostbench.bench.store.hashes import Hashes
from frostbench.bench.training.parts import command_of, run_recipe
from frostbench.bench.training.run_folder import TrainingManifest, TrainingRun
from frostbench.bench.training.watching import Watcher
from frostbench.plugins.contract.recipe import MakeTrainingData, Recipe, Workshop
from frostbench.plugins.host.packs import Pack, digest_of_files, read_pack
from frostbench.plugins.host.registry import Host, Registered


def train_on_own(
    recipe: Registered[Recipe], workshop: Workshop, config: TrainConfig, host: Host
) -> None:
    """Train one recipe on the user's data, into a folder of its own.

    Raises:
        UsageError: no recipe is trained on such data, or the folder belongs to another training.
    """
    pack = _pack(workshop.pack)
    hash_of = Hashes(cache_folder("hashes")).of
    sets, held = (
        DataSets(given, host, pack, hash_of) for given in (config.data, config.validation)
    )
    out = Path(config.out)
    workshop = replace(
        workshop,
        out=out,
        scratch=out / "scratch",
        offered=_offered(workshop, sets, held, config),
    )
    run = TrainingRun(out)
    if int(os.environ.get("RANK", "0")):  # the first process keeps the folder
        _meet(workshop)
        if not run.is_finished():
            run_recipe(recipe, workshop)
        return
    begun = TrainingManifest(
        frostbench=version("frostbench"),
        recipe=recipe.name,
        command=command_of(recipe.name, workshop, _words(config)),
        seed=workshop.seed,
        device=workshop.device,
        published=workshop.published,
        settings=workshop.settings,
        processes=int(os.environ.get("WORLD_SIZE", "1")),
        accumulate=workshop.accumulate,
        crop=config.crop,
        data=sets.digests(config.data),
        validation=held.digests(config.validation),
        needs={
            need: digest_of_files(workshop.pack / need)
            for need in recipe.card.needs
            if (workshop.pack / need).is_dir() and need != "data"
        },
        versions=versions() | {"accelerate": version("accelerate")},
        hardware=hardware(workshop.device),
    )
    fresh = run.begin(begun, again=config.again)
    _meet(workshop)
    if not fresh:
        say(f"{out}: {recipe.name} is trained already (again=true trains it once more).")
        return
    with Watcher(run) as watcher:
        report = run_recipe(recipe, replace(workshop, watcher=watcher))
    run.finish(report, recipe.card.files(out))
    say(f"{out}: finished, {report.steps} steps. method.{recipe.name}.weights={out / recipe.name}")


def _meet(workshop: Workshop) -> None:
    """Wait for the other processes: none may read the run folder before it is begun."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from frostbench.plugins.parts.training.processes import Processes

        Processes(workshop).wait()


def _pack(folder: Path) -> Pack:
    """The pack, whose data sets may be named; an unfinished pack has none."""
    if (folder / "pack.json").is_file():
        return read_pack(folder)
    return Pack(folder.name, folder, "", {}, {}, {})


def _words(config: TrainConfig) -> Mapping[str, object]:
    return {
        "data": config.data,
        "validation": config.validation,
        "pack": config.pack,
        "crop": config.crop,
    }


def _offered(
    workshop: Workshop, sets: DataSets, held: DataSets, config: TrainConfig
) -> dict[str, MakeTrainingData]:
    """The user's data under the recipes' names, and training data derived from them."""
    from frostbench.plugins.parts.training.sets import MAKERS, SetImages, Splits, readers_of

    given: dict[str, tuple[list[Any], list[Any]]] = {}
    for place, source, names in ((0, sets, config.data), (1, held, config.validation)):
        for name in names:
            opened = source.open(str(name))
            kind = readers_of(opened)
            if kind is None:
                key = ("data", "validation")[place]
                raise UsageError(
                    f"{key}.{name}: no recipe is trained on what that reader gives; wanted are "
                    "images, pairs, captions or expressions with masks (frostbench data)."
                )
            what, wrap = kind
            given.setdefault(what, ([], []))[place].append(wrap(opened))
    lonely = [what for what, (own, _) in given.items() if not own]
    if lonely:
        raise UsageError(f"validation.NAME= has {lonely[0]}, and data.NAME= has none.")

    def maker(what: str) -> Callable[[Workshop], object]:
        if what == "images":
            return lambda _: SetImages(Splits(*given[what]), config.crop)
        return lambda _: MAKERS[what](Splits(*given[what]))

    own: dict[str, MakeTrainingData] = {what: maker(what) for what in given}
    return {
        **{name: _derived(name, make, own) for name, make in workshop.offered.items()},
        **own,
    }


def _derived(
    name: str, make: MakeTrainingData, own: Mapping[str, MakeTrainingData]
) -> MakeTrainingData:
    """Training data that a plugin makes from the user's own, and from nothing else."""

    def made(workshop: Workshop) -> object:
        used: list[str] = []

        def noting(what: str) -> MakeTrainingData:
            def noted(shop: Workshop) -> object:
                used.append(what)
                return own[what](shop)

            return noted

        result = make(replace(workshop, offered={what: noting(what) for what in own}))
        if not used:
            raise UsageError(
                f"this recipe is trained on {name!r}, and your data give {', '.join(own)}; "
                "name others with data.NAME=READER:FOLDER."
            )
        return result

    return made
