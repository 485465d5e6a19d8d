"""The entry point: finds the command, runs it, and turns errors into sentences."""

import importlib
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress

from frostbench.bench.cli.commands import COMMANDS, Command

_BYTES = re.compile("[\udc80-\udcff]")
"""Bytes of a word that are not UTF-8, as Python represents them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code.

    0: all was done; 1: it finished with failures or with parts left out; 2: it was refused; 130:
    the user interrupted it.
    """
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    except BrokenPipeError:
        if _nobody_reads():
            return 0
        raise


def _main(words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        print(_help())
        return 0 if words else 2
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"frostbench {version('frostbench')}")
        return 0
    name, *rest = words
    if name not in COMMANDS:
        from frostbench.plugins.host.errors import missing

        return _complain(missing("command", name, COMMANDS), 2)
    strange = next((word for word in rest if _BYTES.search(word)), None)
    if strange is not None:
        return _complain(_no_text(strange), 2)
    command = COMMANDS[name]
    if any(word in {"-h", "--help"} for word in rest):
        print(f"usage: frostbench {command.usage}\n\n{command.summary}")
        if command.details:
            print(f"\n{command.details}")
        return 0
    return _call(command, rest)


def script() -> int:
    """The console script: runs a command in a process whose death is noticed."""
    from frostbench.bench.cli.supervising import supervised

    words = sys.argv[1:]
    if not words or words[0] not in COMMANDS:
        return main(words)
    return supervised(lambda: main(words))


def _call(command: Command, words: list[str]) -> int:
    from frostbench.bench.cli.config import UsageError
    from frostbench.bench.cli.notes import notes_as_sentences
    from frostbench.bench.store.atomic import StoreError, StoreFullError
    from frostbench.plugins.host.containment import interruptible
    from frostbench.plugins.host.errors import PluginError, PluginFailedError, describe

    # Silence advice on faster kernels beside a progress bar.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    module, _, function = command.target.partition(":")
    try:
        with interruptible(), notes_as_sentences():
            run = getattr(importlib.import_module(f"frostbench.bench.cli.{module}"), function)
            status = int(run(words))
            sys.stdout.flush()
            return status
    except (UsageError, LookupError) as error:
        return _complain(str(error.args[0]) if error.args else repr(error), 2)
    except (PluginError, StoreError, ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 0
        begun = isinstance(error, PluginFailedError | StoreFullError)
        if os.environ.get("FROSTBENCH_TRACEBACK"):
            raise
        if isinstance(error, UnicodeEncodeError):
            return _complain(_no_text(str(error.object)), 2)
        if not isinstance(error, OSError):
            return _complain(str(error), 1 if begun else 2)
        return _complain(_of_the_system(error), 1 if error.filename is None else 2)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on from here.", 130)
    except (SystemExit, GeneratorExit) as error:  # a plugin must not end a command
        if isinstance(error.__context__, BrokenPipeError):
            return 0  # raised by rich when the output's reader has gone
        return _complain(f"a plugin ended the command: {describe(error)}.", 1)


def _no_text(word: str) -> str:
    """The sentence for a word that is not UTF-8, shown with its bytes."""
    shown = _BYTES.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", word)
    return f"the word '{shown}' is no text in UTF-8; give what it names another name."


def _of_the_system(error: OSError) -> str:
    """An error of the operating system, as a sentence that begins with the file."""
    if error.strerror is None:
        return str(error)
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror}."


def _nobody_reads() -> bool:
    """Whether the reader of the output has gone; then nothing more is written to it."""
    import select

    from frostbench.bench.printable import unread

    with suppress(BrokenPipeError):
        sys.stdout.flush()
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), select.POLLOUT)
        left = any(event & select.POLLERR for _, event in watched.poll(0))
    except (OSError, ValueError):  # no file descriptor of the system
        return False
    if left:
        unread(sys.stdout)
    return left


def _complain(sentence: str, status: int) -> int:
    from frostbench.bench.printable import LONGEST, brief, complain

    complain(f"frostbench: {brief(sentence, LONGEST)}")
    return status


def _help() -> str:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [f"  {command.usage:<{width}}  {command.summary}" for command in COMMANDS.values()]
    return "\n".join(
        [
            "frostbench: frozen-model vision methods on equal terms.",
            "",
            "usage: frostbench COMMAND ...",
            "",
            *lines,
            "",
            "frostbench COMMAND --help says more. FROSTBENCH_TRACEBACK=1 shows where errors arise.",
        ]
    )
