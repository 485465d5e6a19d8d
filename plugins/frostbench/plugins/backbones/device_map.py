"""A model larger than one card, spread over several devices of one machine.

Layers lie one after the other on the devices, and their inputs are moved to them: the same
products in the same order as on one device. All tensors stay where they were put, so that what is
frozen can be looked at; offloading to the host or to a disk, which moves them in every forward, is
refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from frostbench.plugins.backbones.devices import cards, device_of, room_bytes
from frostbench.plugins.host.errors import missing

WORDS = ("auto", "balanced", "balanced_low_0", "sequential")
"""How accelerate is asked to share a model among all cards."""
ROOM = 0.9  # share of a card's free memory for weights; the rest is for what is computed with them


def asked_map(given: object) -> str | dict[str, torch.device]:
    """The setting `device_map`, checked: one of `WORDS`, or a device by the name of a module.

    Names may be nested, as dotted keys of a command line are; a number is that of a card.

    Raises:
        ValueError: it is neither, a device is not there, or weights would be offloaded.
    """
    if isinstance(given, str) and given in WORDS:
        if not cards():
            raise ValueError(f"device_map={given} shares a model among cards, and there are none.")
        return given
    if not isinstance(given, Mapping) or not given:
        raise ValueError(
            f"device_map is one of {', '.join(WORDS)}, or a device for each module "
            f"(device_map.NAME=cuda:0), not {given!r}."
        )
    found = {name: _device(name, said) for name, said in _flat(given).items()}
    kinds = {device.type for device in found.values()}
    if len(kinds) > 1:
        raise ValueError(
            f"device_map puts parts on {' and '.join(sorted(kinds))}; weights that wait in the "
            "host's memory for their turn could not be held frozen. Name cards alone, or a smaller "
            "dtype."
        )
    return found


def devices_named(given: object) -> tuple[torch.device, ...]:
    """The devices that a setting `device_map` may put parts on; none without one.

    Raises:
        ValueError: see `asked_map`.
    """
    if given is None:
        return ()
    asked = asked_map(given)
    return tuple(cards() if isinstance(asked, str) else dict.fromkeys(asked.values()))


def placed(
    asked: str | Mapping[str, torch.device], model: Any, dtype: torch.dtype
) -> Mapping[str, torch.device]:
    """A device by the name of a module, for a model whose tensors may be on "meta".

    Raises:
        ValueError: the model does not fit on the cards.
    """
    if not isinstance(asked, str):
        return asked
    rooms = {card: room_bytes(card) or 0 for card in cards()}
    return shared_among(rooms, asked, model, dtype)


def shared_among(
    rooms: Mapping[torch.device, int], word: str, model: Any, dtype: torch.dtype
) -> dict[str, torch.device]:
    """What accelerate makes of one of `WORDS` on cards with so much room, in bytes.

    Raises:
        ValueError: the model does not fit.
    """
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_balanced_memory

    most: Any = {card.index: int(ROOM * room) for card, room in rooms.items()}
    whole = sorted(getattr(model, "_no_split_modules", None) or ())
    if word != "sequential":
        low = word == "balanced_low_0"
        most = get_balanced_memory(model, most, whole, dtype, low_zero=low)
        most = {number: most[number] for number in most if number in {c.index for c in rooms}}
    found = infer_auto_device_map(model, most, whole, dtype)
    by_number = {card.index: card for card in rooms}
    if outside := [name for name, number in found.items() if number not in by_number]:
        weights = sum(p.numel() for p in model.parameters()) * dtype.itemsize
        raise ValueError(
            f"device_map={word}: {weights / 1e9:.1f} GB of weights do not fit on "
            f"{', '.join(f'{card} ({room / 1e9:.1f} GB free)' for card, room in rooms.items())}; "
            f"{outside[0]!r} is the first that finds no room. Use a smaller dtype or more cards."
        )
    return {name: by_number[number] for name, number in found.items()}


def spread(model: Any, where: Mapping[str, torch.device]) -> None:
    """Put the parts of a model on their devices, and let what they read be brought to them.

    Raises:
        ValueError: a name is that of no part, a part has no device, or what must stay together is
            put apart.
    """
    home = _check_and_home(model, where)
    devices: dict[str, set[torch.device]] = {}
    for name, module in model.named_modules():
        devices[name] = {_of(tensor, where) or home for tensor in _tensors(module, name)}
        own = {_of(tensor, where) or home for tensor in _tensors(module, name, recurse=False)}
        if len(own) > 1 or (len(devices[name]) > 1 and _is_whole(model, module)):
            raise ValueError(
                f"device_map puts parts of {name!r} on {_listed(devices[name])}; they are added to "
                "one another, so they must share a device."
            )
        for device in own:
            module._apply(lambda tensor, device=device: tensor.to(device), recurse=False)
    for name, module in model.named_modules():
        parent = name.rpartition(".")[0]
        if len(devices[name]) == 1 and (not name or len(devices[parent]) > 1):
            (device,) = devices[name]
            module.register_forward_pre_hook(_Inputs(device), with_kwargs=True)
    if len(devices[""]) > 1:
        model.register_forward_hook(_Outputs(home))


def _check_and_home(model: Any, where: Mapping[str, torch.device]) -> torch.device:
    """Check that the map fits the model; return the device on which the model looks ids up.

    Raises:
        ValueError: it does not.
    """
    parts = {name: None for name, _ in model.named_modules()} | dict.fromkeys(_tensors(model, ""))
    strange = next((name for name in where if name not in parts), None)
    if strange is not None:
        known = [name for name in parts if name]
        raise ValueError(f"device_map: {missing('part of the model', strange, known)}")
    bare = next((name for name in model.state_dict() if _of(name, where) is None), None)
    if bare is not None:
        raise ValueError(
            f"device_map puts {bare!r} nowhere; name a device for each part, or one for the whole "
            "model under the name ''."
        )
    by_tensor: dict[int, str] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        other = by_tensor.setdefault(id(tensor), name)
        if _of(name, where) != _of(other, where):
            raise ValueError(
                f"device_map puts {other!r} and {name!r} apart, which are one tensor; put both on "
                "one device."
            )
    table = model.get_input_embeddings().weight
    home = _of(by_tensor[id(table)], where)
    assert home is not None
    return home


def _of(name: str, where: Mapping[str, torch.device]) -> torch.device | None:
    """The device of a tensor: that of the longest name in the map that it lies under."""
    while name and name not in where:
        name = name.rpartition(".")[0]
    return where.get(name)


def _tensors(module: nn.Module, name: str, *, recurse: bool = True) -> Iterable[str]:
    """The names of a module's tensors, in the whole model."""
    for kind in (module.named_parameters, module.named_buffers):
        yield from (one for one, _ in kind(name, recurse=recurse, remove_duplicate=False))


