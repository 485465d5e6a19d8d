"""The configuration of a run: structured, overridable by key, read once."""

import dataclasses
import os
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from frostbench.bench.store.leases import EXPIRY
from frostbench.plugins.host.errors import missing
from frostbench.plugins.host.limits import TOY_LIMITS, Limits

Settings = TypeVar("Settings")


class UsageError(Exception):
    """What a user asked for cannot be done; the message is one sentence that says what can."""


@dataclass(frozen=True)
class RunConfig:
    """Every key of `frostbench run`. Lists may be written `a,b` or `[a,b]`.

    `limit` bounds the samples of each task and protocol; without it the suites' own `limits`
    hold. `llm` puts another frozen language model in the place of the pack's: one that the pack
    names beside it, a folder inside the pack, a local folder, or a hub id in the local cache.
    `method.NAME.KEY` and `task.NAME.KEY` set a method's or a task's own settings, and
    `method.NAME.weights` names the folder of a method's weights, in the place of the pack's.
    `data.NAME=READER:FOLDER` names a data set, which takes the place of the pack's in every task
    that can use it; `data.NAME.folder` stands beside a reader's settings. `preset` names a file of
    keys, over which those of the command line count. `workers` are the processes that share the
    run's chunks: a number, or as many as there are `devices`, or cores, and work for them (`auto`).
    """

    preset: str = ""
    departures: list[str] = field(default_factory=list)  # from the preset; found, not given
    pack: str = "mini"
    llm: str | None = None
    suites: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    limit: int | None = None
    limits: dict[str, int] = field(
        default_factory=lambda: {
            "understanding": 40,
            "captioning": 50,
            # Eight methods are 28 pairs, of which fewer than 11 clusters tell none apart.
            "restoration": 16,
            "grounding": 16,
            # Ten classes have twelve things each; below ten, an average precision has no interval.
            "detection": 64,
        }
    )
    out: str = "runs/latest"
    seed: int = 0
    device: str = "cpu"
    devices: list[str] = field(default_factory=list)  # one worker each, in the place of `device`
    workers: str = "auto"
    lease: float = EXPIRY  # seconds without a sign of life after which others do a worker's chunk
    memory: str = ""  # the most of each device, or of the host that all workers may hold: 40GiB
    dtype: str | None = None  # of the language model; the pack's own without it
    controls: bool = True
    plugins: list[str] = field(default_factory=list)
    plugins_disabled: list[str] = field(default_factory=list)  # written plugins.disabled
    cache: str = ""  # folder of kept visual tokens; the user's cache folder without it
    chunk: int = 32  # requests driven together; a resumed run repeats whole chunks
    gallery: int = 8  # samples of each task whose images and words are kept
    retry_failed: bool = False  # try samples again that failed before
    again: bool = False  # begin anew in the run's folder, whatever it holds of an earlier run
    quiet: bool = False
    engine: dict[str, Any] = field(default_factory=lambda: {"name": "frozen"})
    method: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    metric_weights: dict[str, str] = field(default_factory=dict)  # alex, vgg, inception-v3-pt
    most_waves: int = Limits.most_waves  # that a method may yield for one request
    most_seconds: float = Limits.most_seconds  # that one request may take
    error_length: int = Limits.error_length  # characters of an error that are kept
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkConfig:
    """Keys of `frostbench work RUN`."""

    worker: str = ""  # its name; that of the machine and the process without it
    device: str = ""  # the run's own without it
    threads: int = 0  # on a CPU; 0 leaves torch's default
    cache: str = ""  # folder of kept visual tokens, as for a run
    lease: float = EXPIRY
    memory: str = ""  # the most that it may hold
    led: bool = False  # started by `frostbench run`, and ends with it
    plugins: list[str] = field(default_factory=list)
    plugins_disabled: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LeaderboardConfig:
    """Keys of `frostbench leaderboard RUN...`."""

    out: str = "leaderboard"
    title: str = "frostbench leaderboard"


@dataclass(frozen=True)
class LookConfig:
    """Keys of `frostbench look IMAGE`; `method=NAME` is short for `methods=[NAME]`."""

    methods: list[str] = field(default_factory=lambda: ["v2l"])
    pack: str = "mini"
    llm: str | None = None  # another language model, as for a run
    out: str | None = "look.html"  # out= writes no page
    words: int = 5  # nearest to each token, on the page
    device: str = "cpu"
    plugins: list[str] = field(default_factory=list)
    plugins_disabled: list[str] = field(default_factory=list)
    method: dict[str, Any] = field(default_factory=dict)  # method.NAME.KEY=VALUE


