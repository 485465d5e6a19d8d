"""Frozen means frozen: what is certified of a loaded backbone, and whether it still holds.

A network's answers depend on more than its numbers. A hook, a replaced method, a setting, training
mode or a new word in the tokenizer changes them as well, and a change that is undone before the
checksum is taken again leaves it as it was.
"""

import hashlib
import random
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from frostbench.plugins.backbones.checksum import tensors_of
from frostbench.plugins.backbones.drawn import DrawnTensors
from frostbench.plugins.backbones.reached import HOOKS, Held, Reached, equal
from frostbench.plugins.backbones.shared import module_of

# A text in which tokenizers differ: words, digits, capitals, accents, emoji, blanks.
PROBE = "The 12 quick-brown foxes' naïve café: 猫\n\t 🦊"
CACHED = 16  # entries of a cache that are certified


class Certificate:
    """Everything that is reached from a backbone, as it stood when this was made.

    Certified are its parameters and buffers, hooks and attributes and class of every module, of
    tokenizer, processor, configuration and generation settings, and of the object itself. Caches
    that a backbone fills while it is used are named in its attribute `grows`: entries may come and
    go, and those that stay may not change.

    Attributes:
        backbone: The backbone itself.
        bytes_read: Bytes of tensors that one look compares.
    """

    def __init__(self, backbone: Any) -> None:
        self.backbone = backbone
        self._named = tensors_of(module_of(backbone))
        self._reached = reached = Reached(backbone)
        still = [held for held in reached.held if not held.moving]
        # Most are tables of hooks, and empty: their copies need not be looked at.
        self._empty = [held.live for held in still if not held.copy]
        self._lives = [held.live for held in still if held.copy]
        self._copies = [held.copy for held in still if held.copy]
        self._moving = [held for held in reached.held if held.moving]
        self._modules = [held for held in reached.held if held.kind == "_modules" and held.copy]
        self._orders = [list(held.copy) for held in self._modules]
        self._objects = [one for _, one in reached.objects]
        self._types = [type(one) for one in self._objects]
        self._tensors = DrawnTensors(reached.tensors)
        self.bytes_read = self._tensors.bytes_read
        self._tokenizers = {
            path: one for path, one in reached.objects if hasattr(one, "get_added_tokens_decoder")
        }
        self._counts = [one.get_vocab_size() for one in self._tokenizers.values()]
        self._splits = [_split(one) for one in self._tokenizers.values()]
        self._written = {path: _written(one) for path, one in self._tokenizers.items()}
        self._grown: list[tuple[str, Any, dict[Any, Any], DrawnTensors]] = []
        self.look_at_caches()

    @property
    def classes(self) -> set[type]:
        """The classes of all that is certified."""
        return set(self._types)

    def holds(self, *, thorough: bool = True) -> bool:
        """Whether nothing has changed.

        A `thorough` look compares shapes, large containers, whole tokenizers and caches as well;
        the other one is for between two steps.
        """
        tokenizers = self._tokenizers.values()
        same = self.numbers_hold(thorough=thorough)
        same = same and not any(self._empty) and _same(self._lives, self._copies)
        same = same and list(map(type, self._objects)) == self._types
        same = same and [list(held.live) for held in self._modules] == self._orders
        same = same and all(held.holds() for held in self._moving)
        same = same and [one.get_vocab_size() for one in tokenizers] == self._counts
        if thorough:
            same = same and all(held.holds() for held in self._reached.large)
            same = same and not self._rewritten() and not self._spoiled()
        return same

    def numbers_hold(self, *, thorough: bool = False) -> bool:
        """Whether no tensor is seen to have changed."""
        return self._tensors.hold(thorough=thorough)

    def changes(self, *, thorough: bool = True) -> list[str]:
        """A clause for each change, the most telling first; empty where it holds.

        "a forward hook was added to 'model.layers.0'".
        """
        if self.holds(thorough=thorough):
            return []
        said = [clause for held in self._ordered() for clause in held.changes()]
        said += [
            f"{path!r} was made a {type(one).__name__}"
            for (path, one), kind in zip(self._reached.objects, self._types, strict=True)
            if type(one) is not kind
        ]
        said += [
            f"the modules of {held.path!r} were put in another order"
            for held, order in zip(self._modules, self._orders, strict=True)
            if set(held.live) == set(order) and list(held.live) != order
        ]
        return [*said, *self._tensors.changes().values(), *self._rewritten(), *self._spoiled()]

    def unseen(self, changed: Iterable[str]) -> list[str]:
        """Names of tensors whose checksum changed, but in which no look saw a change."""
        seen = {id(self._reached.tensors[path]) for path in self._tensors.changes()}
        now = tensors_of(module_of(self.backbone))
        here = [name for name in changed if now.get(name) is self._named.get(name)]
        return [name for name in here if id(now.get(name)) not in seen]

    def look_at_caches(self) -> None:
        """Certify a random sample of what each cache holds by now."""
        self._grown = []
        for name in getattr(self.backbone, "grows", ()):
            live = getattr(self.backbone, name)
            drawn = random.Random(len(live)).sample(list(live), min(len(live), CACHED))
            kept = {key: live[key] for key in drawn}
            tensors = {str(key): one for key, one in kept.items() if isinstance(one, Tensor)}
            self._grown.append((name, live, kept, DrawnTensors(tensors)))

    def _ordered(self) -> Iterable[Held]:
        """Hooks first, and other containers last: bookkeeping tells less."""
        every = (*self._reached.held, *self._reached.large)
        return sorted(every, key=lambda held: (held.kind not in HOOKS, held.kind == "items"))

    def _rewritten(self) -> list[str]:
        """Tokenizers that are not what they were."""
        said = []
        known = zip(self._counts, self._splits, self._written.values(), strict=True)
        for (path, one), (count, split, written) in zip(
            self._tokenizers.items(), known, strict=True
        ):
            more = one.get_vocab_size() - count
            if more > 0:
                said.append(f"{more} words were added to the tokenizer {path!r}")
            elif more or _split(one) != split or _written(one) != written:
                said.append(f"the settings of the tokenizer {path!r} changed")
        return said

    def _spoiled(self) -> list[str]:
        """Caches in which an entry has changed."""
        said = []
        for name, live, kept, tensors in self._grown:
            # An entry that was dropped and made again is another object with the same numbers.
            same = all(_alike(live.get(key, value), value) for key, value in kept.items())
            if not same or getattr(self.backbone, name) is not live or not tensors.hold():
                said.append(f"what was kept in {name!r} was changed")
        return said


