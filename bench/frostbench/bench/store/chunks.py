"""Checks parts of the columns of sealed files, and takes them apart."""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from frostbench.bench.store.typed import LONGEST_NAME

Places: TypeAlias = Int[np.ndarray, " _"]
STATES = ("failed", "scored")
NEEDED = ("task", "sample", "cluster", "status")
NAMES = (*NEEDED, "protocol", "method", "control")


def check(name: str, chunk: Any) -> None:
    """Check that a part of a column is as `Record` says; other columns are not checked."""
    if name in NEEDED and chunk.null_count:
        raise ValueError(f"it lacks {name!r}")
    if name in NAMES and (pc.max(pc.utf8_length(chunk.dictionary)).as_py() or 0) > LONGEST_NAME:
        raise ValueError(f"{name} is longer than {LONGEST_NAME} characters")
    if name == "status":
        for state in set(chunk.dictionary.to_pylist()) - set(STATES):
            raise ValueError(f"status is {state!r} and none of {', '.join(STATES)}")
    if name == "scores" and np.isnan(floats(within(chunk, chunk.items))).any():
        raise ValueError("one of its scores is no number")
    if name == "counts":
        lists = within(chunk, chunk.items)
        if not np.isfinite(floats(within(lists, lists.values))).all():
            raise ValueError("one of its counts is no finite number")
    if name.startswith("cost.") and np.isinf(floats(leaf(chunk))).any():
        raise ValueError(f"{name} is no finite number")


def leaf(chunk: Any) -> Any:
    """The only leaf that was read of a structure."""
    while pa.types.is_struct(chunk.type):
        chunk = pc.struct_field(chunk, [0])
    return chunk


def within(chunk: Any, child: Any) -> Any:
    """The part of a child that belongs to a part of a column."""
    offsets = chunk.offsets
    return child[offsets[0].as_py() : offsets[-1].as_py()]


def entries(chunk: Any, keys: Any, key: str | None) -> tuple[Places, Places]:
    """For each entry of mappings, its row, and which entries have a key (None: any)."""
    rows = np.repeat(np.arange(len(chunk)), np.diff(chunk.offsets.to_numpy()))
    coded = within(chunk, keys)
    names = coded.dictionary.to_pylist()
    alike = np.array([key is None or name == key for name in names], dtype=bool)
    return rows, np.flatnonzero(alike[coded.indices.to_numpy()])


def floats(array: Any) -> Float[np.ndarray, " m"]:
    """Numbers as floats; NaN where there is none."""
    numbers = array.cast(pa.float64(), safe=False).fill_null(np.nan)
    return np.asarray(numbers.to_numpy(zero_copy_only=False))
