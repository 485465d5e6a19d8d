"""`frostbench train`: make the parts of a pack that are missing, or a part on a user's own data."""

import os
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from frostbench.bench.cli.config import UsageError, own_settings, read_config, split_words
from frostbench.bench.cli.plugins import open_host, say_left_out
from frostbench.bench.cli.presets import preset_file
from frostbench.bench.cli.train_config import TrainConfig
from frostbench.bench.cli.train_new import begin_pack, text_of
from frostbench.bench.printable import say
from frostbench.bench.training.parts import dotted, order, train_part, unordered
from frostbench.plugins.contract.recipe import MakeTrainingData, Recipe, Workshop
from frostbench.plugins.host.registry import Host, Registered


def train_command(words: list[str]) -> int:
    """Run the recipes of the named parts, or of all that are missing, in the order of needs."""
    plain, overrides = split_words(words, TrainConfig)
    config, host = _read(overrides)
    said = len(host.problems)
    for name, why in unordered(host.recipes).items():
        host.leave_out(host.recipes[name], why)
    say_left_out(host, said)
    for name in (*plain, *config.recipe):
        host.pick("recipe", str(name))
    if Path(config.scratch).exists() and not Path(config.scratch).is_dir():
        raise UsageError(f"scratch={config.scratch} is a file; name a folder.")
    if config.threads:
        import torch

        torch.set_num_threads(config.threads)
    chosen = [recipe for recipe in order(host.recipes) if not plain or recipe.card.name in plain]
    _check_many(config, plain, chosen)
    _check_new(config, plain, host)
    if config.dry:
        _count(config, chosen, host)
        return 0
    pack = _folder(config.pack, host)
    if config.like:
        begin_pack(pack, _folder(config.like, host), config.manifest)
    if config.rehearse:
        _rehearse(config, chosen, pack, host)
        return 0
    if config.data:
        from frostbench.bench.cli.train_data import train_on_own

        (recipe,) = chosen
        _check_folders(recipe, pack)
        train_on_own(recipe, _workshop(recipe.name, config, pack, host), config, host)
        return 0
    for recipe in chosen:
        if recipe.card.is_done(pack) and not (config.again and plain):
            say(f"{recipe.card.name}: already in {pack} (again=true trains it once more)")
            continue
        _check_needs(recipe, pack, host)
        train_part(recipe, _workshop(recipe.name, config, pack, host), _words(config))
    return 1 if host.problems and not plain else 0


def _read(overrides: list[str]) -> tuple[TrainConfig, Host]:
    """The configuration, over that of a preset if it names one, and the plugins."""
    config = read_config(TrainConfig, overrides)
    host = open_host(config)
    if config.preset:
        file = preset_file(config.preset, host, "train")
        config = read_config(TrainConfig, [f"config={file}", *overrides])
    return config, host


def _count(config: TrainConfig, chosen: list[Registered[Recipe]], host: Host) -> None:
    """Print what the trainings would take."""
    if config.preset:
        with TemporaryDirectory() as folder:
            _rehearse(config, chosen, Path(folder), host)
        return
    from frostbench.bench.cli.train_plan import say_plan

    for recipe in chosen:
        say_plan(recipe, _workshop(recipe.name, config, Path(config.pack), host), config)


def _rehearse(
    config: TrainConfig, chosen: list[Registered[Recipe]], pack: Path, host: Host
) -> None:
    """Rehearse the trainings, into a pack."""
    from frostbench.bench.cli.train_plan import peak_of
    from frostbench.bench.cli.train_rehearsal import rehearse

    for recipe in chosen:
        _check_needs(recipe, pack, host, {one.name for one in chosen})
    peak = peak_of(config.device, config.peak)
    rehearse(chosen, lambda name: _workshop(name, config, pack, host), _words(config), peak)


def _words(config: TrainConfig) -> dict[str, object]:
    """What the card says of a command besides the recipe's own settings."""
    return {"text": config.text} if config.text else {}


def _check_new(config: TrainConfig, plain: list[str], host: Host) -> None:
    """Check that a new pack has a folder, and that no part is left out where all are counted.

    Raises:
        UsageError: it has none, or some are left out.
    """
    if config.like and config.pack in host.packs and not config.dry:
        asked = f"preset={config.preset}" if config.preset else f"like={config.like}"
        raise UsageError(f"{asked} makes a new pack; name its folder with pack=FOLDER.")
    if config.rehearse and config.data:
        raise UsageError("a rehearsal makes a pack's parts on its own data; leave data.NAME out.")
    if plain and config.preset and config.dry:
        raise UsageError(
            "all parts of a preset are counted together, since one needs others; name none, or "
            "rehearse=true with a pack=FOLDER that has what they need."
        )


