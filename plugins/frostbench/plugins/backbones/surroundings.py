"""What all networks of a process depend on: classes, functions that they call, torch's settings.

A class whose `forward` was replaced, or another attention function registered with transformers,
changes every backbone at once and stands in none of them. Changes here are undone, since loading a
backbone again would not undo them.
"""

import builtins
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

# Attributes that classes and modules keep for themselves.
_OWN = frozenset(
    {"__abstractmethods__", "_abc_impl", "__doc__", "__annotations__", "__annotations_cache__"}
)
_PACKAGES = frozenset(
    {"frostbench", "open_clip", "peft", "segment_anything", "timm", "torch", "transformers"}
)
_NEAR = ("torch.nn.functional", "torch.nn.modules.module")
_FAR = ("torch", "builtins")
EVERY = ""  # stands for all backbones, where one is named
_REGISTRIES = (
    ("transformers.modeling_utils", "AttentionInterface", "_global_mapping"),
    ("transformers.modeling_utils", "ALL_ATTENTION_FUNCTIONS", "_local_mapping"),
    ("transformers.masking_utils", "AttentionMaskInterface", "_global_mapping"),
    ("transformers.masking_utils", "ALL_MASK_ATTENTION_FUNCTIONS", "_local_mapping"),
    ("transformers.modeling_rope_utils", "ROPE_INIT_FUNCTIONS", ""),
    ("transformers.activations", "ACT2CLS", ""),
)
_ABSENT = object()


