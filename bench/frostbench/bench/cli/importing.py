"""`frostbench import`: makes a run out of results of lmms-eval."""

from dataclasses import dataclass, field
from pathlib import Path

from frostbench.bench.cli.config import UsageError, read_config, split_words
from frostbench.bench.cli.meaning import PATH
from frostbench.bench.printable import say


@dataclass(frozen=True)
class ImportConfig:
    """Keys of `frostbench import RESULTS.json`."""

    out: str = field(default="", metadata=PATH)  # runs/imported/MODEL without it
    model: str = ""  # another name for the model
    version: str = ""  # of the lmms-eval that made it, where the file does not say it


def import_command(words: list[str]) -> int:
    """Read results and samples into a run's folder, which `frostbench leaderboard` shows."""
    plain, overrides = split_words(words, ImportConfig)
    config = read_config(ImportConfig, overrides)
    if len(plain) != 1:
        raise UsageError("import one file: frostbench import RESULTS.json.")

    from frostbench.bench.lmms.results.reading import imported
    from frostbench.bench.lmms.version import LmmsError
    from frostbench.bench.store.lock import RunLock
    from frostbench.bench.store.reader import read_manifest
    from frostbench.bench.store.writer import RunWriter, forget

    try:
        found = imported(Path(plain[0]), config.version, config.model)
    except LmmsError as error:
        raise UsageError(str(error)) from error
    (model,) = found.manifest.methods
    folder = Path(config.out or f"runs/imported/{model}")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "manifest.json").exists() or not read_manifest(folder).imported:
            raise UsageError(f"out={folder}: it holds something else; name another folder.")
        forget(folder)
    with RunLock(folder):
        writer = RunWriter(folder)
        writer.append(found.records)
        for task in found.manifest.tasks:
            names = [one.sample for one in found.records if one.task == task]
            writer.seal(task, None, names)
        writer.write_manifest(found.manifest)
    tasks = ", ".join(found.manifest.tasks)
    say(f"{folder}: {len(found.records)} samples of {model} on {tasks}, imported.")
    return 0
