"""Pickles that hold plain values and nothing else: a pickle can otherwise run any code."""

import io
import pickle
from pathlib import Path
from typing import Any


class _Plain(pickle.Unpickler):
    """Containers, texts and numbers need no class by name; whatever does is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and plain values need nothing")


def read_plain_pickle(path: Path) -> Any:
    """The plain values of a pickle, written by Python 2 or 3; no code of it is run.

    Raises:
        ValueError: the file is no pickle, is cut short, or holds more than plain values.
    """
    try:
        # RefCOCO's files were written by Python 2, whose texts are bytes to Python 3.
        return _Plain(io.BytesIO(path.read_bytes()), encoding="utf-8").load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as a pickle of plain values: {error}.") from error
