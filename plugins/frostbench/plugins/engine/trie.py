"""Strings as a tree of token ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Node:
    """A beginning that one or more strings share; `string` is the one that ends here, if any."""

    children: dict[int, "Node"] = field(default_factory=dict)
    string: str | None = None

    @classmethod
    def of(cls, strings: Mapping[str, Sequence[int]]) -> Self:
        """The tree of strings by their ids; of two strings with equal ids the first one counts."""
        root = cls()
        for string, ids in strings.items():
            node: Node = root
            for i in ids:
                node = node.children.setdefault(i, Node())
            if node.string is None:
                node.string = string
        return root
