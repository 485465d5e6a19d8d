"""Tokenizers that follow the model folder's own file, whatever their class does.

transformers finds a class for a folder, and some classes put a pipeline of their own in the place
of the one in `tokenizer.json`: `LlamaTokenizer` of transformers 5 adds no blank to a text that
begins with one, which the file and Meta's SentencePiece do. So each class is compared with its own
file, and the file counts.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frostbench.plugins.backbones.sentencepieces import converted, sentencepiece_at
from frostbench.plugins.host.errors import UserNote
from frostbench.plugins.host.texts import kind_of, read_json

MOST_IDS = 4096  # ids, spread over the vocabulary, whose texts are compared one by one
TEXTS = (
    *(" >\nOutput: ", "###\nInput: < ", "Output: a", " a", "a ", "  two", "a  b", "   ", " "),
    *("\n", "\n\nx", "a\n b", "\t", "12 345", "3.14", "glued.word", "it's", "$x_i$", "UPPER"),
    *("naïve café", "日本語 text", "привет", "مرحبا", "🙂 ok", "▁a", "e\u0301"),
)


class DepartingTokenizerWarning(UserNote):
    """A tokenizer class reads otherwise than its folder's file; the file is followed."""


def faithful(automatic: Any, source: str) -> Any:
    """A tokenizer that reads text as the source's own file says.

    `automatic` is what transformers finds for it, or the error that it ended with.

    Raises:
        ValueError: there is neither a tokenizer nor a file to make one of.
    """
    import transformers

    known = None if isinstance(automatic, Exception) else automatic
    if own_file(source, "tokenizer.json"):
        # transformers' plain class is the file's own pipeline: there is nothing to compare.
        if type(known) is transformers.PreTrainedTokenizerFast:
            return known
        file = "tokenizer.json"
        plain = transformers.PreTrainedTokenizerFast.from_pretrained(
            source, local_files_only=True, trust_remote_code=False
        )
    else:
        model = own_file(source, "tokenizer.model")
        pieces = None if model is None else sentencepiece_at(model)
        if model is None or pieces is None:
            if isinstance(automatic, Exception):
                raise ValueError(_none_at(source, automatic)) from automatic
            return automatic
        file, plain = "tokenizer.model", converted(model, pieces, _said(source))
    if known is None:
        return plain
    difference = _difference(known, plain)
    if difference is None:
        return known
    warnings.warn(
        f"{type(known).__name__} reads {source} otherwise than its {file} says ({difference}); the "
        "file is followed.",
        DepartingTokenizerWarning,
        stacklevel=2,
    )
    return plain


def opening_ids(tokenizer: Any) -> tuple[int, ...]:
    """The ids that a tokenizer puts before a text by itself: a beginning-of-sequence token, if any.

    They are added when, and only when, the model's own tokenizer adds them; that it knows such a
    token, or that the configuration names one, is not enough.
    """
    bare = _ids(tokenizer, "a")
    full: list[int] = list(tokenizer("a", verbose=False)["input_ids"])
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return tuple(full[:start])
    return ()


def own_file(source: str, name: str) -> Path | None:
    """A file of a folder, or of a hub id in the local cache; None where it is not there."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source, name)
    return Path(found) if isinstance(found, str) else None


def _difference(one: Any, other: Any) -> str | None:
    """The first text that two tokenizers read otherwise, for people; None where there is none."""
    for text in TEXTS:
        ours, theirs = _ids(one, text), _ids(other, text)
        if ours != theirs:
            return f"{text!r} is {len(ours)} tokens, and {len(theirs)} by the file"
        if _text(one, theirs) != _text(other, theirs):
            return f"the tokens of {text!r} give another text back"
    count = min(len(one), len(other))
    for index in range(0, count, max(1, count // MOST_IDS)):
        if _text(one, [index]) != _text(other, [index]):
            return (
                f"id {index} is {_text(one, [index])!r}, and {_text(other, [index])!r} by the file"
            )
    return None


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _text(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))


def _said(source: str) -> dict[str, Any]:
    """What `tokenizer_config.json` and `special_tokens_map.json` say, the first above the other."""
    said: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = own_file(source, name)
        if path is not None:
            read = read_json(path)
            if not isinstance(read, dict):
                raise ValueError(f"{path} is no mapping but {kind_of(read)}.")
            said |= read
    return said


def _none_at(source: str, error: Exception) -> str:
    reason = (str(error).strip().splitlines() or ["no message"])[0]
    return (
        f"no tokenizer can be loaded from {source}: it has neither a tokenizer.json nor a "
        f"SentencePiece tokenizer.model ({reason})"
    )
