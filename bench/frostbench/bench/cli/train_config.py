"""The configuration of `frostbench train`."""

from dataclasses import dataclass, field
from typing import Any

from frostbench.bench.cli.meaning import PATH


@dataclass(frozen=True)
class TrainConfig:
    """Keys of `frostbench train [PART...]`.

    With `data.NAME=READER:FOLDER`, as for a run, one recipe is trained on a user's own data into
    the run folder `out`, and reads what it needs in the pack; `validation.NAME=` names other data
    to measure on. With `published`, sizes and schedule default to the published ones. With `dry`
    nothing is trained, and the training's cost is counted, for a device of `peak` teraflops.

    `like` names a pack after which `pack`, a new folder, is made: with its `pack.json`, over which
    the keys of `manifest` count. `text` names files and folders whose text language models are
    trained on. A `preset` is a file of these keys, which those of the command line override.
    `rehearse` computes three steps of each training, and counts what the whole would take; with a
    preset, `dry` does so in a folder that is removed again.
    """

    preset: str = field(default="", metadata=PATH)  # by name, or a file
    like: str = field(default="", metadata=PATH)  # by name, or the folder of a pack
    manifest: dict[str, Any] = field(default_factory=dict)  # keys of the new pack's pack.json
    text: list[str] = field(default_factory=list, metadata=PATH)  # the recipes' own without it

    pack: str = field(default="mini", metadata=PATH)  # by name, or the folder of an unfinished pack
    scratch: str = field(default="scratch", metadata=PATH)  # checkpoints and caches
    data: dict[str, Any] = field(default_factory=dict)  # data.NAME=READER:FOLDER
    validation: dict[str, Any] = field(default_factory=dict)  # validation.NAME=READER:FOLDER
    crop: int = 0  # random squares of this side, from images of any size
    out: str = field(default="runs/training", metadata=PATH)  # for own data
    published: bool = False
    dry: bool = False
    rehearse: bool = False
    peak: float = 0.0  # 0: that of this device, measured
    accumulate: int = 1  # shares of a batch that a process computes one after another
    workers: int = 0  # processes that read images ahead, for each that trains
    log_every: int = 0  # steps; 0 leaves it to the recipe
    save_every: int = 0  # steps between two checkpoints; 0 leaves it to the recipe
    device: str = "cpu"  # cpu, cuda, cuda:1, mps
    seed: int = 0  # of all random draws
    threads: int = 0  # of this process; 0 leaves torch's default
    again: bool = False  # train parts that are already there
    plugins: list[str] = field(default_factory=list, metadata=PATH)  # single-file plugins
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled
    recipe: dict[str, Any] = field(default_factory=dict)  # recipe.NAME.KEY=VALUE
