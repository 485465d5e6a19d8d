"""The keys of the commands: read from words, files and Python values, and checked once."""

import dataclasses
import os
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from frostbench.bench.cli.meaning import PATH, file_tree, undotted, values_tree, words_tree
from frostbench.bench.store.leases import EXPIRY
from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.limits import TOY_LIMITS, Limits

Settings = TypeVar("Settings")

LEAST = {
    "seed": 0,
    "limit": 1,
    "chunk": 1,
    "gallery": 0,
    "threads": 0,
    "words": 1,
    "samples": 1,
    "lease": 0.001,
    "every": 0.01,
    "limits": 1,
    "accumulate": 1,
    "workers": 0,
    "log_every": 0,
    "save_every": 0,
    "peak": 0,
    "crop": 0,
}
"""The least value of a key, in every command."""

MOST = (1 << 63) - 1  # largest value of any number; random generators take no larger seed

LIMITS = {
    # The mini pack's SPAE is 15 points above chance in 5-way 1-shot, its V2L 7 points above another
    # image's words in questions: so many samples tell the one and the other.
    "understanding": 200,
    "visual_question_answering": 600,
    # Eight methods are 28 pairs, and fewer than 11 clusters tell none of them apart.
    "restoration": 16,
    "grounding": 16,
    # Ten classes have twelve things each; below ten, an average precision has no interval.
    "detection": 64,
}
"""The default numbers of samples, by task or by suite."""


class UsageError(Exception):
    """What a user asked for cannot be done; the message is one sentence that says what can."""


@dataclass(frozen=True)
class RunConfig:
    """Every key of `frostbench run`. Lists may be written `a,b` or `[a,b]`.

    `limit` bounds the samples of each task and protocol; `limits.NAME` does so for a suite or a
    task, and takes precedence; the defaults are `LIMITS`. `llm` replaces the pack's frozen language
    model: by an alternative that the pack names, a folder inside the pack, a local folder, or a hub
    id in the local cache. `method.NAME.KEY`, `task.NAME.KEY` and `backbone.ROLE.KEY` set the own
    settings of each, and `method.NAME.weights` names the folder of a method's weights, instead of
    the pack's. `data.NAME=READER:FOLDER` names data, which replace the pack's in every task that
    can use them; with settings of the reader, write `data.NAME.folder`. `preset` names a file of
    keys, which keys of the command line override. `workers` are the processes that share the run's
    chunks: a number, or as many as there are `devices`, or cores, and work for them (`auto`). With
        `isolate` each method's code runs in a process of its own; no result changes.
    """

    preset: str = field(default="", metadata=PATH)
    departures: list[str] = field(default_factory=list)  # from the preset, not typed by the user
    pack: str = field(default="mini", metadata=PATH)  # by name, or a folder with a pack.json
    llm: str | None = field(default=None, metadata=PATH)
    suites: list[str] = field(default_factory=list)  # all without it
    methods: list[str] = field(default_factory=list)  # all without it
    tasks: list[str] = field(default_factory=list)  # all of the suites without it
    limit: int | None = None
    limits: dict[str, int] = field(default_factory=dict)  # of suites or tasks; overrides `limit`
    out: str = field(default="runs/latest", metadata=PATH)  # the folder of the run
    seed: int = 0  # of all random draws
    device: str = "cpu"  # cpu, cuda, cuda:1, mps
    devices: list[str] = field(default_factory=list)  # one worker each, instead of `device`
    workers: str = "auto"
    launcher: str = "auto"  # of workers: local, ray; or of this process: torchrun, slurm
    address: str = ""  # of a Ray cluster; without it, the one that Ray finds or starts
    lease: float = EXPIRY  # seconds without a sign of life after which others do a worker's chunk
    memory: str = ""  # limit for each device, or for all workers on the host: 40GiB
    isolate: bool = False  # each method in a process of its own, without targets
    dtype: str | None = None  # of the language model; the pack's own without it
    controls: bool = True  # whether their rows are run
    plugins: list[str] = field(default_factory=list, metadata=PATH)  # single-file plugins
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled
    cache: str = field(default="", metadata=PATH)  # of visual tokens; without it the user's folder
    chunk: int = 32  # requests driven together; a resumed run repeats whole chunks
    gallery: int = 8  # samples of each task whose images and words are kept
    retry_failed: bool = False  # try samples again that failed before
    trackers: list[str] = field(default_factory=list)  # trackio, wandb, mlflow; none without it
    tracker: dict[str, Any] = field(default_factory=dict)  # tracker.NAME.KEY
    again: bool = False  # start over in the run's folder, whatever it holds of an earlier run
    quiet: bool = False  # no progress bar
    engine: dict[str, Any] = field(default_factory=lambda: {"name": "frozen"})  # and its settings
    method: dict[str, Any] = field(default_factory=dict)  # method.NAME.KEY, method.NAME.weights
    task: dict[str, Any] = field(default_factory=dict)  # task.NAME.KEY
    backbone: dict[str, Any] = field(default_factory=dict)  # by role: backbone.llm.device_map=auto
    # Files by network: alex, vgg, inception-v3-pt.
    metric_weights: dict[str, str] = field(default_factory=dict, metadata=PATH)
    most_waves: int = Limits.most_waves  # that a method may yield for one request
    most_seconds: float = Limits.most_seconds  # that one request may take
    error_length: int = Limits.error_length  # characters of an error that are kept
    data: dict[str, Any] = field(default_factory=dict)  # data.NAME=READER:FOLDER


