"""Strings as a tree of token ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Node:
    """A beginning that one or more strings share; `string` is the string that ends here, if any."""

    children: dict[int, "Node"] = field(default_factory=dict)
    string: str | None = None


def grow(strings: Mapping[str, Sequence[int]]) -> Node:
    """The tree of strings by their ids; of two strings with equal ids the first one counts."""
    root = Node()
    for string, ids in strings.items():
        node = root
        for i in ids:
            node = node.children.setdefault(i, Node())
        if node.string is None:
            node.string = string
    return root