def _check_many(config: TrainConfig, plain: list[str], chosen: list[Registered[Recipe]]) -> None:
    """Check that the chosen recipes can be trained as requested.

    Raises:
        UsageError: it cannot.
    """
    planned = [recipe.name for recipe in chosen if recipe.card.plan is not None]
    together = [recipe.name for recipe in chosen if recipe.card.together]
    counted = config.published or (config.dry and not config.preset)
    if counted and (not plain or len(planned) < len(chosen)):
        raise UsageError(
            "dry=true and published=true are for recipes with published sizes; name some of "
            f"{', '.join(planned) or 'those that frostbench list shows'}."
        )
    if config.data and (len(plain) != 1 or not together):
        raise UsageError(
            "own data train one recipe, which is named: frostbench train vqgan "
            "data.images=FOLDER. Those that take them are v2l, vqgan, spae, lm4lv, flmm and what "
            "plugins add."
        )
    if config.validation and not config.data:
        raise UsageError("validation.NAME= stands beside data.NAME=, which names what to train on.")
    if config.out != TrainConfig.out and not config.data:
        raise UsageError(
            "out= stands beside data.NAME=, which names what to train on; without it a part goes "
            "into the pack, and pack=FOLDER names another."
        )
    if _processes() > 1 and len(chosen) > 1:
        raise UsageError("several processes train one recipe, which is named; name one.")
    if _processes() > 1 and not together:
        other = next(recipe.name for recipe in chosen if not recipe.card.together)
        raise UsageError(f"recipe {other!r} is trained by one process; start it without torchrun.")


def _check_folders(recipe: Registered[Recipe], pack: Path) -> None:
    """Check that a pack has a folder for everything that a recipe needs besides data.

    Raises:
        UsageError: it has not.
    """
    needs = [need for need in recipe.card.needs if need != "data"]
    absent = [need for need in needs if not (pack / need).is_dir()]
    if absent:
        raise UsageError(
            f"recipe {recipe.name!r} needs {', '.join(absent)}, which {pack} lacks: put a folder, "
            "or a link to one, of that name there."
        )


def _check_needs(
    recipe: Registered[Recipe], pack: Path, host: Host, coming: Collection[str] = ()
) -> None:
    """Check that a pack has what a recipe needs, or that it is `coming`.

    Raises:
        UsageError: it has not.
    """
    needs = [need for need in recipe.card.needs if need not in coming]
    absent = [need for need in needs if not host.recipes[need].card.is_done(pack)]
    if absent:
        raise UsageError(
            f"recipe {recipe.card.name!r} needs {', '.join(absent)}, which {pack} lacks; "
            f"train that first (frostbench train {' '.join(absent)}), or put a folder, or a link "
            "to one, of that name there."
        )


def _folder(pack: str, host: Host) -> Path:
    """The folder of a pack that a plugin offers, or any other folder, which may be empty."""
    offered = host.packs.get(pack)
    if offered is not None and offered.card.parts:
        raise UsageError(f"the pack {pack!r} is made of published files; name another folder.")
    folder = Path(pack) if offered is None else Path(offered.card.folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"pack={pack} is a file; name the folder of a pack.")
    return folder


def _processes() -> int:
    """How many processes a launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _workshop(name: str, config: TrainConfig, pack: Path, host: Host) -> Workshop:
    device = config.device
    if device == "cuda" and _processes() > 1:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"  # each its own
    made = Workshop(
        pack=pack,
        scratch=Path(config.scratch),
        device=device,
        seed=config.seed,
        settings=dict(dotted(own_settings(config.recipe, name, "recipe"))),
        published=config.published,
        accumulate=config.accumulate,
        workers=config.workers,
        log_every=config.log_every,
        save_every=config.save_every,
    )
    offered: dict[str, MakeTrainingData] = {
        key: partial(_made, offer) for key, offer in host.training_data.items()
    }
    if config.text:
        offered["text"] = text_of(config.text)
    return replace(made, offered=offered)


def _made(offer: Registered[str], workshop: Workshop) -> object:
    return offer.load()(workshop)