@dataclass(frozen=True)
class WorkConfig:
    """Keys of `frostbench work RUN`."""

    worker: str = ""  # its name; that of the machine and the process without it
    device: str = ""  # the run's own without it
    threads: int = 0  # on a CPU; 0 leaves torch's default
    cache: str = field(default="", metadata=PATH)  # folder of kept visual tokens, as for a run
    lease: float = EXPIRY  # seconds, as for a run
    memory: str = ""  # the most that it may hold
    led: bool = False  # started by `frostbench run`, and ends with it
    plugins: list[str] = field(default_factory=list, metadata=PATH)  # single-file plugins
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled


@dataclass(frozen=True)
class LeaderboardConfig:
    """Keys of `frostbench leaderboard RUN...`."""

    out: str = field(default="leaderboard", metadata=PATH)  # the folder of the pages
    title: str = "frostbench leaderboard"  # over every page


@dataclass(frozen=True)
class LookConfig:
    """Keys of `frostbench look IMAGE`; `method=NAME` is short for `methods=[NAME]`."""

    methods: list[str] = field(default_factory=lambda: ["v2l"])  # whose words are shown
    pack: str = field(default="mini", metadata=PATH)  # by name, or a folder
    llm: str | None = field(default=None, metadata=PATH)  # another language model, as for a run
    out: str | None = field(default="look.html", metadata=PATH)  # out= writes no page
    words: int = 5  # nearest to each token, on the page
    device: str = "cpu"  # cpu, cuda, cuda:1, mps
    plugins: list[str] = field(default_factory=list, metadata=PATH)  # single-file plugins
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled
    method: dict[str, Any] = field(default_factory=dict)  # method.NAME.KEY=VALUE


@dataclass(frozen=True)
class PluginConfig:
    """Keys of commands that only look plugins up."""

    plugins: list[str] = field(default_factory=list, metadata=PATH)  # single-file plugins
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled


@dataclass(frozen=True)
class ScoreConfig(PluginConfig):
    """Keys of `frostbench score RUN`: where things of the run are now."""

    pack: str = field(default="", metadata=PATH)  # its folder
    metric_weights: dict[str, str] = field(default_factory=dict, metadata=PATH)  # files by network


@dataclass(frozen=True)
class VerifyConfig(ScoreConfig):
    """Keys of `frostbench verify RUN`."""

    samples: int = 20  # samples computed again
    seed: int = 0  # for the choice of these samples
    data: dict[str, Any] = field(default_factory=dict)  # data.NAME=READER:FOLDER


@dataclass(frozen=True)
class CheckConfig(PluginConfig):
    """Keys of `frostbench check METHOD`; the limits are lower than those of a run."""

    most_waves: int = TOY_LIMITS.most_waves  # that a method may yield for one request
    most_seconds: float = TOY_LIMITS.most_seconds  # of one request, and of one check
    error_length: int = TOY_LIMITS.error_length  # characters of an error that are kept


@dataclass(frozen=True)
class NewPluginConfig:
    """Keys of `frostbench new-plugin NAME`."""

    kind: str = "method"  # of plugin, such as method or metric
    out: str = field(default=".", metadata=PATH)  # the folder in which it is made


def split_words(words: Sequence[str], schema: type | None = None) -> tuple[list[str], list[str]]:
    """Separate plain words from `key=value` words.

    A word with a slash before the first `=` is a path, and so is one that is no key of the `schema`
    if this file exists.
    """
    keys = {*(keys_of(schema) if schema else ()), "config"}

    def is_plain(word: str) -> bool:
        key, equals, _ = word.partition("=")
        if not equals or "/" in key or os.sep in key:
            return True
        return schema is not None and key.partition(".")[0] not in keys and os.path.exists(word)

    return (
        [word for word in words if is_plain(word)],
        [word for word in words if not is_plain(word)],
    )