@dataclass(frozen=True)
class VerifyConfig:
    """Keys of `frostbench verify RUN`."""

    samples: int = 20  # samples computed again
    seed: int = 0
    plugins: list[str] = field(default_factory=list)
    plugins_disabled: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TrainConfig:
    """Keys of `frostbench train [PART...]`."""

    pack: str = "mini"  # a pack by name, or the folder of one in the making
    scratch: str = "scratch"
    device: str = "cpu"
    seed: int = 0
    threads: int = 0  # of this process; 0 leaves torch's default
    again: bool = False  # train parts that are already there
    plugins: list[str] = field(default_factory=list)
    plugins_disabled: list[str] = field(default_factory=list)
    recipe: dict[str, Any] = field(default_factory=dict)  # recipe.NAME.KEY=VALUE


@dataclass(frozen=True)
class PluginConfig:
    """Keys of commands that only look plugins up."""

    plugins: list[str] = field(default_factory=list)
    plugins_disabled: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CheckConfig(PluginConfig):
    """Keys of `frostbench check METHOD`; a toy needs less than a run allows."""

    most_waves: int = TOY_LIMITS.most_waves
    most_seconds: float = TOY_LIMITS.most_seconds  # of one request, and of one check
    error_length: int = TOY_LIMITS.error_length


@dataclass(frozen=True)
class NewPluginConfig:
    """Keys of `frostbench new-plugin NAME`."""

    kind: str = "method"
    out: str = "."


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate plain words from `key=value` words."""
    plain = [word for word in words if "=" not in word]
    return plain, [word for word in words if "=" in word]


def read_config(schema: type[Settings], overrides: Sequence[str]) -> Settings:
    """The settings object after a `config=FILE` and `key=value` words, checked.

    Raises:
        UsageError: a key, value or file is wrong; the message says what there is.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

    overrides = [_undotted(word) for word in overrides]
    files = [word.partition("=")[2] for word in overrides if word.startswith("config=")]
    words = [_as_list(schema, word) for word in overrides if not word.startswith("config=")]
    try:
        config = OmegaConf.structured(schema)
        for file in files:
            if not Path(file).is_file():
                raise UsageError(f"config={file}: there is no such file.")
            config = OmegaConf.merge(config, _unfolded(OmegaConf.load(file)))
        config = OmegaConf.merge(config, OmegaConf.from_dotlist(words))
        return _with_a_seed(typing.cast(Settings, OmegaConf.to_object(config)))
    except ConfigKeyError as error:
        asked = str(error.full_key or error)
        raise UsageError(missing("key", asked, [*keys_of(schema), "config"])) from error
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise UsageError(f"{error.full_key or 'configuration'}: {first}.") from error
    except Exception as error:  # YAML's own errors have no common base here
        if isinstance(error, UsageError):
            raise
        lines = " ".join(str(error).split())
        raise UsageError(f"cannot read the configuration: {lines}.") from error


def _with_a_seed(config: Settings) -> Settings:
    """The configuration, of which the seed is one for every generator of random numbers."""
    seed = getattr(config, "seed", 0)
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"seed={seed}: a seed is a whole number from 0 to {(1 << 63) - 1}.")
    return config


def limits_of(config: RunConfig | CheckConfig) -> Limits:
    """What a request may take.

    Raises:
        UsageError: a limit leaves no room at all.
    """
    try:
        return Limits(config.most_waves, config.most_seconds, config.error_length)
    except ValueError as error:
        raise UsageError(str(error)) from error


def bytes_of(key: str, said: str) -> int:
    """The bytes that are written "40GiB", "500MB" or "1073741824".

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
    """Where the user's machine keeps what can be made again, by what it is."""
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


def _undotted(word: str) -> str:
    """`plugins.disabled=NAME` under the name of its field; `plugins` by itself is a list."""
    key, equals, value = word.partition("=")
    fields = {"plugins.disabled": "plugins_disabled", "plugins.files": "plugins"}
    return f"{fields.get(key, key)}{equals}{value}"


def _unfolded(tree: Any) -> Any:
    """What a file says, with `plugins: {files: [...], disabled: [...]}` as the two lists."""
    plugins = tree.get("plugins") if isinstance(tree, Mapping) else None
    if not isinstance(plugins, Mapping):
        return tree
    both = {_undotted(f"plugins.{key}"): value for key, value in plugins.items()}
    return {**{key: value for key, value in tree.items() if key != "plugins"}, **both}


def _as_list(schema: type, word: str) -> str:
    """Write `methods=v2l,vqgan` as `methods=[v2l,vqgan]` where the key is a list."""
    key, _, value = word.partition("=")
    lists = {item.name for item in dataclasses.fields(schema) if str(item.type).startswith("list[")}
    if key in lists and not value.startswith("["):
        return f"{key}=[{value}]"
    return word
