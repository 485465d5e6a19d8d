"""What a user typed, as values: text stays text, and brackets make a list."""

import re
from collections.abc import Iterator, Sequence

_QUOTES, _OPENING, _CLOSING = "'\"", "[(", ")]"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FRACTION = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_ENDLESS = re.compile(r"[+-]?\.?(inf|nan)", re.IGNORECASE)


def several(text: str) -> list[str]:
    """The items of a list: `a,b` or `[a,b]`. Commas in brackets or quotes are no separators.

    >>> several("psnr[rgb], 'a, b'"), several("[lpips[alex]]")
    (['psnr[rgb]', 'a, b'], ['lpips[alex]'])
    """
    return [_unquoted(item) for item in _items(text)]


def as_list(items: Sequence[str]) -> str:
    """The text from which `several` makes these items.

    >>> as_list(["a.py", "b, c.py"])
    "[a.py,'b, c.py']"
    """
    return f"[{','.join(map(_quoted, items))}]"


def plain(text: str) -> object:
    """The value of a text of unknown type; it stays a text where conversion could lose anything.

    >>> [plain(text) for text in ("7", "007", "0.5", "1e3", "true", "yes", "[3,a]", "[INST] a [/]")]
    [7, '007', 0.5, '1e3', True, 'yes', [3, 'a'], '[INST] a [/]']
    """
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return None
    if _INTEGER.fullmatch(text):
        return int(text) if text != "-0" else text
    if _FRACTION.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    if text.startswith("[") and _inside(text) != text:
        return [_item(one) for one in _items(text)]
    return text


def number(text: str, kind: type[int] | type[float]) -> int | float:
    """A number, in decimal digits.

    >>> number("010", int), number("1e-3", float)
    (10, 0.001)

    Raises:
        ValueError: it is none.
    """
    text = text.strip()
    if kind is int and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    if kind is float and (_DECIMAL.fullmatch(text) or _ENDLESS.fullmatch(text)):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    raise ValueError(f"{text!r} is no such number.")


def _item(text: str) -> object:
    unquoted = _unquoted(text)
    return plain(text) if unquoted == text else unquoted


def _items(text: str) -> list[str]:
    text = _inside(text.strip())
    commas = [place for place, sign, depth in _signs(text) if sign == "," and not depth]
    starts, ends = [0, *(place + 1 for place in commas)], [*commas, len(text)]
    items = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return [item for item in items if item]


def _inside(text: str) -> str:
    """What stands between brackets around the whole text; the text itself without them."""
    closed = [place for place, sign, depth in _signs(text) if sign in _CLOSING and not depth]
    whole = text[:1] in tuple(_OPENING) and closed[:1] == [len(text) - 1]
    return text[1:-1] if whole else text


def _signs(text: str) -> Iterator[tuple[int, str, int]]:
    """Brackets and commas outside of quotes, with their places and in how many brackets they are.

    Quotes are where an item begins; a doubled one within them is a sign of the text.
    """
    depth, mark, closed, fresh = 0, "", -2, True
    for place, sign in enumerate(text):
        if mark:
            mark, closed = ("", place) if sign == mark else (mark, closed)
        elif sign in _QUOTES and (fresh or (closed == place - 1 and text[closed] == sign)):
            mark = sign
        elif sign in _OPENING:
            yield place, sign, depth
            depth += 1
        elif sign in _CLOSING:
            depth = max(0, depth - 1)
            yield place, sign, depth
        elif sign == ",":
            yield place, sign, depth
        fresh = sign in f"{_OPENING}," or (fresh and sign.isspace())


def _unquoted(item: str) -> str:
    if len(item) > 1 and item[0] in _QUOTES and item[-1] == item[0]:
        return item[1:-1].replace(item[0] * 2, item[0])
    return item


def _quoted(item: str) -> str:
    odd = set(item) & set(f",{_QUOTES}{_OPENING}{_CLOSING}")
    return "'" + item.replace("'", "''") + "'" if odd or item != item.strip() or not item else item