def read_config(schema: type[Settings], overrides: Sequence[str], given: Any = None) -> Settings:
    """The settings object after a `config=FILE`, `key=value` words and values, all checked.

    Raises:
        UsageError: a key, value or file is wrong; the message says what there is.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

    pairs = [(undotted(key), value) for key, _, value in (w.partition("=") for w in overrides)]
    files = [value for key, value in pairs if key == "config"]
    where = "".join(f"config={file}, " for file in files)
    words = [f"{key}={value}" for key, value in pairs if key != "config"]
    try:
        typed = words_tree(schema, words), values_tree(schema, given or {})
        layers = [*(_of_file(schema, file) for file in files), *typed]
        for place, layer in enumerate(layers):
            if any(later.get("limit") is not None for later in layers[place + 1 :]):
                layer.pop("limits", None)  # `limit` overrides the file's limits too
        config = OmegaConf.merge(OmegaConf.structured(schema), *layers)
        return _within_bounds(typing.cast(Settings, OmegaConf.to_object(config)))
    except ConfigKeyError as error:
        asked = str(error.full_key or error)
        raise UsageError(missing("key", asked, [*keys_of(schema), "config"])) from error
    except OmegaConfBaseException as error:
        # Words are taken as they are typed: only files have references to fill in.
        key = where + (error.full_key or "a value")
        raise UsageError(f"{key}: the ${{...}} there names no key that has a value.") from error
    except ValueError as error:
        raise UsageError(str(error)) from error


def _of_file(schema: type, name: str) -> dict[str, Any]:
    """The keys in a file.

    Raises:
        UsageError: there is none, or it is none.
    """
    file = Path(os.path.expanduser(name))
    if not file.is_file():
        raise UsageError(f"config={name}: there is no such file.")
    try:
        tree = file_tree(schema, file)
        unknown = [key for key in tree if key not in keys_of(schema)]
        if unknown:
            raise ValueError(missing("key", unknown[0], keys_of(schema)))
        _check_bounds(tree)
    except (ValueError, UsageError) as error:
        raise UsageError(f"config={name}: {error}") from error
    return tree


def _within_bounds(config: Settings) -> Settings:
    """The configuration, with numbers and paths checked to be plausible."""
    _check_bounds(vars(config))
    for one in dataclasses.fields(config):  # type: ignore[arg-type]
        if one.metadata == PATH and one.type is str and one.default and not vars(config)[one.name]:
            raise UsageError(f"{one.name}=: a path is wanted, such as {one.default}.")
    return config


def _check_bounds(values: Mapping[str, Any]) -> None:
    """Check that numbers are plausible; texts are filled in later.

    Raises:
        UsageError: one is not.
    """
    for key, least in LEAST.items():
        value = values.get(key)
        for name, number in value.items() if isinstance(value, Mapping) else [(None, value)]:
            said = f"{key}={number}" if name is None else f"{key}.{name}={number}"
            if isinstance(number, int | float) and not number >= least:
                raise UsageError(f"{said}: at least {least} is needed.")
            if isinstance(number, int | float) and number > MOST:
                raise UsageError(f"{said}: at most {MOST} is possible.")


def limits_of(config: RunConfig | CheckConfig) -> Limits:
    """The limits of a request.

    Raises:
        UsageError: a limit leaves no room at all.
    """
    try:
        return Limits(config.most_waves, config.most_seconds, config.error_length)
    except ValueError as error:
        raise UsageError(str(error)) from error


def bytes_of(key: str, said: str) -> int:
    """The number of bytes in a text such as "40GiB", "500MB" or "1073741824".

    Raises:
        UsageError: it is no such number.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", said.strip())
    if found is None:
        raise UsageError(f"{key}={said}: write a number of bytes, or such as 500MB or 40GiB.")
    number, prefix, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix or " "))


def keys_of(schema: type) -> list[str]:
    """All keys, as they are written on the command line."""
    return [item.name for item in dataclasses.fields(schema)]


def cache_folder(name: str) -> Path:
    """The folder in the user's cache for one kind of data that can be made again."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "frostbench" / name
    except RuntimeError:
        raise UsageError(
            "there is no home folder to keep what can be made again; set HOME or XDG_CACHE_HOME."
        ) from None


def own_settings(tree: Mapping[str, Any], name: str, kind: str) -> Mapping[str, Any]:
    """The settings under `method.NAME` or `task.NAME`.

    Raises:
        UsageError: a plain value stands where settings should.
    """
    value = tree.get(name, {})
    if not isinstance(value, Mapping):
        raise UsageError(f"{kind}.{name}={value!r}: write {kind}.{name}.KEY=VALUE.")
    return value
