"""`frostbench convert`: makes a folder of weights out of published files."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from frostbench.bench.cli.config import PluginConfig, UsageError, read_config, split_words
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import say
from frostbench.plugins.contract.converter import Conversion, Converted, Converter, Precision
from frostbench.plugins.host.litter import files_like
from frostbench.plugins.host.packs import sha256_of
from frostbench.plugins.host.registry import Host, Registered

CARD = "CARD.md"  # of a folder that was converted whole
ROUNDING = 1e-6  # share of the sum of all magnitudes, by which the order of summation may change it


@dataclass(frozen=True)
class ConvertConfig(PluginConfig):
    """Keys of `frostbench convert NAME FILE... out=FOLDER`, besides files and settings."""

    out: str = field(default="", metadata=PATH)  # the folder that is made
    precision: str = "full"  # full, half or byte


def convert_command(words: list[str]) -> int:
    """Convert files, or say which files a converter needs; a failure leaves no files."""
    plain, overrides = split_words(words, ConvertConfig)
    own = {field.name for field in fields(ConvertConfig)} | {"plugins.disabled"}
    config = read_config(ConvertConfig, [word for word in overrides if _key(word) in own])
    host = open_host(config)
    if not plain:
        _list(host)
        return 0
    item = host.pick("converter", plain[0])
    converter: Converter = item.card
    given = {_key(word): word.partition("=")[2] for word in overrides if _key(word) not in own}
    if len(plain) == 1 and not given:
        _say_wanted(converter)
        return 0
    files = _files(converter, plain[1:], given)
    settings = {key: value for key, value in given.items() if key not in files}
    out = _free(config.out, converter)
    convert_files(item, files, out, settings, _precision(config.precision))
    say(f"{out} holds {converter.name}; name it in a pack's pack.json.")
    return 0


def convert_files(
    item: Registered[Converter],
    files: Mapping[str, Path],
    out: Path,
    settings: Mapping[str, str] | None = None,
    precision: Precision = "full",
) -> None:
    """Convert files into a new folder, which replaces this one, and describe the result.

    Raises:
        ValueError: the converter refuses them, or numbers were lost; no files are left.
    """
    made = out.with_name(f"{out.name}.unfinished")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        conversion = Conversion(files, made, settings or {}, precision)
        converted: Converted = item.load()(conversion)
        parity = _parity(made, converted.tensors, precision)
        (made / CARD).write_text(_card(item.card, conversion, converted, parity))
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    for line in (*converted.left_out, *converted.notes, parity):
        say(line)


def _key(word: str) -> str:
    return word.partition("=")[0]


def _list(host: Host) -> None:
    for item in host.converters.values():
        say(f"{item.name}: {item.card.summary}")
        for file in item.card.files:
            say(f"  {file.name:<20}  {file.what}{'' if file.needed else ' (may be left out)'}")


def _say_wanted(converter: Converter) -> None:
    say(f"{converter.name}: {converter.summary}")
    for file in converter.files:
        say(f"  {file.name}=FILE  {file.what}{'' if file.needed else ' (may be left out)'}")
    if converter.settings:
        say(f"Settings: {converter.settings}")
    needed = " ".join(f"{file.name}=FILE" for file in converter.files if file.needed)
    say(f"  frostbench convert {converter.name} {needed} out=FOLDER")


def _files(
    converter: Converter, unnamed: Sequence[str], named: Mapping[str, str]
) -> dict[str, Path]:
    """The files by name.

    Raises:
        UsageError: there are too many, one is missing, or one is not there.
    """
    wanted = [file for file in converter.files if file.name not in named]
    if len(unnamed) > len(wanted):
        names = ", ".join(file.name for file in converter.files)
        raise UsageError(
            f"{converter.name} is converted from {len(converter.files)} files ({names}), and more "
            "are given."
        )
    given = {file.name: named[file.name] for file in converter.files if file.name in named}
    given |= {file.name: path for file, path in zip(wanted, unnamed, strict=False)}
    for file in converter.files:
        if file.needed and file.name not in given:
            raise UsageError(
                f"{converter.name} is converted from {file.name}=FILE too: {file.what}."
            )
    paths = {name: Path(path).expanduser() for name, path in given.items()}
    for name, path in paths.items():
        if not path.exists():
            raise UsageError(f"{name}={path}: there is no such file.")
    return paths


def _free(out: str, converter: Converter) -> Path:
    """The folder to make; it is new or empty."""
    if not out:
        raise UsageError(f"say where: frostbench convert {converter.name} FILE... out=FOLDER.")
    path = Path(out)
    if path.exists() and (not path.is_dir() or files_like(path, "*")):
        raise UsageError(f"out={out} is there already; name a folder that is new or empty.")
    return path


def _precision(asked: str) -> Precision:
    known: tuple[Precision, ...] = get_args(Precision)
    for one in known:
        if one == asked:
            return one
    raise UsageError(f"precision is one of {', '.join(known)}; not {asked!r}.")


def _parity(folder: Path, tensors: Mapping[str, Any], precision: Precision) -> str:
    """A line that compares what was written with what was read.

    Raises:
        ValueError: numbers were lost or, in full precision, changed.
    """
    from frostbench.plugins.backbones import precision as kept

    files = files_like(folder, "**/*.safetensors")
    written = [tensor for file in files for tensor in kept.read(file).values()]
    ours, theirs = _sums(written), _sums(list(tensors.values()))
    off = abs(ours[2] - theirs[2])
    if ours[1] != theirs[1] or (precision == "full" and off > ROUNDING * max(1.0, theirs[3])):
        raise ValueError(
            f"{theirs[1]:,} numbers of sum {theirs[2]:.9g} were read, and {ours[1]:,} of sum "
            f"{ours[2]:.9g} written: the conversion does not hold."
        )
    return (
        f"parity: {theirs[0]} tensors of {theirs[1]:,} numbers, sum {theirs[2]:.9g}; written "
        f"{ours[0]} of as many, sum {ours[2]:.9g}"
    )


def _sums(tensors: Sequence[Any]) -> tuple[int, int, float, float]:
    """The numbers of tensors and of values, their sum, and the sum of their magnitudes."""
    values = [tensor.double() for tensor in tensors]
    return (
        len(values),
        sum(tensor.numel() for tensor in values),
        sum(float(tensor.sum()) for tensor in values),
        sum(float(tensor.abs().sum()) for tensor in values),
    )


def _card(converter: Converter, conversion: Conversion, converted: Converted, parity: str) -> str:
    lines = [
        f"# {converter.name}, converted from published files",
        "",
        "| file | bytes | SHA-256 |",
        "|---|---:|---|",
    ]
    for path in conversion.files.values():
        if path.is_file():
            lines.append(f"| {path.name} | {path.stat().st_size} | {sha256_of(path)} |")
        else:
            lines.append(f"| {path.name}/ | | |")
    said = " ".join(f"{key}={value}" for key, value in conversion.settings.items())
    lines += ["", f"Settings: {said or 'none'}. Weights are stored in {conversion.precision} "]
    lines[-1] += "precision."
    for line in (*converted.left_out, *converted.notes, parity):
        lines += ["", line]
    return "\n".join(lines) + "\n"