def _alike(one: Any, two: Any) -> bool:
    """Whether two entries of a cache are the same object or hold the same."""
    if one is two:
        return True
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        same = (one.dtype, one.device, one.shape) == (two.dtype, two.device, two.shape)
        return same and torch.equal(one, two)
    if isinstance(one, tuple | list) and type(one) is type(two):
        return len(one) == len(two) and all(map(_alike, one, two))
    return equal(one, two)


def _split(tokenizer: Any) -> tuple[int, ...]:
    """The tokens of `PROBE`, whatever padding and truncation the last call has set."""
    normalise, cut = tokenizer.normalizer, tokenizer.pre_tokenizer
    text = normalise.normalize_str(PROBE) if normalise else PROBE
    words = [word for word, _ in cut.pre_tokenize_str(text)] if cut else [text]
    return tuple(token.id for word in words for token in tokenizer.model.tokenize(word))


def _same(lives: list[Any], copies: list[Any]) -> bool:
    try:
        return bool(lives == copies)
    except Exception:  # of a tensor that is compared with another: it was replaced
        return False


def _written(tokenizer: Any) -> str:
    """SHA-256 of a tokenizer of the package `tokenizers`, without its padding and truncation.

    Those two are set anew by every call of the tokenizer of transformers around it.
    """
    text = tokenizer.to_str()
    return hashlib.sha256(text[text.find('"added_tokens"') :].encode()).hexdigest()