def _is_whole(model: Any, module: nn.Module) -> bool:
    """Whether a module is one of those that transformers keeps whole, such as a layer."""
    return type(module).__name__ in (getattr(model, "_no_split_modules", None) or ())


@dataclass(frozen=True)
class _Inputs:
    """A hook before a module: moves its inputs to its device."""

    device: torch.device

    def __call__(self, _: nn.Module, given: Any, named: Any) -> Any:
        return _brought(given, self.device), _brought(named, self.device)


@dataclass(frozen=True)
class _Outputs:
    """A hook after the model: moves its outputs to a device."""

    device: torch.device

    def __call__(self, _: nn.Module, __: Any, out: Any) -> Any:
        return _brought(out, self.device)


def _brought(value: Any, device: torch.device) -> Any:
    """Tensors and containers of them, moved; a cache stays: its parts lie with their layers."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        kind: Any = type(value)
        return kind({key: _brought(one, device) for key, one in value.items()})
    if isinstance(value, tuple | list):
        return type(value)(_brought(one, device) for one in value)
    return value


def _device(name: str, said: object) -> torch.device:
    if isinstance(said, torch.device):
        return said
    word = f"cuda:{said}" if str(said).isdigit() else str(said)
    if word in ("disk", "meta"):
        raise ValueError(
            f"device_map.{name}={said}: weights that wait on a disk for their turn could not be "
            "held frozen; name cards, or a smaller dtype."
        )
    try:
        return device_of(word)
    except ValueError as error:
        raise ValueError(f"device_map.{name}={said}: {error}") from error


def _flat(given: Mapping[Any, Any], above: str = "") -> dict[str, object]:
    """Nested names as dotted ones."""
    found: dict[str, object] = {}
    for key, value in given.items():
        name = f"{above}.{key}" if above else str(key)
        found |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return found


def _listed(devices: Iterable[torch.device]) -> str:
    return " and ".join(sorted(map(str, devices)))
