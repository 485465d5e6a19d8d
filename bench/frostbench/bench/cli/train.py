"""`frostbench train`: make the parts of a pack that are missing."""

from functools import partial
from pathlib import Path

from frostbench.bench.cli.config import (
    TrainConfig,
    UsageError,
    own_settings,
    read_config,
    split_words,
)
from frostbench.bench.cli.plugins import open_host, say_left_out
from frostbench.bench.printable import say
from frostbench.bench.training.parts import dotted, order, train_part, unordered
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.registry import Host, Registered


def train_command(words: list[str]) -> int:
    """Run the recipes of the named parts, or of all that are missing, in the order of needs."""
    plain, overrides = split_words(words)
    config = read_config(TrainConfig, overrides)
    host = open_host(config)
    said = len(host.problems)
    for name, why in unordered(host.recipes).items():
        host.leave_out(host.recipes[name], why)
    say_left_out(host, said)
    for name in (*plain, *config.recipe):
        host.pick("recipe", str(name))
    pack = _folder(config.pack, host)
    if Path(config.scratch).exists() and not Path(config.scratch).is_dir():
        raise UsageError(f"scratch={config.scratch} is a file; name a folder.")
    if config.threads:
        import torch

        torch.set_num_threads(config.threads)
    for recipe in order(host.recipes):
        if plain and recipe.card.name not in plain:
            continue
        if recipe.card.is_done(pack) and not (config.again and plain):
            say(f"{recipe.card.name}: already in {pack} (again=true trains it once more)")
            continue
        absent = [need for need in recipe.card.needs if not host.recipes[need].card.is_done(pack)]
        if absent:
            raise UsageError(
                f"recipe {recipe.card.name!r} needs {', '.join(absent)}, which {pack} lacks; "
                f"train that first (frostbench train {' '.join(absent)})."
            )
        train_part(recipe, _workshop(recipe.name, config, pack, host))
    return 1 if host.problems and not plain else 0


def _folder(pack: str, host: Host) -> Path:
    """The folder of a pack that a plugin offers, or any other, which may hold nothing yet."""
    offered = host.packs.get(pack)
    if offered is not None and offered.card.parts:
        raise UsageError(f"the pack {pack!r} is made of published files; name another folder.")
    folder = Path(pack) if offered is None else Path(offered.card.folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"pack={pack} is a file; name the folder of a pack.")
    return folder


def _workshop(name: str, config: TrainConfig, pack: Path, host: Host) -> Workshop:
    return Workshop(
        pack=pack,
        scratch=Path(config.scratch),
        device=config.device,
        seed=config.seed,
        settings=dict(dotted(own_settings(config.recipe, name, "recipe"))),
        offered={key: partial(_made, offer) for key, offer in host.training_data.items()},
    )


def _made(offer: Registered[str], workshop: Workshop) -> object:
    return offer.load()(workshop)
