"""All that is reached from an object: its modules, attributes, hooks, settings, tensors.

Each container is copied, shallowly, and each copy compared with what it was made from: some ten
thousand of them in half a millisecond, because what is still the same object is equal at once.
"""

import types
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

HOOKS: Mapping[str, str] = {
    "_forward_hooks": "forward hook",
    "_forward_pre_hooks": "forward pre-hook",
    "_backward_hooks": "backward hook",
    "_backward_pre_hooks": "backward pre-hook",
    "_state_dict_hooks": "state-dict hook",
    "_state_dict_pre_hooks": "state-dict pre-hook",
    "_load_state_dict_pre_hooks": "load-state-dict pre-hook",
    "_load_state_dict_post_hooks": "load-state-dict post-hook",
}
_PARTS = {"_parameters": "parameter", "_buffers": "buffer", "_modules": "module"}

# What libraries write into their objects while they are used: warnings that were given, words that
# were split. The last is trusted to be right, and is a cache of a tokenizer in plain Python.
GROWING = frozenset({"warnings_issued", "deprecation_warnings", "cache"})

# Rotary positions, recomputed for longer texts in the forward pass itself.
_ROTARY = ("inv_freq", "max_seq_len_cached", "attention_scaling")

LARGE = 4096  # entries; larger containers are compared in a thorough look alone

_ATOMS = (
    *(str, bytes, int, float, complex, bool, type(None), type, types.ModuleType),
    *(torch.device, torch.dtype, torch.Size, torch.Generator, types.BuiltinFunctionType),
)
_ABSENT = object()


@dataclass(frozen=True)
class Held:
    """A container: where it stands, what kind of container it is, and what it held."""

    path: str
    kind: str
    live: Any
    copy: Any
    moving: frozenset[str] = frozenset()

    def holds(self) -> bool:
        """Whether it holds what it did."""
        if not self.moving:
            return equal(self.live, self.copy)
        still = {key: value for key, value in self.live.items() if key not in self.moving}
        return equal(still, self.copy)

    def changes(self) -> Iterator[str]:
        """A clause for each entry that has changed."""
        if not isinstance(self.copy, dict):
            if not equal(self.live, self.copy):
                yield f"{self._named()} was changed"
            return
        for key in dict.fromkeys((*self.copy, *self.live)):
            before, now = self.copy.get(key, _ABSENT), self.live.get(key, _ABSENT)
            if key not in self.moving and not equal(before, now):
                yield self._change(key, before, now)

    def _change(self, key: Any, before: Any, now: Any) -> str:
        verb = "added to" if before is _ABSENT else "removed from" if now is _ABSENT else ""
        if self.kind in HOOKS:
            return f"a {HOOKS[self.kind]} was {verb or 'replaced at'} {self._named()}"
        if self.kind in _PARTS:
            what = f"the {_PARTS[self.kind]} {_join(self.path, key)!r}"
            return f"{what} was {verb.partition(' ')[0] or 'replaced'}"
        if key == "training" and self.kind == "attributes":
            mode = "training" if now else "evaluation"
            return f"{self.path!r} was put into {mode} mode"
        if verb:
            return f"{key!r} was {verb} {self._named()}"
        shown = _shown(before), _shown(now)
        if None in shown or shown[0] == shown[1]:
            return f"{key!r} of {self._named()} was replaced"
        return f"{key!r} of {self._named()} was {shown[0]} and is now {shown[1]}"

    def _named(self) -> str:
        return repr(self.path) if self.path else "the backbone"


class Reached:
    """What is reached from `root`.

    Attributes:
        held: All containers; `large` are those of many entries.
        objects: Everything that has attributes, with where it stands.
        tensors: Parameters, buffers and other tensors, by where they stand.
    """

    def __init__(self, root: Any, name: str = "") -> None:
        self.held: list[Held] = []
        self.large: list[Held] = []
        self.objects: list[tuple[str, Any]] = []
        self.tensors: dict[str, Tensor] = {}
        self._seen: dict[int, Any] = {}
        grows: frozenset[str] = frozenset(getattr(root, "grows", ()))
        self._growing = {id(vars(root)[key]) for key in grows & set(getattr(root, "__dict__", ()))}
        waiting = deque([(name, root)])
        while waiting:
            path, value = waiting.popleft()
            if isinstance(value, _ATOMS) or id(value) in self._seen or id(value) in self._growing:
                continue
            self._seen[id(value)] = value
            waiting.extend(self._look(path, value))

    def _look(self, path: str, value: Any) -> list[tuple[str, Any]]:
        """Keep what a value holds; yield what is reached from it."""
        match value:
            case Tensor():
                self.tensors[path] = value
                return []
            case dict():
                self._keep(path, "items", value)
                return [(f"{path}[{key!r}]", one) for key, one in value.items()]
            case list() | deque():
                self._keep(path, "items", value)
                return [(f"{path}[{at}]", one) for at, one in enumerate(value)]
            case set():
                self._keep(path, "items", value)
                return []
            case tuple() | frozenset():
                return [(f"{path}[{at}]", one) for at, one in enumerate(value)]
            case types.FunctionType() | types.MethodType():
                return []
            case _ if isinstance(getattr(value, "__dict__", None), dict):
                self.objects.append((path, value))
                return self._attributes(path, value)
        return []

    def _attributes(self, path: str, value: Any) -> list[tuple[str, Any]]:
        attributes = vars(value)
        moving = _moving(value) if isinstance(value, nn.Module) else frozenset()
        self._keep(path, "attributes", attributes, moving & set(attributes))
        found: list[tuple[str, Any]] = []
        # The network that a backbone wraps is named as torch names it.
        whole = not isinstance(value, nn.Module) and not path
        for key, one in attributes.items():
            if key == "model" and whole and isinstance(one, nn.Module):
                found.append(("", one))
            elif key in moving or (key in GROWING and isinstance(one, dict)):
                continue
            elif isinstance(value, nn.Module) and (key in _PARTS or key in HOOKS):
                self._seen[id(one)] = one
                self._keep(path, key, one, moving & set(one) if key == "_buffers" else frozenset())
                found += [
                    (_join(path, name), part) for name, part in one.items() if name not in moving
                ]
            else:
                found.append((_join(path, key), one))
        return found

    def _keep(self, path: str, kind: str, live: Any, moving: frozenset[str] = frozenset()) -> None:
        copy: Any = next(kind(live) for kind in (dict, list, set, deque) if isinstance(live, kind))
        for key in moving:
            del copy[key]
        held = Held(path, kind, live, copy, moving)
        (self.large if len(copy) > LARGE else self.held).append(held)


def _moving(module: nn.Module) -> frozenset[str]:
    """Attributes that a module writes in its own forward pass."""
    kinds = getattr(module, "rope_type", None)
    several = kinds.values() if isinstance(kinds, dict) else [kinds]
    if not any("dynamic" in str(kind) or str(kind) == "longrope" for kind in several):
        return frozenset()
    names = (*vars(module), *module._buffers)
    return frozenset(name for name in names if name.endswith(_ROTARY))


def equal(before: Any, now: Any) -> bool:
    """Whether two values are the same object or equal; longer arrays are never equal."""
    if before is now:
        return True
    try:
        return bool(before == now)
    except Exception:  # tensors, arrays and whatever cannot be compared
        return False


def _shown(value: Any) -> str | None:
    """A short plain value as people read it."""
    plain = isinstance(value, str | int | float | bool | None)
    return repr(value) if plain and len(repr(value)) <= 40 else None


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)
