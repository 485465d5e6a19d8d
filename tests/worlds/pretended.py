"""Devices that are not there: tensors of the host that say they lie elsewhere, and hold to it.

What real devices refuse is refused: an operation on tensors of two devices, or of a device and the
host but for single numbers, and, where told, number types that a device has not.
"""

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

HOST = torch.device("cpu")
MOVES = {torch.ops.aten.copy_.default}
# Indices may be the host's, as with real devices.
INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
_REFUSED: set[torch.dtype] = set()


class There(torch.Tensor):
    """A tensor on a pretended device, as far as Python sees; `here` are its numbers."""

    here: torch.Tensor
    place: torch.device

    @staticmethod
    def __new__(cls, here: torch.Tensor, device: torch.device) -> "There":
        if here.dtype in _REFUSED:
            raise TypeError(f"{device} has no {here.dtype}.")
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=HOST,
            requires_grad=here.requires_grad,
        )
        made.here, made.place = here.detach() if here.requires_grad else here, device
        return made

    @property
    def device(self) -> torch.device:
        return self.place

    def __repr__(self, **_: Any) -> str:
        return f"There({self.here!r}, {self.device})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        given = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
        there = {one.device for one in given if isinstance(one, There)}
        if func not in MOVES:
            indexed = func.overloadpacket._qualified_op_name in INDEXED
            others = [one for one in given if not isinstance(one, There) and one.dim() > 0]
            on_host = others and not (
                indexed and not any(one.is_floating_point() for one in others)
            )
            if len(there) > 1 or on_host:
                devices = sorted({str(one.device) for one in given})
                raise RuntimeError(f"{func}: all tensors are on one device, not {devices}")
        target = kwargs.get("device")
        target = next(iter(there)) if target in (None, HOST) else target
        out = func(*tree_map(_here, args), **tree_map(_here, kwargs))
        if func is torch.ops.aten.copy_.default:
            return args[0]
        # What is done in place gives back what it was done to.
        known = {id(one.here): one for one in given if isinstance(one, There)}
        # A view is in inference mode if what it is a view of was.
        mode = given[0].is_inference() if func.is_view else torch.is_inference_mode_enabled()
        with torch.inference_mode(mode):
            return tree_map(lambda x: known[id(x)] if id(x) in known else _moved(x, target), out)


def _here(one: Any) -> Any:
    return one.here if isinstance(one, There) else one


def _moved(one: Any, device: torch.device) -> Any:
    return There(one, device) if isinstance(one, torch.Tensor) else one


class _Pretending(TorchFunctionMode):
    """Takes what names a pretended device before torch asks for its driver."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def _meant(self, said: Any) -> torch.device | None:
        if not isinstance(said, str | torch.device):
            return None
        device = torch.device(said)
        return device if device.type == self._kind else None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.Tensor.cpu, torch.Tensor.tolist, torch.Tensor.numpy):
            return func(_here(args[0]), *args[1:], **kwargs)
        if func is torch.Tensor.to:
            return _sent(*args, **kwargs)
        target = self._meant(kwargs.get("device"))
        if target is not None:
            kwargs["device"] = HOST
            plain = [_here(one) for one in args]
            return _moved(func(*plain, **kwargs), target)
        if func is torch.nn.functional.scaled_dot_product_attention:
            given = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)]
            devices = {one.device for one in given}
            assert len(devices) == 1, f"attention over {devices}"
            out = func(*tree_map(_here, args), **tree_map(_here, kwargs))
            return out if devices == {HOST} else _moved(out, devices.pop())
        return func(*args, **kwargs)


def _sent(one: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """What `Tensor.to` gives."""
    like = next((arg for arg in args if isinstance(arg, torch.Tensor)), None)
    said = [*args, *kwargs.values()] if like is None else [like.device, like.dtype]
    device = next((torch.device(a) for a in said if isinstance(a, str | torch.device)), one.device)
    dtype = next((a for a in said if isinstance(a, torch.dtype)), one.dtype)
    if (device, dtype) == (one.device, one.dtype):
        return one
    here = _here(one).to(dtype, copy=True)
    return here if device == HOST else There(here, device).requires_grad_(one.requires_grad)


@contextlib.contextmanager
def pretended(kind: str, refused: Collection[torch.dtype] = ()) -> Iterator[None]:
    """Let devices of a kind be there, which have not the number types that are `refused`."""
    _REFUSED.update(refused)
    # A module that is moved gets other parameters: those of the host cannot become them.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _Pretending(kind):
            yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        _REFUSED.clear()
