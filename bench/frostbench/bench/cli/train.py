"""`frostbench train`: make the parts of a pack that are missing."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import (
    TrainConfig,
    UsageError,
    own_settings,
    read_config,
    split_words,
)
from frostbench.plugins.contract.recipe import (
    GroundedScenes,
    Pairs,
    Recipe,
    Report,
    TrainingImages,
    Workshop,
)
from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.registry import Host, Registered


def train_command(words: list[str]) -> int:
    """Run the recipes of the named parts, or of all that are missing, in the order of needs."""
    plain, overrides = split_words(words)
    config = read_config(TrainConfig, overrides)
    host = Host(config.plugins)
    for name in plain:
        if name not in host.recipes:
            raise LookupError(missing("recipe", name, host.recipes))
    for name in config.recipe:
        if name not in host.recipes:
            raise LookupError(missing("recipe", str(name), host.recipes))
    pack = _folder(config.pack, host)
    if config.threads:
        import torch

        torch.set_num_threads(config.threads)
    for recipe in order(host.recipes):
        if plain and recipe.card.name not in plain:
            continue
        if recipe.card.is_done(pack) and not (config.again and plain):
            print(f"{recipe.card.name}: already in {pack} (again=true trains it once more)")
            continue
        absent = [need for need in recipe.card.needs if not host.recipes[need].card.is_done(pack)]
        if absent:
            raise UsageError(
                f"recipe {recipe.card.name!r} needs {', '.join(absent)}, which {pack} lacks; "
                f"train that first (frostbench train {' '.join(absent)})."
            )
        _train(recipe, config, pack)
    return 0


def _folder(pack: str, host: Host) -> Path:
    """The folder of a pack that a plugin offers, or any other, which may hold nothing yet."""
    offered = host.packs.get(pack)
    return Path(pack) if offered is None else Path(offered.card.folder)


def order(recipes: Mapping[str, Registered[Recipe]]) -> list[Registered[Recipe]]:
    """Recipes after all that they need.

    Raises:
        UsageError: a need is nobody's recipe, or needs go in a circle.
    """
    done: list[Registered[Recipe]] = []
    names: set[str] = set()
    waiting = dict(recipes)
    while waiting:
        ready = [name for name, item in waiting.items() if set(item.card.needs) <= names]
        if not ready:
            unknown = {need for item in waiting.values() for need in item.card.needs} - set(recipes)
            why = f"nobody offers {', '.join(sorted(unknown))}" if unknown else "a circle"
            raise UsageError(f"recipes {', '.join(waiting)} cannot be ordered: {why}.")
        for name in ready:
            done.append(waiting.pop(name))
            names.add(name)
    return done


def dotted(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as pairs of a dotted key and a text.

    >>> list(dotted({"training": {"steps": 3, "loss": {"start": 2}}, "tasks": ["a", "b"]}))
    [('training.steps', '3'), ('training.loss.start', '2'), ('tasks', '[a,b]')]
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{before}{key}.")
        elif isinstance(value, list):
            yield f"{before}{key}", f"[{','.join(map(str, value))}]"
        else:
            yield f"{before}{key}", str(value)


def _train(recipe: Registered[Recipe], config: TrainConfig, pack: Path) -> None:
    from frostbench.bench.training.card import record

    name = recipe.card.name
    settings = dict(dotted(own_settings(config.recipe, name, "recipe")))
    images = _images(pack)
    workshop = Workshop(
        pack=pack,
        scratch=Path(config.scratch),
        device=config.device,
        seed=config.seed,
        settings=settings,
        pictures=images,
        pairs=None if images is None else _pairs(images),
        grounded=None if images is None else _grounded(pack),
    )
    print(f"{name}: {recipe.card.summary}", file=sys.stderr)
    report = recipe.load()(workshop)
    if not isinstance(report, Report):
        raise UsageError(f"recipe {name!r} ({recipe.file}) returned no Report but {report!r}.")
    extra = "".join(f" recipe.{name}.{key}={value}" for key, value in settings.items())
    command = f"frostbench train {name} seed={config.seed}{extra}"
    record(pack, recipe.card, report, command=command, seed=config.seed)


def _images(pack: Path) -> TrainingImages | None:
    """The pack's training images, or None while its data is still to be made."""
    if not (pack / "data").is_dir():
        return None
    from frostbench.packs.mini.scenes.training_images import MiniImages

    return MiniImages(pack / "data")


def _pairs(images: TrainingImages) -> Pairs:
    from frostbench.eval_suites.restoration.training_pairs import TrainingPairs

    return TrainingPairs(images)


def _grounded(pack: Path) -> GroundedScenes:
    from frostbench.packs.mini.scenes.training_scenes import TrainingScenes

    return TrainingScenes(pack / "data")
