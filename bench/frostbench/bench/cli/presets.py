"""Presets: files of keys by name, each for one command."""

from frostbench.bench.cli.config import UsageError
from frostbench.plugins.contract.cards import PresetCard, PresetCommand
from frostbench.plugins.host.registry import Host


def preset_file(name: str, host: Host, command: PresetCommand) -> str:
    """The file of a preset of a command, by its name or its path.

    Raises:
        LookupError: there is no such preset.
        UsageError: it is one of another command.
    """
    if name.endswith((".yaml", ".yml")):
        return name
    card: PresetCard = host.pick("preset", name).card
    if card.command != command:
        raise UsageError(
            f"the preset {name!r} is for frostbench {card.command}, not for frostbench {command}."
        )
    return card.file