@dataclass
class _Space:
    """A namespace: of a class, a module, a registry, or a table of hooks."""

    name: str
    owner: Any
    live: Mapping[Any, Any]
    copy: dict[Any, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.copy = dict(self.live)

    def changed(self) -> list[Any]:
        """The keys of entries that have changed and matter."""
        keys = dict.fromkeys((*self.copy, *self.live))
        return [key for key in keys if self._matters(key)]

    def _matters(self, key: Any) -> bool:
        before, now = self.copy.get(key, _ABSENT), self.live.get(key, _ABSENT)
        if before is now or key in _OWN:
            return False
        if isinstance(self.owner, type):
            # Libraries cache values on classes; a callable, or what hides an inherited attribute,
            # is not such a cache.
            inherited = any(key in vars(one) for one in self.owner.__mro__[1:])
            called = hasattr(now, "__get__") and not _of_a_library(now)
            return before is not _ABSENT or inherited or called
        if before is not _ABSENT:
            wrapped = _of_a_library(now) and getattr(now, "__wrapped__", None) is before
            return callable(before) and not wrapped
        if isinstance(self.owner, types.ModuleType):
            # A library may import more; hiding one of Python's own functions is no import.
            return hasattr(builtins, str(key)) and self.owner is not builtins
        # A registry may grow; replaced entries, and new hooks, are called.
        return self.name.endswith(("hooks", "_local_mapping"))

    def restore(self) -> None:
        """Put everything back that mattered."""
        for key in self.changed():
            before = self.copy.get(key, _ABSENT)
            if self.live is self.owner:
                assert isinstance(self.owner, dict)
                if before is _ABSENT:
                    del self.owner[key]
                else:
                    self.owner[key] = before
            elif before is _ABSENT:
                delattr(self.owner, key)
            else:
                setattr(self.owner, key, before)

    def clause(self, key: Any) -> str:
        """A clause that says what happened to a key."""
        if self.name.endswith("hooks"):
            return f"{self.name.removesuffix('s')} was added to all modules"
        gone, new = key not in self.live, key not in self.copy
        return f"{key!r} of {self.name} was {'removed' if gone else 'added' if new else 'replaced'}"


class Surroundings:
    """The surroundings of certified backbones as they stood when they were taken in."""

    def __init__(self) -> None:
        self._spaces: dict[int, _Space] = {}
        self._near: dict[str, dict[int, _Space]] = {}
        self._codes: dict[types.FunctionType, types.CodeType] = {}
        self._settings = {name: read() for name, (read, _) in _SETTINGS.items()}
        self._lists()

    def cover(self, name: str, classes: Iterable[type]) -> None:
        """Record what objects of these classes depend on, under the name of the backbone.

        What is recorded already stays.
        """
        near = {one for kind in classes for one in kind.__mro__ if one is not object}
        modules = {sys.modules[one.__module__] for one in near if one.__module__ in sys.modules}
        modules |= {sys.modules[one] for one in _NEAR}
        spaces = [_Space(f"class {one.__qualname__}", one, vars(one)) for one in near]
        spaces += [_Space(f"module {one.__name__}", one, vars(one)) for one in modules]
        for key, table in vars(torch.nn.modules.module).items():
            if key.startswith("_global_") and key.endswith("hooks"):
                words = key.removeprefix("_global_").replace("_", " ")
                spaces.append(_Space(f"a global {words}", table, table))
        spaces += [_Space(registry, table, table) for registry, table in _registries()]
        self._near[name] = {id(one.owner): self._add(one) for one in spaces}
        for module in (*_called_from(modules), *(sys.modules[one] for one in _FAR)):
            self._add(_Space(f"module {module.__name__}", module, vars(module)))
        self._lists()

    def hold(self, name: str | None = None) -> bool:
        """Whether nothing has changed around a backbone, or around `EVERY` one.

        With None, the functions that these call in turn are compared as well, and their code.
        """
        lives, copies = self._all if name is None else self._of[name]
        same = _equal(lives, copies)
        same = same and {key: read() for key, (read, _) in _SETTINGS.items()} == self._settings
        if name is None:
            same = same and [one.__code__ for one in self._functions] == self._kept_codes
        return same

    def changes(self, name: str | None = None) -> list[str]:
        """A clause for each change; empty where there is none that matters."""
        if self.hold(name):
            return []
        said = [
            f"torch's {name} was {before!r} and is now {_SETTINGS[name][0]()!r}"
            for name, before in self._settings.items()
            if _SETTINGS[name][0]() != before
        ]
        other = [one for one in self._spaces.values() if not _equal([one.live], [one.copy])]
        said += [space.clause(key) for space in other for key in space.changed()]
        said += [
            f"the code of {one.__qualname__!r} in {one.__module__} was replaced"
            for one, code in self._codes.items()
            if one.__code__ is not code
        ]
        if not said:
            # Libraries import and cache; the result is the new state to compare with.
            for space in other:
                space.copy = dict(space.live)
            self._lists()
        return said

    def restore(self) -> None:
        """Put back what was changed."""
        for space in self._spaces.values():
            space.restore()
        for one, code in self._codes.items():
            one.__code__ = code
        for name, before in self._settings.items():
            read, write = _SETTINGS[name]
            if read() != before:
                write(before)

    def _add(self, space: _Space) -> _Space:
        """The namespace as it is known, or this one."""
        if id(space.owner) in self._spaces:
            return self._spaces[id(space.owner)]
        self._spaces[id(space.owner)] = space
        for value in space.live.values():
            # By type: some of torch's values run code when asked for their class.
            if type(value) in (staticmethod, classmethod):
                value = value.__func__
            if type(value) is types.FunctionType:
                self._codes.setdefault(value, value.__code__)
        return space

    def _lists(self) -> None:
        """Lists to compare at once."""
        self._all = _pairs(self._spaces.values())
        self._of = {name: _pairs(spaces.values()) for name, spaces in self._near.items()}
        every = {key: one for spaces in self._near.values() for key, one in spaces.items()}
        self._of[EVERY] = _pairs(every.values())
        self._functions, self._kept_codes = list(self._codes), list(self._codes.values())


def _of_a_library(value: Any) -> bool:
    """Whether a function is a library's own, wherever it is put.

    transformers gives `torch.nn.Module` a `smart_apply` when it first initialises a weight, and
    torch wraps its own `manual_seed` when its compiler is first imported.
    """
    if type(value) is not types.FunctionType:
        return False
    name = str(value.__globals__.get("__name__"))
    own = name.partition(".")[0] in _PACKAGES - {"frostbench"}
    return own and getattr(sys.modules.get(name), "__dict__", None) is value.__globals__


def _pairs(spaces: Iterable[_Space]) -> tuple[list[Any], list[Any]]:
    several = list(spaces)
    return [one.live for one in several], [one.copy for one in several]


def _equal(lives: list[Any], copies: list[Any]) -> bool:
    try:
        return bool(lives == copies)
    except Exception:  # of what cannot be compared: something was replaced
        return False


def _registries() -> list[tuple[str, dict[Any, Any]]]:
    """Tables of functions that networks of transformers look up by name."""
    found = []
    for module, name, attribute in _REGISTRIES:
        table = getattr(sys.modules.get(module), name, None)
        table = getattr(table, attribute, None) if attribute else table
        if isinstance(table, dict):
            found.append((f"{module}.{name}{attribute and '.'}{attribute}", table))
    return found


def _called_from(modules: Iterable[types.ModuleType]) -> list[types.ModuleType]:
    """The modules whose functions these can call, and those that these can, and so on."""
    found: dict[str, types.ModuleType] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module.__name__ in found or module.__name__.partition(".")[0] not in _PACKAGES:
            continue
        found[module.__name__] = module
        for value in list(vars(module).values()):
            if issubclass(type(value), types.FunctionType | type):
                home = getattr(value, "__module__", None)
                if isinstance(home, str) and home in sys.modules:
                    waiting.append(sys.modules[home])
    return list(found.values())


def _read_kernels() -> tuple[bool, ...]:
    cuda: Any = torch.backends.cuda
    return cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled()


def _write_kernels(enabled: tuple[bool, ...]) -> None:
    cuda = torch.backends.cuda
    for enable, value in zip(
        (cuda.enable_flash_sdp, cuda.enable_mem_efficient_sdp, cuda.enable_math_sdp),
        enabled,
        strict=True,
    ):
        enable(value)


def _write_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _read_autocast() -> tuple[bool, ...]:
    return tuple(torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda", "mps"))


def _write_autocast(value: tuple[bool, ...]) -> None:
    for kind, enabled in zip(("cpu", "cuda", "mps"), value, strict=True):
        torch.set_autocast_enabled(kind, enabled)


# Torch's settings by name: how each is read, and how it is restored.
_SETTINGS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "precision of products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "deterministic algorithms": (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        _write_deterministic,
    ),
    "autocast": (_read_autocast, _write_autocast),
    "attention kernels": (_read_kernels, _write_kernels),
    "oneDNN": (
        partial(getattr, torch.backends.mkldnn, "enabled"),
        partial(setattr, torch.backends.mkldnn, "enabled"),
    ),
    "cuDNN": (
        partial(getattr, torch.backends.cudnn, "enabled"),
        partial(setattr, torch.backends.cudnn, "enabled"),
    ),
    "TF32": (
        partial(getattr, torch.backends.cuda.matmul, "allow_tf32"),
        partial(setattr, torch.backends.cuda.matmul, "allow_tf32"),
    ),
    "function modes": (
        torch._C._len_torch_function_stack,
        lambda count: [
            torch._C._pop_torch_function_stack()
            for _ in range(torch._C._len_torch_function_stack() - count)
        ],
    ),
}
