"""Makes texts writable as UTF-8: file names and answers may hold lone surrogates.

JSON has an escape for a lone surrogate; UTF-8, and with it Parquet, has nothing.
"""

import re
from collections.abc import Mapping
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")


def in_whole_letters(text: str) -> str:
    r"""The text with each lone surrogate written out.

    >>> in_whole_letters("caf\udce9")
    'caf\\udce9'
    """
    return _HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def all_in_whole_letters(value: Any) -> Any:
    """Plain values, keys among them, with their texts `in_whole_letters`."""
    match value:
        case str():
            return in_whole_letters(value)
        case Mapping():
            return {
                all_in_whole_letters(key): all_in_whole_letters(one) for key, one in value.items()
            }
        case list():
            return [all_in_whole_letters(one) for one in value]
        case tuple():
            return tuple(map(all_in_whole_letters, value))
        case _:
            return value
