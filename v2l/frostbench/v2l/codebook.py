"""V2L's local and global codebook with their words, in our file format and in the published one."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy.lib import format as npy
from torch import Tensor

from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.published import Inert, read_array, read_pickle, read_torch
from frostbench.plugins.host.texts import read_json, taken

TABLES = "codebooks.safetensors"
WORDS = "vocabulary.json"


@dataclass(frozen=True, eq=False)
class Codebooks:
    """Text embeddings and the texts of their rows.

    Row i of `local` belongs to token i of the LLM, whose text is `local_words[i]`.
    """

    local: Float[Tensor, "words d"]
    global_: Float[Tensor, "entries d"]
    local_words: tuple[str, ...]
    global_words: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, table, words in (
            ("local", self.local, self.local_words),
            ("global", self.global_, self.global_words),
        ):
            if len(table) != len(words):
                raise ValueError(
                    f"the {name} codebook has {len(table)} rows, and its vocabulary "
                    f"{len(words)} words."
                )


def save(folder: Path, codebooks: Codebooks) -> None:
    """Write the tables (in their own precision) and the words."""
    weights.write(folder / TABLES, {"local": codebooks.local, "global": codebooks.global_})
    save_words(folder, codebooks.local_words, codebooks.global_words)


def load(folder: Path) -> Codebooks:
    """What `save` wrote.

    Raises:
        ValueError: a file is missing, damaged, or does not fit the other.
    """
    tables = weights.read(folder / TABLES)
    missing = {"local", "global"} - set(tables)
    if missing:
        raise ValueError(f"{folder / TABLES} lacks the table {missing.pop()!r}.")
    local, global_ = load_words(folder)
    return Codebooks(tables["local"].float(), tables["global"].float(), local, global_)


def save_words(folder: Path, local: tuple[str, ...], global_: tuple[str, ...]) -> None:
    """Write `vocabulary.json`: the local words by id, and the global ones."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"local": local, "global": global_}
    text = json.dumps(content, ensure_ascii=False, indent=0)
    (folder / WORDS).write_text(text + "\n", encoding="utf-8")


def load_words(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The local and the global words of `vocabulary.json`.

    Raises:
        ValueError: the file is missing or damaged.
    """
    path = folder / WORDS
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise ValueError(f"no {WORDS} in {folder}.") from None
    lists = [taken(str(path), content, key, list) for key in ("local", "global")]
    if not all(all(map(_is_text, words)) for words in lists):
        raise ValueError(f"{path}: 'local' and 'global' are lists of texts.")
    return tuple(lists[0]), tuple(lists[1])


def read_published(
    local: Path, global_: Path, global_vocabulary: Path, local_words: tuple[str, ...]
) -> Codebooks:
    """The official codebooks (two `.pth` files) with the global vocabulary (a `.npy` file).

    The local words are not published: they are those of the LLM's tokenizer, by id.

    Raises:
        ValueError: a file is missing or damaged, or two do not fit.
    """
    return Codebooks(
        _table(local), _table(global_), local_words, read_vocabulary(global_vocabulary)
    )


def _table(path: Path) -> Float[Tensor, "n d"]:
    table = read_torch(path)
    if not isinstance(table, Tensor) or table.ndim != 2:
        raise ValueError(f"{path} holds no table of embeddings but {type(table).__name__}.")
    return table.float()


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The texts of a `.npy` file, of strings or of pickled objects that are strings.

    Nothing but numpy's own array is unpickled.

    Raises:
        ValueError: the file is missing, damaged, or holds something else.
    """
    try:
        texts = _read_texts(path)
    except FileNotFoundError:
        raise ValueError(f"no vocabulary at {path}.") from None
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} is cut short or no array of texts: {error}.") from error
    if not all(map(_is_text, texts)):
        raise ValueError(f"{path} holds something else than texts.")
    return tuple(texts)


class _PickledArray:
    """An array of objects, read as a list without its shape, which could promise any size."""

    def __init__(self, *_: object) -> None:
        self.texts: list[Any] = []

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.texts = list(state[-1])


def _text_of(_: object, content: str | bytes) -> str:
    """One of numpy's own texts."""
    raw = content.encode() if isinstance(content, str) else content
    return raw.decode("utf-32-le").rstrip("\0")


# Stand-ins: numpy's own classes would allocate any size that they are told.
_ARRAY_PARTS = {
    "numpy.ndarray": Inert,
    "numpy.dtype": Inert,
    "numpy._reconstruct": _PickledArray,
    "numpy.scalar": _text_of,
}


def _read_texts(path: Path) -> list[Any]:
    with path.open("rb") as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        _, _, kind = read(file)
        if not kind.hasobject:
            return read_array(path).flatten().tolist()
        array = read_pickle(file.read(), path, _ARRAY_PARTS)
    if not isinstance(array, _PickledArray):
        raise ValueError("it holds no array")
    return array.texts


def _is_text(value: object) -> bool:
    return isinstance(value, str)
